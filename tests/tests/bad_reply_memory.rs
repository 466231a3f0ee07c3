//! What endless replies take of memory: P22, P23 and P37 of the bad replies, and a body of more than anyone may send. In a
//! process of its own, since all of it is measured.

#![cfg(target_os = "linux")]

use std::time::Duration;

use backstop::FailureKind;
use backstop::scripted::{Answer, Fault, Place, Reply, Script};
use backstop_tests::Pair;
use bytes::Bytes;

/// The most that a bad reply may take. A whole reply may have 32 MiB before it is found to be too long.
const MOST: usize = 40 << 20;

/// The most bytes of this process that were ever in memory at a time, to some pages: the kernel counts them in batches.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

// P22, P23, P37, RELIABILITY 70
#[tokio::test]
async fn takes_little_memory_whatever_is_poured_into_it() {
    let warm = Pair::start(Script::always(Answer::new("yes"))).await;
    warm.whole().await.unwrap();
    warm.streamed().await.unwrap();
    for (name, reply, kind) in [
        ("P22 a line of 100 MB", poured(Fault::giant_line(100)), FailureKind::MalformedReply),
        ("P23 blank lines without end", poured(Fault::endless_blank_lines()), FailureKind::Timeout),
        ("P37 a gzip bomb", bombed(stream()), FailureKind::MalformedReply),
    ] {
        let pair = Pair::start(reply).await;
        let before = peak();

        let streamed = pair.streamed().await.expect(name);

        assert_eq!(streamed, ("from the second".to_owned(), None), "{name}");
        assert_eq!(pair.failures(), [kind], "{name}");
        let more = peak().saturating_sub(before);
        assert!(more < MOST, "{name}: {more} bytes");
    }
    for (name, reply) in
        [("a body of 100 MB", body().at(Place::AfterHead, Fault::giant_line(100))), ("P37 a gzip bomb", bombed(body()))]
    {
        let pair = Pair::start(reply).await;
        let before = peak();

        let whole = pair.whole().await.expect(name);

        assert_eq!((whole.as_str(), pair.failures()), ("from the second", vec![FailureKind::MalformedReply]), "{name}");
        let more = peak().saturating_sub(before);
        assert!(more < MOST, "{name}: {more} bytes");
    }
}

/// A stream with this before its first event.
fn poured(fault: Fault) -> Reply {
    stream().at(Place::AfterHead, fault)
}

/// A stream whose first event is never waited for.
fn stream() -> Reply {
    Answer::new("yes").first_token_after(Duration::from_secs(60)).into()
}

fn body() -> Reply {
    Reply::raw(200, "application/json", "")
}

/// The reply as one gibibyte of gzip that unpacks to 158 times as much: one letter, then "the same 258 times more" again and
/// again, a command of 13 bits.
fn bombed(reply: Reply) -> Reply {
    const HEAD: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff";
    let (block, letter) = ([0, 1, 0], [0, 0, 1, 1, 0, 0, 0, 0]);
    let more = [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0];
    let bits: Vec<u8> = block.into_iter().chain(letter).chain(more.into_iter().cycle()).take(8 * 15).collect();
    let packed: Vec<u8> = bits.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit)).collect();
    // Eight commands are thirteen bytes: from there on the same come again.
    let (start, again) = packed.split_at(2);
    let again: Bytes = again.repeat(8 << 10).into();
    let times = Some((1 << 30) / again.len());
    let start = Fault::Bytes([HEAD, start].concat().into());
    let more = Fault::Repeat { bytes: again, every: Duration::ZERO, times };
    reply.at(Place::AfterHead, start).at(Place::AfterHead, more).wrong_content_encoding("gzip")
}
