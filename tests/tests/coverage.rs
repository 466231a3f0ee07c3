//! `COVERAGE.md` names every requirement, and tests that exist.

use backstop_tests::Coverage;

/// Every id the table owes: a letter and its highest number, from 1; and the numbers of the reliability list.
const LETTERS: [(char, u32); 6] = [('A', 14), ('B', 12), ('C', 10), ('D', 6), ('E', 8), ('F', 8)];
const RELIABILITY: [u32; 68] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 26, 27, 28, 29, 30, 31, 32, 33, 34,
    35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
    64, 65, 66, 67, 68, 69, 70, 72,
];

/// Every bad input: a letter with its first and last number.
const BAD_INPUTS: [(char, u32, u32); 5] = [('C', 1, 29), ('H', 1, 42), ('L', 1, 12), ('P', 1, 43), ('W', 1, 24)];

fn bad_inputs() -> Vec<String> {
    let ids = BAD_INPUTS.iter().flat_map(|(letter, first, last)| (*first..=*last).map(move |n| format!("{letter}{n}")));
    ids.collect()
}

fn ids() -> Vec<String> {
    let lettered = LETTERS.iter().flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number}")));
    lettered.chain(RELIABILITY.iter().map(|number| format!("R{number}"))).collect()
}

#[test]
fn names_every_requirement_exactly_once() {
    let table = Coverage::load().unwrap();

    let mut found: Vec<String> = table.rows.into_iter().map(|row| row.id).collect();
    let mut wanted = ids();
    found.sort();
    wanted.sort();

    assert_eq!(found, wanted);
}

#[test]
fn names_every_bad_input_once_and_in_order() {
    let table = Coverage::load().unwrap();

    let found: Vec<String> = table.bad_inputs.into_iter().map(|row| row.id).collect();

    assert_eq!(found, bad_inputs());
}

#[test]
fn names_only_tests_that_exist() {
    let table = Coverage::load().unwrap();

    let rows = table.rows.iter().chain(&table.bad_inputs);
    let named = rows.flat_map(|row| row.tests.iter().map(move |test| (row.id.as_str(), test)));
    let missing: Vec<_> = named.filter(|(_, test)| !test.exists()).collect();

    assert!(missing.is_empty(), "COVERAGE.md names tests that are not there: {missing:#?}");
}
