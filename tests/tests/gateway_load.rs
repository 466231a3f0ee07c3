//! The gateway under clients that are slow, silent or too many: what they take, and what the others notice (R50, R52, R53).

#![cfg(target_os = "linux")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use backstop::scripted::{Answer, Script};
use backstop_tests::pouring::{EVENTS, PADDING, Pouring};
use backstop_tests::{Answered, HttpReply, Load, Served, Stage, post};
use futures_util::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

const HI: &str = r#"{"messages":[{"role":"user","content":"hi"}]}"#;
const STREAM: &str = r#"{"messages":[{"role":"user","content":"hi"}],"stream":true}"#;

/// Each of these tests measures a whole machine: one at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Raises the number of files this process may have open: each client's connection is one.
fn may_open(files: u64) {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let most = limit.maximum.unwrap_or(u64::MAX);
    assert!(most >= files, "the system lets a process open {most} files, too few for this test: raise its hard limit");
}

async fn answering() -> (Stage, Served) {
    let stage = Stage::new([("alpha", Script::from(Answer::new("yes")))]).await;
    let gateway = Served::start(&stage).await;
    (stage, gateway)
}

/// A client whose kernel keeps little for it.
async fn small(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    socket.connect(address).await.unwrap()
}

// R50
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_little_for_a_thousand_readers_of_a_kilobyte_a_second() {
    let _alone = ALONE.lock().await;
    const READERS: usize = 1_000;
    may_open(4_000);
    let provider = Pouring::start().await;
    let stage = Stage::new([("alpha", Script::new())]).await.with_patience();
    let stage = stage.with_route("targets = [\"pouring\"]\ndeadline = \"600s\"").with_settings(&format!(
        "[providers.pouring]\nbase_url = \"{}\"\nmodels = [\"m\"]\ntimeouts = {{ first_token = \"600s\", idle = \"600s\", total = \"600s\" }}",
        provider.url
    ));
    let gateway = Served::start(&stage).await;
    let before = gateway.resident();

    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut reader = small(gateway.address()).await;
        reader.write_all(&post(STREAM, &[])).await.unwrap();
        readers.push(reader);
    }
    let mut kilobyte = vec![0; 1 << 10];
    for _ in 0..5 {
        for reader in &mut readers {
            assert!(timeout(Duration::from_secs(60), reader.read(&mut kilobyte)).await.unwrap().unwrap() > 0);
        }
        sleep(Duration::from_secs(1)).await;
    }
    let sent = provider.is_held_up().await;
    let (resident, each) = (gateway.resident(), gateway.resident().saturating_sub(before) / READERS);

    println!("{} MiB in all, {} KiB each, {} MiB sent", resident >> 20, each >> 10, sent >> 20);
    assert!(resident <= 600 << 20, "{resident} bytes");
    assert!(each <= 256 << 10, "{each} bytes each");
    assert!(sent < READERS * EVENTS * PADDING / 2, "the provider was not held up: {sent} bytes");
    assert_eq!(gateway.get("/healthz").await.status, 200, "others are served meanwhile");
}

// H32, R53
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closes_two_thousand_connections_that_send_half_a_head_and_serves_the_others() {
    let _alone = ALONE.lock().await;
    may_open(4_000);
    let (_stage, gateway) = answering().await;
    let address = gateway.address();
    let began = Instant::now();
    let mut half_open = Vec::new();
    for number in 0..2_000 {
        let mut client = TcpStream::connect(address).await.unwrap();
        let half = if number % 2 == 0 { "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-a: " } else { "" };
        client.write_all(half.as_bytes()).await.unwrap();
        half_open.push(client);
    }

    let good = exchange_many(address, 50).await;
    let ended = join_all(half_open.iter_mut().map(|client| async {
        let mut rest = Vec::new();
        timeout(Duration::from_secs(20), client.read_to_end(&mut rest)).await.is_ok()
    }))
    .await;
    let took = began.elapsed();

    assert_eq!(good, 50);
    assert!(ended.iter().all(|ended| *ended), "all are closed");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

// H32
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_while_ten_thousand_connections_are_open_that_send_nothing() {
    let _alone = ALONE.lock().await;
    const SILENT: usize = 10_000;
    may_open(13_000);
    let (_stage, gateway) = answering().await;
    let address = gateway.address();

    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let good = exchange_many(address, 50).await;
    let resident = gateway.resident();
    let ended = join_all(silent.iter_mut().map(|client| async {
        let mut rest = Vec::new();
        timeout(Duration::from_secs(30), client.read_to_end(&mut rest)).await.is_ok()
    }))
    .await;

    println!("{} MiB with {SILENT} connections", resident >> 20);
    assert_eq!(good, 50);
    assert!(ended.iter().all(|ended| *ended), "all are closed");
    assert!(resident < 300 << 20, "{resident} bytes");
    assert_eq!(exchange_many(address, 10).await, 10);
}

async fn exchange_many(address: SocketAddr, times: usize) -> usize {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut good = 0;
    for _ in 0..times {
        stream.write_all(&post(HI, &[])).await.unwrap();
        good += usize::from(HttpReply::read(&mut stream).await.status == 200);
    }
    good
}

/// For how long the gateway is overloaded: `BACKSTOP_OVERLOAD_SECONDS`, else a few seconds.
fn overload() -> Duration {
    let seconds = std::env::var("BACKSTOP_OVERLOAD_SECONDS").ok();
    Duration::from_secs(seconds.map_or(6, |seconds| seconds.parse().unwrap()))
}

// R52
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_as_many_under_five_times_as_many_clients_and_turns_the_others_away() {
    let _alone = ALONE.lock().await;
    const PLACES: usize = 20;
    let answer = Answer::new("yes").first_token_after(Duration::from_millis(50));
    let stage = Stage::new([("alpha", Script::from(answer))]).await;
    let stage = stage.with_settings(&format!("[gateway]\nmax_requests = {PLACES}"));
    let gateway = Served::start(&stage).await;
    let address = gateway.address();

    let peak = answered_by(address, PLACES, Duration::from_secs(2)).await;
    let under_load = answered_by(address, 5 * PLACES, overload()).await;
    let resident = gateway.resident();
    let after = answered_by(address, PLACES, Duration::from_secs(2)).await;

    println!("{peak:?} at {PLACES} clients\n{under_load:?} at five times as many\n{after:?} afterwards");
    println!("a second: {:.0}, {:.0}, {:.0}; {} MiB", peak.rate(), under_load.rate(), after.rate(), resident >> 20);
    assert!(peak.answered > 0 && under_load.wrong + peak.wrong + after.wrong == 0, "{peak:?} {under_load:?} {after:?}");
    assert!(under_load.turned_away > under_load.answered && after.turned_away == 0, "{under_load:?} {after:?}");
    // Of a rate that was measured on a busy machine, with all clients in this process: far from 90 % is all that can fail.
    assert!(under_load.rate() > peak.rate() / 2.0, "{peak:?} {under_load:?}");
    assert!(after.rate() > peak.rate() / 2.0, "{peak:?} {after:?}");
    assert!(gateway.resident() < 300 << 20);
}

// R52
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goes_on_answering_four_hundred_clients_at_once_and_is_itself_again_afterwards() {
    let _alone = ALONE.lock().await;
    let (_stage, gateway) = answering().await;
    let address = gateway.address();
    let peak = answered_by(address, 4, Duration::from_secs(2)).await;

    let under_load = answered_by(address, 400, Duration::from_secs(4)).await;
    let after = answered_by(address, 4, Duration::from_secs(2)).await;

    println!("{peak:?} at 4 clients, {under_load:?} at 400, {after:?} at 4 again");
    assert!(peak.answered > 0 && under_load.wrong + peak.wrong + after.wrong == 0, "{peak:?} {under_load:?} {after:?}");
    assert_eq!(under_load.turned_away, 0);
    assert!(under_load.rate() > peak.rate() / 3.0, "{peak:?} {under_load:?}");
    assert!(after.rate() > peak.rate() / 3.0, "{peak:?} {after:?}");
    assert!(gateway.resident() < 300 << 20);
}

// R51
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_five_hundred_requests_a_second_and_each_of_them() {
    let _alone = ALONE.lock().await;
    const REQUESTS: u32 = 1_500;
    let (stage, gateway) = answering().await;
    let provider = stage.provider("alpha").base_url();
    let provider = provider.socket_addrs(|| None).unwrap()[0];

    let direct = at_five_hundred_a_second(provider, REQUESTS).await;
    let through = at_five_hundred_a_second(gateway.address(), REQUESTS).await;

    // How fast is a matter of the machine and of the build: the figures are for whoever reads them.
    let at = |sorted: &[Duration], share: usize| sorted[sorted.len() * share / 100];
    println!("direct p50 {:?}, p99 {:?}", at(&direct, 50), at(&direct, 99));
    println!("through the gateway p50 {:?}, p99 {:?}", at(&through, 50), at(&through, 99));
    assert_eq!(through.len(), REQUESTS as usize);
    assert!(at(&through, 99) < Duration::from_secs(5), "{:?}", at(&through, 99));
}

/// How long each of so many requests took that set out 2 ms apart, whatever became of those before; sorted.
async fn at_five_hundred_a_second(address: SocketAddr, requests: u32) -> Vec<Duration> {
    let began = tokio::time::Instant::now();
    let asked = (0..requests).map(|number| async move {
        tokio::time::sleep_until(began + Duration::from_millis(2) * number).await;
        let set_out = Instant::now();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&post(HI, &[])).await.unwrap();
        let reply = HttpReply::read(&mut stream).await;
        assert!(reply.status == 200 && reply.is_whole, "{}", reply.status);
        set_out.elapsed()
    });
    let mut took = join_all(asked).await;
    took.sort();
    took
}

/// How so many clients fare within a time.
async fn answered_by(address: SocketAddr, clients: usize, time: Duration) -> Answered {
    let load = Load::start(address, clients, HI);
    sleep(time).await;
    load.stop().await
}
