//! Scripted providers and the real gateway in front of them, for tests that are not in Rust: `stage --help` says all.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::thread;

use backstop_tests::directed::{Flags, HELP, Performance};
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--help") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let performance = match Flags::parse(std::env::args().skip(1)) {
        Ok(flags) => Performance::start(flags).await,
        Err(fault) => Err(format!("{fault}\nstage --help lists the flags")),
    };
    let performance = match performance {
        Ok(performance) => performance,
        Err(fault) => {
            eprintln!("{fault}");
            return ExitCode::from(2);
        }
    };
    let mut stdout = std::io::stdout();
    let said = writeln!(stdout, "{}", performance.announcement()).and_then(|()| stdout.flush());
    if said.is_ok() {
        told_to_end().await;
    }
    let (well, log) = performance.end().await;
    eprint!("{log}");
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Ends when whoever started the stage is gone or says so.
async fn told_to_end() {
    let (sender, closed) = oneshot::channel::<()>();
    // A thread of its own: one of the runtime's would have to be waited for at the end, and a read cannot be ended.
    thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(sender);
    });
    tokio::select! {
        _ = closed => {}
        () = terminated() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};

    signal(SignalKind::terminate()).expect("signals can be listened to").recv().await;
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
