//! What readers who stop reading take of memory, and that their providers are held up with them. In a process of its own, since
//! all of it is measured.

#![cfg(target_os = "linux")]

use std::time::Duration;

use backstop::config::{Config, ProviderConfig, Timeouts};
use backstop::{AnswerStream, Backstop, ChatRequest};
use backstop_tests::pouring::{EVENTS, PADDING, Pouring};
use futures_util::future::join_all;
use url::Url;

/// Readers at a time.
const READERS: usize = 64;

/// The most that one of them may hold of memory.
const MOST_EACH: usize = 256 << 10;

async fn asking(url: Url) -> Backstop {
    let mut config = Config::new();
    let minutes = Duration::from_secs(600);
    let timeouts = Timeouts { connect: minutes, first_token: Some(minutes), idle: minutes, total: minutes };
    config.providers.insert(
        "a".to_owned(),
        ProviderConfig::openai_compatible(url)
            .with_model("m")
            .with_key("TEST_KEY", "sk-test-0123456789")
            .with_timeouts(timeouts),
    );
    config.routes["default"].deadline = minutes;
    Backstop::builder().config(config).build().await.unwrap()
}

/// Opens a stream and reads so many chunks of it.
async fn begin(backstop: &Backstop, chunks: usize) -> AnswerStream {
    let mut stream = backstop.stream(ChatRequest::ask("hi")).await.unwrap();
    for _ in 0..chunks {
        stream.next().await.unwrap().unwrap();
    }
    stream
}

/// The bytes of this process that are in memory.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

// RELIABILITY 50
#[tokio::test]
async fn holds_at_most_256_kib_for_a_reader_who_stops_and_holds_the_provider_up() {
    let provider = Pouring::start().await;
    let backstop = asking(provider.url.clone()).await;
    drop(begin(&backstop, 1).await);
    provider.is_held_up().await;
    // Those who stop at once, and those who were fast until they stopped.
    for chunks in [1, 256] {
        let before = resident();

        let streams = join_all((0..READERS).map(|_| begin(&backstop, chunks))).await;
        let sent = provider.is_held_up().await;

        let each = resident().saturating_sub(before) / READERS;
        println!("{chunks} chunks read: {} KiB each, {} KiB sent", each >> 10, sent >> 10);
        assert!(each <= MOST_EACH, "{chunks} chunks read: {each} bytes each");
        assert!(sent < (READERS + 1) * EVENTS * PADDING, "the provider was not held up");
        let mut streams = streams.into_iter();
        let mut read_on = streams.next().unwrap();
        let mut text = 5 * chunks;
        while let Some(chunk) = read_on.next().await {
            text += chunk.unwrap().text.len();
        }
        assert_eq!(text, 5 * EVENTS, "nothing was lost meanwhile");
        assert_eq!(read_on.finish_reason.as_deref(), Some("stop"));
        drop(streams);
        provider.is_held_up().await;
    }
}
