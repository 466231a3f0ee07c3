//! Times 100,000 wrong guesses at the gateway's keys and says whether their times tell a near one from any other (R68).

use std::process::ExitCode;

use backstop_tests::key_timing::{THRESHOLD, t_of_guesses};

const TRIES: usize = 100_000;

fn main() -> ExitCode {
    let t = t_of_guesses(TRIES);
    let is_even = t.abs() < THRESHOLD;
    println!("t = {t:.2} over {TRIES} tries: {}", if is_even { "they do not" } else { "they do" });
    if is_even { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
