//! Guests that load and then do their worst (W11, W13 to W24): a decision is lost, never the request, never the host.

use crate::config::SandboxConfig;
use crate::types::{Ask, AttemptPlan, Standing, Verdict};

use super::test_guests::{TestGuest, ask_of, first_of_all, load, load_in, worst};
use super::{Nonsense, Strategy, StrategyFault, StrategyHealth, Supervised};

const READY: [Standing; 3] = [Standing::Ready; 3];

/// What such a guest does wrong when it is asked for the second time, the first having been its proof.
fn fault_of(then: &'static str) -> StrategyFault {
    let strategy = load(&worst(then)).unwrap();

    strategy.decide(&ask_of(&READY)).unwrap_err()
}

fn is_trap(fault: &StrategyFault) -> bool {
    matches!(fault, StrategyFault::Trapped { .. })
}

#[test]
fn w13_ends_an_endless_loop() {
    assert_eq!(fault_of("(loop (br 0))"), StrategyFault::OutOfFuel { fuel: 5_000_000 });
}

#[test]
fn ends_by_the_clock_what_fuel_lets_run() {
    let sandbox = SandboxConfig { fuel: u64::MAX / 4, ..SandboxConfig::default() };
    let strategy = load_in(&worst("(loop (br 0))"), &sandbox).unwrap();

    assert_eq!(strategy.decide(&ask_of(&READY)), Err(StrategyFault::TimedOut));
}

#[test]
fn w14_ends_a_recursion() {
    let module = TestGuest {
        next: "(if (i64.ne (i64.load offset=8 (local.get $ask)) (i64.const 0)) (then (call $deeper)))",
        more: "(func $deeper (call $deeper) (call $deeper))",
        ..TestGuest::default()
    };
    let strategy = load(&module.module()).unwrap();

    assert_eq!(strategy.decide(&ask_of(&READY)), Err(StrategyFault::StackOverflow));
}

#[test]
fn w15_caps_memory_that_grows() {
    let fault = fault_of("(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))");

    let StrategyFault::OutOfMemory { asked, limit } = fault else { panic!("{fault}") };
    assert!(asked > limit && limit == 16 << 20, "{asked} of {limit}");
}

#[test]
fn w15_caps_tables_that_grow() {
    let module = TestGuest {
        next: "(if (i64.ne (i64.load offset=8 (local.get $ask)) (i64.const 0))
            (then (drop (table.grow $t (ref.null func) (i32.const 300000)))))",
        more: "(table $t 1 funcref)",
        ..TestGuest::default()
    };
    let strategy = load(&module.module()).unwrap();

    let fault = strategy.decide(&ask_of(&READY)).unwrap_err();

    insta::assert_snapshot!(fault, @"trapped: asked for 300001 table elements, and may have 200000");
}

#[test]
fn w16_catches_a_trap() {
    insta::assert_snapshot!(fault_of("(unreachable)"), @"trapped: wasm `unreachable` instruction executed");
    insta::assert_snapshot!(fault_of("(drop (i32.div_u (i32.const 1) (i32.const 0)))"), @"trapped: integer divide by zero");
}

#[test]
fn w17_catches_pointers_that_point_nowhere() {
    let reason_at = |address: &str, length: &str| -> &'static str {
        format!(
            "(i32.store8 (i32.const 1052) (i32.const 1)) (i32.store (i32.const 1056) (i32.const {address}))
             (i32.store (i32.const 1060) (i32.const {length}))"
        )
        .leak()
    };

    for decision_at in ["(return (i32.const -1))", "(return (i32.const 131070))", "(return (i32.const 1025))"] {
        assert!(is_trap(&fault_of(decision_at)), "{decision_at}");
    }
    assert!(is_trap(&fault_of(reason_at("-1", "1"))));
    assert!(is_trap(&fault_of(reason_at("0", "-1"))));
    assert!(is_trap(&fault_of(reason_at("131071", "2"))));
}

#[test]
fn w17_reads_overlapping_regions_as_they_are() {
    // The reason is the decision's own bytes, which are text by chance: 28 zeros, which are not fit to be shown.
    let strategy = load(&worst(
        "(i32.store8 (i32.const 1052) (i32.const 1)) (i32.store (i32.const 1056) (i32.const 1024))
         (i32.store (i32.const 1060) (i32.const 28)) (i32.store (i32.const 1064) (i32.const 1024))
         (i32.store (i32.const 1068) (i32.const 28))",
    ))
    .unwrap();

    let decision = strategy.decide(&ask_of(&READY)).unwrap();

    assert_eq!((decision.reason, decision.note), (None, vec![0; 28]));
}

#[test]
fn w17_catches_text_that_is_not_utf_8() {
    let fault = fault_of(
        "(i32.store8 (i32.const 1052) (i32.const 1)) (i32.store (i32.const 1056) (i32.const 2000))
         (i32.store (i32.const 1060) (i32.const 2)) (i32.store8 (i32.const 2000) (i32.const 255))",
    );

    insta::assert_snapshot!(fault, @"trapped: invalid utf-8 sequence of 1 bytes from index 0");
}

#[test]
fn w17_catches_a_verdict_that_does_not_exist() {
    assert!(is_trap(&fault_of("(i32.store8 (i32.const 1024) (i32.const 3))")));
}

#[test]
fn w18_catches_a_target_that_does_not_exist() {
    let fault = fault_of("(i32.store (i32.const 1028) (i32.const -1))");

    assert_eq!(fault, StrategyFault::Nonsense(Nonsense::NoSuchTarget { target: u32::MAX, targets: 3 }));
}

#[test]
fn w18_catches_a_list_without_measure() {
    let long = "(drop (memory.grow (i32.const 16))) (i32.store (i32.const 1064) (i32.const 0))
        (i32.store (i32.const 1068) (i32.const 1000000))";

    insta::assert_snapshot!(fault_of(long), @"trapped: too much data is being copied between the host and the guest: fuel allocated for hostcalls has been exhausted");
    insta::assert_snapshot!(fault_of("(i32.store (i32.const 1068) (i32.const 257))"), @"answered nonsense: a note of 257 bytes (at most 256)");
}

#[test]
fn w18_catches_a_hold_for_nothing() {
    assert_eq!(
        fault_of("(i32.store8 (i32.const 1024) (i32.const 1))"),
        StrategyFault::Nonsense(Nonsense::HoldsForNothing)
    );
}

#[test]
fn w19_catches_a_wait_beyond_the_deadline() {
    let fault = fault_of("(i32.store (i32.const 1032) (i32.const -1))");

    let expected = Nonsense::WaitsTooLong { after_ms: u32::MAX, remaining_ms: 60_000 };
    assert_eq!(fault, StrategyFault::Nonsense(expected));
}

#[test]
fn w20_shows_no_escape_sequence_of_a_reason() {
    let module = TestGuest {
        next: "(i32.store8 (i32.const 1052) (i32.const 1)) (i32.store (i32.const 1056) (i32.const 2000))
            (i32.store (i32.const 1060) (i32.const 12))",
        more: r#"(data (i32.const 2000) "\1b[31mred\1b[0m")"#,
        ..TestGuest::default()
    };
    let strategy = load(&module.module()).unwrap();

    let decision = strategy.decide(&ask_of(&READY)).unwrap();

    assert_eq!(decision.reason.as_deref(), Some("red"));
}

#[test]
fn w21_ends_endless_bulk_copies() {
    let fault = fault_of("(loop (memory.fill (i32.const 4096) (i32.const 7) (i32.const 100000)) (br 0))");

    assert_eq!(fault, StrategyFault::OutOfFuel { fuel: 5_000_000 });
}

#[test]
fn w22_takes_each_answer_of_a_guest_that_changes_its_mind() {
    let strategy = load(&worst(
        "(i32.store (i32.const 1028) (i32.rem_u (i32.add (i32.load (i32.const 1028)) (i32.const 1)) (i32.const 3)))",
    ))
    .unwrap();

    let chosen: Vec<_> = (0..4).map(|_| strategy.decide(&ask_of(&READY)).unwrap().verdict).collect();

    assert_eq!(chosen, [1, 2, 0, 1].map(|target| Verdict::Attempt(AttemptPlan::now(target))));
}

#[test]
fn w23_keeps_one_guest_from_the_memory_of_another() {
    let writes = load(&worst("(i32.store (i32.const 3000) (i32.const 2))")).unwrap();
    let reads = load(&worst("(i32.store (i32.const 1028) (i32.load (i32.const 3000)))")).unwrap();

    writes.decide(&ask_of(&READY)).unwrap();
    let seen = reads.decide(&ask_of(&READY)).unwrap();

    assert_eq!(seen.verdict, Verdict::Attempt(AttemptPlan::now(0)));
    assert!(is_trap(&fault_of("(drop (i32.load (i32.const 131072)))")));
}

#[test]
fn w24_passes_on_a_dead_target_for_the_guard_to_deny() {
    let strategy = load(&first_of_all()).unwrap();
    let ask = ask_of(&[Standing::Disabled, Standing::Ready, Standing::Ready]);

    assert_eq!(strategy.decide(&ask).unwrap().verdict, Verdict::Attempt(AttemptPlan::now(0)));
}

#[test]
fn drops_the_instance_that_failed_and_goes_on_with_a_fresh_one() {
    let strategy = load(&worst("(i32.store (i32.const 1028) (i32.const 2)) (unreachable)")).unwrap();
    assert_eq!(strategy.idle(), 1);

    strategy.decide(&ask_of(&READY)).unwrap_err();
    assert_eq!(strategy.idle(), 0);
    let fresh = strategy.decide(&Ask { entropy: 0, ..ask_of(&READY) }).unwrap();

    // Not what the other instance had written just before it trapped.
    assert_eq!(fresh.verdict, Verdict::Attempt(AttemptPlan::now(0)));
    assert_eq!(strategy.idle(), 1);
}

#[test]
fn answers_100_000_equal_questions_equally() {
    let strategy =
        load(&worst("(i32.store (i32.const 1028) (i32.rem_u (i32.load offset=8 (local.get $ask)) (i32.const 3)))"))
            .unwrap();
    let ask = Ask { entropy: 5, ..ask_of(&READY) };
    let first = strategy.decide(&ask).unwrap();

    for _ in 0..100_000 {
        assert_eq!(strategy.decide(&ask).as_ref(), Ok(&first));
    }
}

fn health(supervised: &Supervised) -> (u64, u32, bool) {
    let StrategyHealth { faults, in_a_row, quarantined } = supervised.health();
    (faults, in_a_row, quarantined)
}

fn supervised(strategy: Strategy) -> (Supervised, Ask, Ask) {
    let bad = ask_of(&[Standing::Disabled, Standing::Ready, Standing::Ready]);
    let good = Ask { entropy: 0, ..bad.clone() };
    (Supervised::new(strategy), good, bad)
}

#[test]
fn lets_declared_order_decide_where_the_guest_fails() {
    let (supervised, _, bad) = supervised(load(&worst("(unreachable)")).unwrap());
    let bad = Ask { note: vec![1, 2], ..bad };

    let ruling = supervised.decide(&bad, None);

    assert_eq!(ruling.decision.verdict, Verdict::Attempt(AttemptPlan::now(1)));
    assert_eq!(ruling.decision.note, [1, 2]);
    assert!(ruling.fault.is_some());
    assert_eq!(health(&supervised), (1, 1, false));
}

#[test]
fn quarantines_after_five_faults_in_a_row() {
    let (supervised, good, bad) = supervised(load(&worst("(unreachable)")).unwrap());

    for _ in 0..5 {
        assert!(supervised.decide(&bad, None).fault.is_some());
    }
    let ruling = supervised.decide(&good, None);

    // Asked well it would have chosen the first: it was not asked.
    assert_eq!(ruling.decision.verdict, Verdict::Attempt(AttemptPlan::now(1)));
    assert_eq!(ruling.fault, None);
    assert_eq!(health(&supervised), (5, 5, true));
}

#[test]
fn forgives_four_faults_for_one_good_answer() {
    let (supervised, good, bad) = supervised(load(&worst("(unreachable)")).unwrap());

    for _ in 0..2 {
        for _ in 0..4 {
            supervised.decide(&bad, None);
        }
        assert_eq!(supervised.decide(&good, None).decision.verdict, Verdict::Attempt(AttemptPlan::now(0)));
    }

    assert_eq!(health(&supervised), (8, 0, false));
}

#[test]
fn is_shared_between_threads() {
    fn is_shareable<T: Send + Sync + 'static>() {}

    is_shareable::<Supervised>();
}

/// A guest that imports WASI, and chooses what the last byte of a random number says.
fn curious() -> TestGuest {
    let mut guest = TestGuest {
        imports: r#"(import "wasi:random/random@0.2.5" "get-random-u64" (func $random (result i64)))
            (import "wasi:random/random@0.2.5" "get-random-bytes" (func $bytes (param i64 i32)))
            (import "wasi:clocks/wall-clock@0.2.5" "now" (func $now (param i32)))
            (import "wasi:cli/exit@0.2.5" "exit" (func $exit (param i32)))"#,
        world: "import wasi:random/random@0.2.5; import wasi:clocks/wall-clock@0.2.5; import wasi:cli/exit@0.2.5;
            export backstop:strategy/choose@1.0.0;",
        next: "(if (i64.ne (i64.load offset=8 (local.get $ask)) (i64.const 0))
            (then (i32.store (i32.const 1028) (i32.wrap_i64 (i64.rem_u (call $random) (i64.const 3))))))",
        ..TestGuest::default()
    };
    guest.packages.push("package wasi:random@0.2.5; interface random { get-random-u64: func() -> u64; get-random-bytes: func(len: u64) -> list<u8>; }".to_owned());
    guest.packages.push("package wasi:clocks@0.2.5; interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }".to_owned());
    guest.packages.push("package wasi:cli@0.2.5; interface exit { exit: func(status: result); }".to_owned());
    guest
}

fn granted() -> SandboxConfig {
    SandboxConfig { wasi: true, ..SandboxConfig::default() }
}

fn curious_that(then: &'static str) -> Vec<u8> {
    let next = format!("(if (i64.ne (i64.load offset=8 (local.get $ask)) (i64.const 0)) (then {then}))");
    TestGuest { next: next.leak(), ..curious() }.module()
}

#[test]
fn w11_loads_a_guest_that_imports_wasi_and_ends_it_where_it_calls() {
    let strategy = load(&curious().module()).unwrap();

    let fault = strategy.decide(&ask_of(&READY)).unwrap_err();

    insta::assert_snapshot!(fault, @"called `wasi:random/random@0.2.5#get-random-u64`, which is not granted (`sandbox.wasi = true` answers clocks and randomness)");
}

#[test]
fn w11_answers_randomness_from_the_question_where_granted() {
    let strategy = load_in(&curious().module(), &granted()).unwrap();
    let chosen = |entropy| strategy.decide(&Ask { entropy, ..ask_of(&READY) }).unwrap().verdict;

    let several: std::collections::HashSet<_> = (1..30).map(|entropy| format!("{:?}", chosen(entropy))).collect();

    assert_eq!(several.len(), 3);
    assert_eq!(chosen(9), chosen(9));
}

#[test]
fn w11_tells_the_time_of_the_question_where_granted() {
    // 1,800,000,000.123 s: as the wait, seconds less 1,800,000,000, in milliseconds, and the rest.
    let module = curious_that(
        "(call $now (i32.const 3000))
         (i32.store (i32.const 1032) (i32.div_u (i32.load (i32.const 3008)) (i32.const 1000000)))",
    );
    let strategy = load_in(&module, &granted()).unwrap();

    let decision = strategy.decide(&ask_of(&READY)).unwrap();

    assert_eq!(decision.verdict, Verdict::Attempt(AttemptPlan { after_ms: 123, ..AttemptPlan::now(0) }));
}

#[test]
fn w11_answers_nothing_else_even_where_granted() {
    let strategy = load_in(&curious_that("(call $exit (i32.const 0))"), &granted()).unwrap();

    let fault = strategy.decide(&ask_of(&READY)).unwrap_err();

    assert_eq!(fault, StrategyFault::NotGranted { import: "wasi:cli/exit@0.2.5#exit".to_owned() });
}

#[test]
fn w20_ends_calls_of_the_host_without_measure() {
    let endless = load_in(&curious_that("(loop (drop (call $random)) (br 0))"), &granted()).unwrap();
    let large = load_in(&curious_that("(call $bytes (i64.const 4294967296) (i32.const 3000))"), &granted()).unwrap();

    assert_eq!(endless.decide(&ask_of(&READY)), Err(StrategyFault::OutOfFuel { fuel: 5_000_000 }));
    assert!(is_trap(&large.decide(&ask_of(&READY)).unwrap_err()));
}
