//! Runs the real binary in a clean environment.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::backstop_binary;

/// One run of a program, not yet begun. The environment is empty but for what is set here.
#[derive(Debug)]
pub struct Cli {
    command: Command,
    stdin: Vec<u8>,
    timeout: Duration,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliRun {
    /// The exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

impl Cli {
    /// `backstop` with these arguments. `home` is the working directory, the home and every platform directory.
    #[must_use]
    pub fn new<'a>(home: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of(backstop_binary(), home).args(arguments)
    }

    /// A run of another program.
    #[must_use]
    pub fn of(program: &Path, home: &Path) -> Self {
        let mut command = Command::new(program);
        command.current_dir(home).env_clear().env("HOME", home).env("NO_COLOR", "1");
        for (variable, folder) in [
            ("XDG_CONFIG_HOME", ".config"),
            ("XDG_DATA_HOME", ".local/share"),
            ("XDG_STATE_HOME", ".local/state"),
            ("XDG_CACHE_HOME", ".cache"),
        ] {
            command.env(variable, home.join(folder));
        }
        Self { command, stdin: Vec::new(), timeout: Duration::from_secs(60) }
    }

    /// Lets it write no file longer than so many blocks of 512 bytes: to write beyond fails, as on a disk that takes no more.
    #[must_use]
    pub fn with_file_limit(mut self, blocks: u64) -> Self {
        let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &limited]).arg(self.command.get_program()).args(self.command.get_args());
        shell.env_clear();
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value {
                shell.env(name, value);
            }
        }
        if let Some(folder) = self.command.get_current_dir() {
            shell.current_dir(folder);
        }
        self.command = shell;
        self
    }

    /// Sets its clock ahead by so much, such as `+5m`, or behind; time passes as it does. Needs the library of `faketime`, without
    /// which the clock shows the true time.
    #[must_use]
    pub fn with_clock(self, by: &str) -> Self {
        self.env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketime.so.1")
            .env("FAKETIME", by)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes a variable.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Gives it this on standard input, which is empty otherwise.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = text.into();
        self
    }

    /// Ends it, and the test with it, after so long. 60 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts it and leaves it running, with nothing on standard input.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[must_use]
    pub fn start(mut self) -> Child {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.spawn().unwrap_or_else(|error| panic!("cannot start {:?}: {error}", self.command))
    }

    /// Runs it to its end, while the runtime goes on serving the scripted providers.
    ///
    /// # Panics
    /// Where it cannot be started, or has not ended in time.
    pub async fn run(self) -> CliRun {
        tokio::task::spawn_blocking(|| self.run_blocking()).await.expect("the run ends")
    }

    /// Runs it to its end on this thread.
    ///
    /// # Panics
    /// Where it cannot be started, or has not ended in time.
    #[must_use]
    pub fn run_blocking(mut self) -> CliRun {
        let begun = Instant::now();
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap_or_else(|error| panic!("cannot start {:?}: {error}", self.command));

        let (mut input, text) = (child.stdin.take().expect("a pipe"), self.stdin);
        thread::spawn(move || {
            // A program need not read its input to the end.
            let _ = input.write_all(&text);
        });
        let stdout = read_to_end(child.stdout.take().expect("a pipe"));
        let stderr = read_to_end(child.stderr.take().expect("a pipe"));

        let deadline = begun + self.timeout;
        let remaining = || deadline.saturating_duration_since(Instant::now());
        let (Ok(stdout), Ok(stderr)) = (stdout.recv_timeout(remaining()), stderr.recv_timeout(remaining())) else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{:?} has not ended within {:?}", self.command, self.timeout);
        };
        let status = child.wait().expect("its status can be asked for");
        CliRun { code: status.code(), stdout: text_of(stdout), stderr: text_of(stderr), took: begun.elapsed() }
    }
}

impl CliRun {
    /// Standard output without its last line break.
    #[must_use]
    pub fn answer(&self) -> &str {
        self.stdout.trim_end()
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// Where it is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON: {error}\n{self:#?}"))
    }
}

fn read_to_end(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("the program writes UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Cli {
        Cli::of(Path::new("/bin/sh"), Path::new("/tmp")).args(["-c", script])
    }

    #[test]
    fn returns_what_was_written_and_the_code() {
        let run = shell("cat; echo oh >&2; exit 3").stdin("hello\n").run_blocking();

        assert_eq!((run.code, run.answer(), run.stderr.as_str()), (Some(3), "hello", "oh\n"));
    }

    #[test]
    fn starts_from_an_empty_environment() {
        let run = shell("env | grep -v -e ^PWD= -e ^OLDPWD= -e ^SHLVL= -e ^_=").env("EXTRA", "1").run_blocking();

        let mut variables: Vec<&str> = run.stdout.lines().collect();
        variables.sort_unstable();
        insta::assert_snapshot!(variables.join("\n"), @r#"
        EXTRA=1
        HOME=/tmp
        NO_COLOR=1
        XDG_CACHE_HOME=/tmp/.cache
        XDG_CONFIG_HOME=/tmp/.config
        XDG_DATA_HOME=/tmp/.local/share
        XDG_STATE_HOME=/tmp/.local/state
        "#);
    }

    #[test]
    #[should_panic(expected = "has not ended within")]
    fn ends_a_run_that_takes_too_long() {
        let _ = shell("exec sleep 600").timeout(Duration::from_millis(50)).run_blocking();
    }
}
