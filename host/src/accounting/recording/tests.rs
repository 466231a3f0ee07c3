//! A recording written and read again.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Map;

use crate::types::{
    Ask, AttemptEnd, AttemptPlan, AttemptRecord, FailureKind, NanoUsd, Outcome, PastAttempt, Price, RequestId,
    RosterTarget, Standing, State, TargetName, Verdict,
};

use super::*;

const PLENTY: u64 = 1 << 30;

fn panel(strategy: &str) -> Arc<Panel> {
    let target = RosterTarget {
        name: TargetName::new("groq", "llama"),
        priority: -1,
        local: false,
        price: Some(Price::new(NanoUsd::from_nanos(50_000_000), NanoUsd::from_nanos(80_000_000))),
        context_window: Some(8_192),
        tools: true,
        json: false,
        vision: false,
        labels: vec![("tier".to_owned(), "premium".to_owned())],
    };
    Arc::new(Panel {
        route: "default".into(),
        strategy: strategy.into(),
        digest: "ab".to_owned(),
        options: Map::from_iter([("patience".to_owned(), "1s".into())]),
        roster: vec![target],
    })
}

fn state() -> State {
    State {
        standing: Standing::CoolingDown(1_500),
        estimated_cost: Some(NanoUsd::from_nanos(7)),
        in_flight: 2,
        consecutive_failures: 0,
        success_rate: 0.3,
        first_token_ms: Some(12.7),
        quota_left: None,
    }
}

fn decided(number: u64) -> Decided {
    let ask = Ask {
        sequence: number,
        entropy: u64::MAX,
        now_ms: 1_700_000_000_000,
        input_tokens: 12,
        max_output_tokens: 100,
        streaming: true,
        labels: Arc::new([("context".to_owned(), "title".to_owned())]),
        states: vec![state()],
        attempts: vec![PastAttempt { target: 0, failure: FailureKind::Timeout, took_ms: 9, retry_after_ms: Some(3) }],
        in_flight: vec![0],
        preferred: Some(0),
        emergency: true,
        attempts_left: 3,
        retries_left: 1,
        elapsed_ms: 20,
        remaining_ms: None,
        note: vec![0, 255],
    };
    let plan = AttemptPlan { after_ms: 5, hedge_after_ms: Some(800), ..AttemptPlan::now(0) };
    Decided { request: RequestId(number.into()), ask, verdict: Verdict::Attempt(plan), is_fault: false }
}

fn ended(number: u128) -> Arc<RequestRecord> {
    let attempt = |end| AttemptRecord {
        target: Arc::new(TargetName::new("groq", "llama")),
        end,
        took: Duration::from_micros(12_500),
    };
    let failure = crate::types::Failure::new(FailureKind::Timeout, "the words of the provider");
    Arc::new(RequestRecord {
        id: RequestId(number),
        started: Timestamp::UNIX_EPOCH,
        route: "default".into(),
        strategy: "smart".into(),
        streaming: false,
        labels: Arc::new([]),
        parent: None,
        outcome: Outcome::Served,
        error: None,
        served_by: None,
        usage: None,
        cost: Some(NanoUsd::from_nanos(31)),
        took: Duration::from_millis(40),
        attempts: [AttemptEnd::Failed(failure), AttemptEnd::Cancelled, AttemptEnd::Served].map(attempt).to_vec(),
        steps: Vec::new(),
    })
}

fn entries(path: &Path) -> Vec<Entry> {
    Lines::open(path).unwrap().map(|line| line.unwrap().read().unwrap()).collect()
}

#[test]
fn reads_what_it_has_written_and_names_each_panel_once() {
    let place = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(place.path(), PLENTY).unwrap();
    let (smart, cost) = (panel("smart"), panel("cost"));

    recorder.decided(&smart, decided(1));
    recorder.decided(&smart, decided(2));
    recorder.decided(&cost, Decided { verdict: Verdict::GiveUp, is_fault: true, ..decided(3) });
    recorder.ended(&ended(1));
    recorder.close();

    let expected = [
        Entry::Panel(0, (*smart).clone()),
        Entry::Decided(0, decided(1)),
        Entry::Decided(0, decided(2)),
        Entry::Panel(1, (*cost).clone()),
        Entry::Decided(1, Decided { verdict: Verdict::GiveUp, is_fault: true, ..decided(3) }),
        Entry::Ended(Ended::of(&ended(1))),
    ];
    assert_eq!(entries(place.path()), expected);
    assert_eq!(recorder.lost(), 0);
}

#[test]
fn writes_lines_that_stay_as_they_are() {
    let place = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(place.path(), PLENTY).unwrap();
    recorder.decided(&panel("smart"), decided(1));
    recorder.ended(&ended(1));
    recorder.close();

    let text = fs::read_to_string(place.path().join("decisions-0000000000.jsonl")).unwrap();

    insta::assert_snapshot!(text);
    assert!(!text.contains("the words of the provider"));
}

#[test]
fn begins_a_file_with_every_panel_it_needs_when_one_is_full() {
    let place = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(place.path(), 8 * 4_000).unwrap();
    let smart = panel("smart");

    for number in 0..200 {
        recorder.decided(&smart, decided(number));
        recorder.flush();
    }
    recorder.close();

    let files = folder::files(place.path()).unwrap();
    assert!(files.len() > 2, "{files:?}");
    let bytes: u64 = files.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(bytes <= 8 * 4_000 + 4_000, "{bytes} bytes are kept");
    for file in files {
        assert!(matches!(entries(&file)[..], [Entry::Panel(0, _), Entry::Decided(0, _), ..]), "{}", file.display());
    }
}

#[test]
fn passes_over_what_a_killed_process_left_half_written() {
    let place = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(place.path(), PLENTY).unwrap();
    recorder.decided(&panel("smart"), decided(1));
    recorder.close();
    let file = place.path().join("decisions-0000000000.jsonl");
    let whole = fs::read_to_string(&file).unwrap();

    fs::write(&file, whole.trim_end_matches('\n')).unwrap();

    assert_eq!(entries(&file).len(), 1);
}

#[test]
fn says_which_line_is_none_and_where_there_is_no_recording() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("notes.jsonl");
    fs::write(&file, "{\"ended\":7}\n").unwrap();

    let line = Lines::open(&file).unwrap().next().unwrap().unwrap();

    let shown = |error: ReadError| error.to_string().replace(place.path().to_str().unwrap(), "…");
    insta::assert_snapshot!(shown(line.read().unwrap_err()), @"…/notes.jsonl:1: no line of a recording: invalid type: integer `7`, expected struct Ended at line 1 column 10");
    insta::assert_snapshot!(shown(Lines::open(place.path()).err().unwrap()), @"… has no recording (decisions-*.jsonl); a gateway writes one where [recording] is enabled");
    assert!(Lines::open(&place.path().join("none")).is_err());
}

#[test]
fn says_where_it_cannot_write() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();

    let error = Recorder::open(&file.join("below"), PLENTY).err().unwrap().to_string();

    assert!(error.ends_with("; set `folder` in [recording] to a place that can be written to"), "{error}");
}

proptest! {
    #[test]
    fn keeps_every_number_to_the_last_bit(rate in 0f32..=1f32, ms in proptest::option::of(0f32..1e7f32), entropy: u64) {
        let mut asked = decided(1);
        asked.ask.entropy = entropy;
        asked.ask.states = vec![State { success_rate: rate, first_token_ms: ms, ..state() }];

        let text = serde_json::to_string(&asked).unwrap();

        prop_assert_eq!(serde_json::from_str::<Decided>(&text).unwrap(), asked);
    }
}
