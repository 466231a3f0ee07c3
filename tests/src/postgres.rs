//! A PostgreSQL of a test's own: a real server on a free port, with its data in a folder of its own.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use backstop::config::{LedgerAddress, LedgerTls};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// The user of the database, and its password.
const USER: &str = "backstop";
const PASSWORD: &str = "canary p@ss:w/rd%";

/// How long a server may take to start, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether what is committed has to be on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// It has to: the server will be killed.
    Durable,
    /// It need not.
    Fast,
}

/// A server that runs, or was stopped. It is killed when it is dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    port: u16,
    sync: Sync,
    server: Option<Child>,
}

impl Postgres {
    /// Makes a server with an empty database and starts it.
    ///
    /// # Panics
    /// Where it cannot: then it says which package is missing.
    pub async fn start(sync: Sync) -> Self {
        tokio::task::spawn_blocking(move || Self::made(sync)).await.expect("PostgreSQL starts")
    }

    fn made(sync: Sync) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        // The server runs as somebody else where we are root, which it refuses to be.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a folder others may enter");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a folder for its data");
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("a folder of its own");
        if let Some(user) = other_user() {
            std::os::unix::fs::chown(&data, Some(user), Some(user)).expect("a folder of its user's");
        }
        let password = folder.path().join("password");
        fs::File::create(&password).and_then(|mut file| writeln!(file, "{PASSWORD}")).expect("a file");
        let made = run("initdb", |initdb| {
            initdb.arg("--pgdata").arg(&data).arg("--pwfile").arg(&password);
            initdb.args([
                "--username",
                USER,
                "--auth",
                "scram-sha-256",
                "--encoding",
                "UTF8",
                "--locale",
                "C",
                "--no-sync",
            ]);
        });
        assert!(made.0, "initdb: {}", made.1);
        // Free now, and for a server that is started again.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let mut postgres = Self { folder, port, sync, server: None };
        postgres.start_again();
        postgres
    }

    /// Starts it again on its port, with the data it had.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start_again(&mut self) {
        let data = self.folder.path().join("data");
        let sync = if self.sync == Sync::Durable { "on" } else { "off" };
        let mut command = as_other_user("postgres");
        command.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-k", "", "-p", &self.port.to_string()]);
        command.args(["-c", &format!("fsync={sync}"), "-c", "max_connections=60", "-c", "shared_buffers=16MB"]);
        let log = fs::File::options().create(true).append(true).open(self.folder.path().join("log")).expect("a log");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        self.server = Some(command.spawn().expect("PostgreSQL can be started"));
        let until = Instant::now() + PATIENCE;
        while !self.is_ready() {
            assert!(Instant::now() < until, "PostgreSQL does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn is_ready(&self) -> bool {
        run("pg_isready", |ready| {
            ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        })
        .0
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Its address, as `store.ledger` has it.
    #[must_use]
    pub fn address(&self) -> String {
        self.address_of(USER, PASSWORD, "postgres")
    }

    /// Its address, as the library has it.
    #[must_use]
    pub fn ledger_address(&self) -> LedgerAddress {
        LedgerAddress {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            user: USER.to_owned(),
            password: Some(PASSWORD.into()),
            database: "postgres".to_owned(),
            tls: LedgerTls::Never,
        }
    }

    /// The address of another user or database of its own.
    #[must_use]
    pub fn address_of(&self, user: &str, password: &str, database: &str) -> String {
        let encoded: String = password
            .bytes()
            .map(
                |byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02x}") },
            )
            .collect();
        format!("postgres://{user}:{encoded}@127.0.0.1:{}/{database}", self.port)
    }

    /// Has it secure its connections from its next start on, with a certificate of its own for `localhost`; returns the file with that.
    ///
    /// # Panics
    /// Where none can be made.
    #[must_use]
    pub fn secured(&self) -> PathBuf {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let data = self.folder.path().join("data");
        let (certificate, key) = (self.folder.path().join("server.crt"), data.join("server.key"));
        fs::write(&certificate, made.cert.pem()).expect("a file");
        fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a file of its own");
        if let Some(user) = other_user() {
            std::os::unix::fs::chown(&key, Some(user), Some(user)).expect("a file of its user's");
        }
        let (certificate_file, key) = (certificate.display(), key.display());
        let settings = format!("ssl = on\nssl_cert_file = '{certificate_file}'\nssl_key_file = '{key}'\n");
        fs::write(data.join("postgresql.auto.conf"), settings).expect("its settings");
        certificate
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password in its address.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// A connection that shares nothing with the ones that are tested.
    ///
    /// # Panics
    /// Where it cannot be made.
    pub async fn connect(&self) -> Client {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user(USER).password(PASSWORD).dbname("postgres");
        let (client, connection) = config.connect(NoTls).await.expect("a connection");
        tokio::spawn(connection);
        client
    }

    /// A number that a query returns.
    ///
    /// # Panics
    /// Where it returns none.
    pub async fn number(&self, query: &str) -> i64 {
        self.connect().await.query_one(query, &[]).await.expect("an answer").get(0)
    }

    /// Runs statements.
    ///
    /// # Panics
    /// Where they cannot be run.
    pub async fn run(&self, statements: &str) {
        self.connect().await.batch_execute(statements).await.expect("they are run");
    }

    /// Kills it, with everything it does for anybody, as when its machine loses power.
    ///
    /// # Panics
    /// Where it does not end.
    pub fn kill(&mut self) {
        if self.server.is_none() {
            return;
        }
        let processes = self.processes();
        self.signal("KILL");
        self.server.take().expect("it ran").wait().expect("it ends");
        // All of it is gone before it can be started again.
        let until = Instant::now() + PATIENCE;
        while processes.iter().any(|process| parent_of(*process).is_some()) {
            assert!(Instant::now() < until, "its processes do not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal to all of it: `STOP` makes it a server that is there and says nothing, `CONT` has it go on.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn signal(&self, name: &str) {
        let processes: Vec<String> = self.processes().iter().map(ToString::to_string).collect();
        let told = Command::new("kill").arg(format!("-{name}")).args(&processes).output().expect("kill");
        // One that has ended meanwhile is none to send a signal to.
        assert!(told.status.success() || self.server.is_some(), "{told:?}");
    }

    /// The server's own process, and those it has for its connections.
    fn processes(&self) -> Vec<u32> {
        let server = self.server.as_ref().expect("it runs").id();
        let numbers = fs::read_dir("/proc").expect("/proc").flatten();
        let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let children = numbers.filter(|process| parent_of(*process) == Some(server));
        std::iter::once(server).chain(children).collect()
    }
}

/// The parent of a process that lives; `None` where it does not, or only waits to be counted as dead.
fn parent_of(process: u32) -> Option<u32> {
    let told = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which may hold anything: the state, and the parent.
    let mut words = told.rsplit_once(')')?.1.split_whitespace();
    let state = words.next()?;
    words.next()?.parse().ok().filter(|_| state != "Z" && state != "X")
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Somebody who is not root, where we are: `nobody`.
fn other_user() -> Option<u32> {
    let id = |flag: &str, name: &str| {
        let told = Command::new("id").args([flag, name]).output().expect("id");
        String::from_utf8_lossy(&told.stdout).trim().parse::<u32>().ok()
    };
    let own = Command::new("id").arg("-u").output().expect("id");
    (String::from_utf8_lossy(&own.stdout).trim() == "0").then(|| id("-u", "nobody").expect("the user nobody"))
}

/// A program of PostgreSQL's, run as somebody who may run it, in a group of its own.
fn as_other_user(program: &str) -> Command {
    let mut command = Command::new(found(program));
    if let Some(user) = other_user() {
        command.uid(user).gid(user);
    }
    command.current_dir("/").env_remove("PGDATA");
    command
}

fn run(program: &str, arguments: impl FnOnce(&mut Command)) -> (bool, String) {
    let mut command = as_other_user(program);
    arguments(&mut command);
    let told = command.output().expect("it can be run");
    (told.status.success(), String::from_utf8_lossy(&told.stderr).into_owned())
}

/// Where a program is: the newest of Debian's, which are not on the path, else one that is.
fn found(program: &str) -> PathBuf {
    let mut versions: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    versions.sort_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    let on_path = std::env::var("PATH").unwrap_or_default();
    let folders = versions.into_iter().rev().map(|version| version.join("bin"));
    let mut folders = folders.chain(on_path.split(':').map(PathBuf::from));
    folders.find_map(|folder| Some(folder.join(program)).filter(|path| Path::exists(path))).unwrap_or_else(|| {
        panic!("there is no {program}: these tests need PostgreSQL, which is the package `postgresql` of Debian")
    })
}
