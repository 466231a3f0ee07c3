//! What the limits of the gateway's keys take of memory (R45). In a process of its own, whose every allocation is counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use backstop::clock::Moment;
use backstop::gateway::keys::{Grant, KeyFile, KeyHash, KeyLimits, KeyRecord, Keys, Purpose};
use backstop::http::{HeaderMap, HeaderValue};
use serde_json::json;

/// Keys that are measured, about as many as a file may hold: what each takes does not depend on how many there are.
const KEYS: usize = 30_000;

/// What the limits of so many keys may take: 200 MB for a million.
const MOST: usize = 200 * KEYS;

struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// What is asked of the system's allocator is counted, and nothing is changed about it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn text(number: usize) -> String {
    format!("bsk_{number}")
}

fn bringing(number: usize) -> HeaderMap {
    HeaderMap::from_iter([("x-api-key".parse().unwrap(), HeaderValue::try_from(text(number)).unwrap())])
}

/// What so many keys take of memory, asked five times each within their limits.
fn taken_with(limits: KeyLimits) -> (usize, Keys) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let now = "2025-01-01T00:00:00Z".parse().unwrap();
    let record = |number: usize| KeyRecord {
        id: format!("key_{number}"),
        name: format!("{number}"),
        hash: KeyHash::of(text(number).as_bytes()),
        last4: "0000".to_owned(),
        created: now,
        grant: Grant { limits, ..Grant::default() },
        revoked: None,
    };
    let records: Vec<KeyRecord> = (0..KEYS).map(record).collect();
    fs::write(&path, json!({"version": 1, "keys": records}).to_string()).unwrap();
    drop(records);
    let before = IN_USE.load(Ordering::Relaxed);

    let keys = Keys::open(KeyFile::at(&path)).unwrap();
    for number in 0..KEYS {
        let caller = keys.admit(&bringing(number), Purpose::Model, now).unwrap();
        for _ in 0..5 {
            caller.begin("default", 100, &mut Vec::new(), Moment::START).unwrap().settle(70, Moment::START);
        }
    }

    (IN_USE.load(Ordering::Relaxed).saturating_sub(before), keys)
}

// R45
#[test]
fn keeps_the_limits_of_a_million_keys_in_200_mb_and_forgets_none_of_them() {
    let some = |limit| Some(limit);
    let limits = KeyLimits {
        rpm: some(5),
        tpm: some(60_000),
        rpd: some(1_000),
        tpd: some(1_000_000),
        concurrent: some(4),
        burst: some(5),
    };

    let (without, keys) = taken_with(KeyLimits::default());
    drop(keys);
    let (with, keys) = taken_with(limits);

    let more = with.saturating_sub(without);
    assert!(more > 0 && more <= MOST, "{} bytes a key", more / KEYS);
    // Every one of them is still at its limit, however many others have asked since.
    let now = "2025-01-01T00:00:00Z".parse().unwrap();
    for number in 0..KEYS {
        let caller = keys.admit(&bringing(number), Purpose::Model, now).unwrap();
        assert!(caller.begin("default", 1, &mut Vec::new(), Moment::START).is_err(), "key {number} is filled up again");
    }
}
