//! What ARCHITECTURE.md says always holds, read off the sources: who may read time, open connections, read the environment.

use std::fs;
use std::path::{Path, PathBuf};

/// The host's sources without their tests, each with its path below `host/src`.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if !name.ends_with(".rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            if !name.contains("tests") && !name.contains("fixtures") {
                sources.push((name, shipped));
            }
        }
    }
    sources
}

/// The files outside `allowed` in which one of the words stands.
fn offenders(words: &[&str], allowed: &[&str]) -> Vec<String> {
    let outside = |name: &str| !allowed.iter().any(|allowed| name.starts_with(allowed));
    let says = |text: &str| words.iter().any(|word| text.contains(word));
    sources().into_iter().filter(|(name, text)| outside(name) && says(text)).map(|(name, _)| name).collect()
}

#[test]
fn only_the_clock_reads_time() {
    // A scripted provider stands for the world outside, and a file's age is the file system's.
    let words = ["Instant::now", "Timestamp::now", "SystemTime::now", "tokio::time::sleep"];

    assert_eq!(offenders(&words, &["clock.rs", "scripted/"]), [""; 0]);
}

#[test]
fn only_the_transport_opens_connections() {
    // The gateway accepts connections, and has none of these.
    let words =
        ["hyper_util::client", "hyper::client", "hyper_rustls", "reqwest", "::connect(", "TcpSocket", "UdpSocket"];

    assert_eq!(offenders(&words, &["transport/", "scripted/"]), [""; 0]);
}

#[test]
fn only_the_configuration_reads_the_environment() {
    assert_eq!(offenders(&["env::var", "env::args", "env::current_dir"], &["config/"]), [""; 0]);
}

#[test]
fn provider_code_and_guards_never_await() {
    let waits: Vec<String> = sources()
        .into_iter()
        .filter(|(name, text)| {
            let pure = name.starts_with("provider/") || (name.starts_with("guard/") && name != "guard/mod.rs");
            pure && text.contains(".await")
        })
        .map(|(name, _)| name)
        .collect();

    assert_eq!(waits, [""; 0]);
}

#[test]
fn one_place_alone_is_unsafe() {
    assert_eq!(offenders(&["unsafe {", "unsafe fn", "unsafe impl"], &["strategy/cache.rs"]), [""; 0]);
}

#[test]
fn a_stage_imports_only_those_below_it() {
    let order = [
        "gateway",
        "simulation",
        "client",
        "router",
        "cache",
        "strategy",
        "telemetry",
        "fleet",
        "guard",
        "provider",
        "transport",
        "accounting",
        "shared",
        "config",
    ];
    for (name, text) in sources() {
        let Some(floor) = order.iter().position(|stage| name.starts_with(&format!("{stage}/"))) else { continue };
        for above in order.iter().take(floor) {
            assert!(!text.contains(&format!("use crate::{above}")), "{name} imports {above}, which is above it");
        }
    }
}
