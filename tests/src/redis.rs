//! A real Redis for a test: on a free port, with a folder of its own, killed and started again at will.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use backstop::config::SharedAddress;
use tempfile::TempDir;

/// A running `redis-server`, ended when it is dropped. It writes what it does to a file, every write at once.
#[derive(Debug)]
pub struct Redis {
    folder: TempDir,
    port: u16,
    server: Option<Child>,
}

impl Redis {
    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// Where it does not, or there is none on this machine.
    pub async fn start() -> Self {
        let start = || {
            let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
            let mut redis = Self { folder: TempDir::new().expect("a temporary folder"), port, server: None };
            redis.run();
            redis
        };
        tokio::task::spawn_blocking(start).await.expect("it starts")
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its address, as a configuration has it.
    #[must_use]
    pub fn address(&self) -> SharedAddress {
        let host = "127.0.0.1".to_owned();
        SharedAddress { host, port: self.port, user: None, password: None, database: 0, is_secured: false }
    }

    /// Kills it as it stands.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("it runs");
        server.kill().expect("it can be killed");
        server.wait().expect("it ends");
    }

    /// Starts it again where it was, with what is in its folder.
    ///
    /// # Panics
    /// Where it does not answer.
    pub fn restart(&mut self) {
        self.run();
    }

    /// What is in its folder now: to go back to.
    ///
    /// # Panics
    /// Where it cannot be copied.
    #[must_use]
    pub fn copy(&self) -> TempDir {
        let copy = TempDir::new().expect("a temporary folder");
        copy_folder(self.folder.path(), copy.path());
        copy
    }

    /// Puts what a copy holds in the place of what is there. It must not run.
    ///
    /// # Panics
    /// Where it cannot be copied.
    pub fn go_back_to(&mut self, copy: &TempDir) {
        assert!(self.server.is_none(), "it runs");
        self.lose_everything();
        copy_folder(copy.path(), self.folder.path());
    }

    /// Empties its folder. It must not run.
    ///
    /// # Panics
    /// Where it runs, or the folder cannot be emptied.
    pub fn lose_everything(&mut self) {
        assert!(self.server.is_none(), "it runs");
        for entry in fs::read_dir(self.folder.path()).expect("its folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("it can be removed");
        }
    }

    /// Has `redis-cli` do something, and returns what it prints.
    ///
    /// # Panics
    /// Where it fails.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let port = self.port.to_string();
        let run = Command::new("redis-cli").args(["-p", &port]).args(arguments).output().expect("redis-cli runs");
        String::from_utf8(run.stdout).expect("text").trim().to_owned()
    }

    fn run(&mut self) {
        let (port, folder) = (self.port.to_string(), self.folder.path());
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ]);
        command.arg("--dir").arg(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = command.spawn().unwrap_or_else(|error| match error.kind() {
            ErrorKind::NotFound => panic!("there is no redis-server here: install Debian's package redis-server"),
            _ => panic!("redis-server does not start: {error}"),
        });
        self.server = Some(server);
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        for _ in 0..1_000 {
            if TcpStream::connect(address).is_ok() && self.cli(&["PING"]) == "PONG" {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server does not answer on port {port}");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let path: PathBuf = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            fs::create_dir_all(&target).expect("a folder");
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).expect("it can be copied");
        }
    }
}
