//! A real registry for a test: on a free port, with a folder of its own, stopped and started again at will.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// A running `docker-registry`, ended when it is dropped.
#[derive(Debug)]
pub struct Registry {
    folder: TempDir,
    port: u16,
    server: Option<Child>,
}

impl Registry {
    /// Starts one that lets everybody in, and waits until it answers.
    ///
    /// # Panics
    /// Where it does not, or there is none on this machine.
    #[must_use]
    pub fn start() -> Self {
        Self::of("")
    }

    /// Starts one that lets in whom a line of `htpasswd` names (the password's hash is one of bcrypt).
    ///
    /// # Panics
    /// As [`Registry::start`].
    #[must_use]
    pub fn start_for(line: &str) -> Self {
        Self::of(line)
    }

    fn of(htpasswd: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let folder = TempDir::new().expect("a temporary folder");
        let at = folder.path().display();
        let mut config = format!(
            "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    \
             rootdirectory: {at}/data\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:{port}\n"
        );
        if !htpasswd.is_empty() {
            fs::write(folder.path().join("htpasswd"), htpasswd).expect("the temporary folder can be written to");
            config.push_str(&format!("auth:\n  htpasswd:\n    realm: ours\n    path: {at}/htpasswd\n"));
        }
        fs::write(folder.path().join("config.yml"), config).expect("the temporary folder can be written to");
        let mut registry = Self { folder, port, server: None };
        registry.restart();
        registry
    }

    /// Its host and port.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A reference of something in it, such as `acme/swift:1`.
    #[must_use]
    pub fn reference(&self, name: &str) -> String {
        format!("oci://{}/{name}", self.host())
    }

    /// Stops it; what it has stays.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn stop(&mut self) {
        let mut server = self.server.take().expect("it runs");
        server.kill().expect("it can be killed");
        server.wait().expect("it ends");
    }

    /// Starts it again with what it had.
    ///
    /// # Panics
    /// Where it does not answer.
    pub fn restart(&mut self) {
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(self.folder.path().join("config.yml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = command.spawn().unwrap_or_else(|error| match error.kind() {
            ErrorKind::NotFound => panic!("there is no docker-registry here: install Debian's package docker-registry"),
            _ => panic!("docker-registry does not start: {error}"),
        });
        self.server = Some(server);
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        for _ in 0..1_000 {
            if TcpStream::connect(address).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("docker-registry does not answer on port {}", self.port);
    }

    /// The file in which it has what has this digest (`sha256:…`).
    #[must_use]
    pub fn file_of(&self, digest: &str) -> PathBuf {
        let digits = digest.trim_start_matches("sha256:");
        let (blobs, two) = ("data/docker/registry/v2/blobs/sha256", &digits[..2]);
        self.folder.path().join(blobs).join(two).join(digits).join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
