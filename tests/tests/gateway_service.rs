//! The gateway as a service: a port that systemd holds, what systemd is told, the signal to read the configuration anew.

#![cfg(unix)]

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use backstop::scripted::{Answer, Script};
use backstop_tests::{Served, Stage, backstop_binary, exchange, post};

const HI: &str = r#"{"messages":[{"role":"user","content":"hi"}]}"#;

async fn stage() -> Stage {
    let scripts = [("alpha", Script::from(Answer::new("from alpha"))), ("beta", Answer::new("from beta").into())];
    Stage::new(scripts).await.with_route("targets = [\"alpha\"]")
}

#[tokio::test(flavor = "multi_thread")]
async fn serves_at_the_port_it_is_handed_and_tells_when_it_is_ready_and_when_it_stops() {
    let stage = stage().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let told_at = stage.home().join("notify");
    let told = UnixDatagram::bind(&told_at).unwrap();
    told.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let hear = || {
        let mut said = [0; 256];
        let count = told.recv(&mut said).unwrap();
        String::from_utf8_lossy(&said[..count]).into_owned()
    };
    // What systemd does: the port is the first file behind the standard ones.
    let script = "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve";
    let mut child = Command::new("/bin/sh")
        .args(["-c", script])
        .arg(backstop_binary())
        .current_dir(stage.home())
        .env_clear()
        .env("HOME", stage.home())
        .env("ALPHA_API_KEY", Stage::key("alpha"))
        .env("BETA_API_KEY", Stage::key("beta"))
        .env("NOTIFY_SOCKET", &told_at)
        .env("WATCHDOG_USEC", "400000")
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .stdout(Stdio::null())
        .stderr(File::create(stage.home().join("log")).unwrap())
        .spawn()
        .unwrap();

    let ready = hear();
    let reply = exchange(address, &post(HI, &[])).await;
    let alive = [hear(), hear()];
    assert!(Command::new("/bin/sh").args(["-c", &format!("kill -TERM {}", child.id())]).status().unwrap().success());
    let mut last = hear();
    while last.trim() == "WATCHDOG=1" {
        last = hear();
    }
    let ended = child.wait().unwrap();

    assert_eq!(ready.trim(), "READY=1");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(alive.map(|said| said.trim().to_owned()), ["WATCHDOG=1", "WATCHDOG=1"]);
    assert_eq!((last.trim(), ended.code()), ("STOPPING=1", Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_its_configuration_anew_when_it_is_signalled() {
    let stage = stage().await;
    let gateway = Served::start(&stage).await;
    let stage = stage.with_route("targets = [\"beta\"]");

    gateway.signal("HUP");

    while !gateway.send(&post(HI, &[])).await.text().contains("from beta") {
        tokio::task::yield_now().await;
    }
    assert!(stage.attempts()[1] > 0);
    assert!(gateway.stopped().await.contains("the configuration was read anew"));
}
