//! `backstop serve` as a process, in front of a stage's providers.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use crate::{Cli, HttpReply, Stage, exchange, post};

/// A running gateway. It is killed when it is dropped.
#[derive(Debug)]
pub struct Served {
    child: Child,
    address: SocketAddr,
    log: Option<JoinHandle<String>>,
}

impl Served {
    /// Starts it on a free port and waits until it listens.
    ///
    /// # Panics
    /// Where it does not.
    pub async fn start(stage: &Stage) -> Self {
        Self::start_as(stage.backstop(["serve", "--listen", "127.0.0.1:0"])).await
    }

    /// Starts it with these arguments and waits until it listens.
    ///
    /// # Panics
    /// Where it does not.
    pub async fn start_with<'a>(stage: &Stage, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Self::start_as(stage.backstop(["serve"]).args(arguments)).await
    }

    /// Starts a run of `serve` and waits until it listens.
    ///
    /// # Panics
    /// Where it does not.
    pub async fn start_as(cli: Cli) -> Self {
        tokio::task::spawn_blocking(|| Self::of(cli.start())).await.expect("it starts")
    }

    fn of(mut child: Child) -> Self {
        let (stdout, mut stderr) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let log = thread::spawn(move || {
            let mut log = String::new();
            let _ = stderr.read_to_string(&mut log);
            log
        });
        let (sender, line) = mpsc::channel();
        thread::spawn(move || {
            let mut first = String::new();
            let _ = BufReader::new(stdout).read_line(&mut first);
            let _ = sender.send(first);
        });
        let line = line.recv_timeout(Duration::from_secs(30)).expect("a line on standard output");
        let address = line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            panic!("it says {line:?} and {}", log.join().expect("its log"));
        };
        Self { child, address, log: Some(log) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bytes of its memory that are in use.
    ///
    /// # Panics
    /// Where the system does not tell.
    #[must_use]
    pub fn resident(&self) -> usize {
        let pages = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).expect("the system tells");
        pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number of pages") * 4096
    }

    /// Posts a chat request.
    pub async fn chat(&self, body: &Value) -> HttpReply {
        self.send(&post(&body.to_string(), &[])).await
    }

    /// Sends bytes.
    pub async fn send(&self, bytes: &[u8]) -> HttpReply {
        exchange(self.address, bytes).await
    }

    /// Asks for a path.
    pub async fn get(&self, path: &str) -> HttpReply {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await
    }

    /// Sends a signal, such as `TERM`.
    ///
    /// # Panics
    /// Where it cannot be sent.
    pub fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("/bin/sh").args(["-c", &command]).status().expect("a shell").success());
    }

    /// Whether it has ended.
    ///
    /// # Panics
    /// Where its status cannot be asked for.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("its status can be asked for").is_some()
    }

    /// Waits for its end: its exit code and its log.
    ///
    /// # Panics
    /// Where its status cannot be asked for.
    pub async fn ended(mut self) -> (Option<i32>, String) {
        tokio::task::spawn_blocking(move || {
            let code = self.child.wait().expect("its status can be asked for").code();
            (code, self.log.take().expect("its log").join().expect("its log"))
        })
        .await
        .expect("it ends")
    }

    /// Ends it by a signal; its log.
    ///
    /// # Panics
    /// Where it does not end well.
    pub async fn stopped(self) -> String {
        self.signal("TERM");
        let (code, log) = self.ended().await;
        assert_eq!(code, Some(0), "{log}");
        log
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
