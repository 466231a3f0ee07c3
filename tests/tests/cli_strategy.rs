//! `backstop strategy ...`: list, inspect, check, build.

use backstop_tests::{Cli, CliRun};
use serde_json::json;
use tempfile::TempDir;

const BUILT_IN: [&str; 9] =
    ["smart", "cost", "quality", "round-robin", "fail-fast", "by-task", "bandit", "hedge", "quota-aware"];

/// A folder with nothing of Backstop's in it.
struct Folder(TempDir);

impl Folder {
    fn empty() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn with_file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.0.path().join(name), content).unwrap();
        self
    }

    fn run(&self, args: &[&str]) -> CliRun {
        Cli::new(self.0.path(), args.iter().copied()).run_blocking()
    }
}

fn assert_code(ran: &CliRun, code: i32) {
    assert_eq!(ran.code, Some(code), "{ran:#?}");
}

#[test]
fn lists_what_is_built_in() {
    let folder = Folder::empty();

    let text = folder.run(&["strategy", "list"]);
    let list = folder.run(&["strategy", "list", "--json"]).json();

    assert_code(&text, 0);
    assert!(BUILT_IN.iter().all(|name| text.stdout.contains(name)), "{}", text.stdout);
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(names, BUILT_IN);
    assert!(list.as_array().unwrap().iter().all(|entry| entry["summary"].as_str().is_some_and(|it| !it.is_empty())));
}

#[test]
fn shows_what_a_strategy_says_of_itself() {
    let folder = Folder::empty();

    let text = folder.run(&["strategy", "inspect", "smart_fallback"]);
    let told = folder.run(&["strategy", "inspect", "smart", "--json"]).json();

    assert_code(&text, 0);
    assert!(text.stdout.contains("JSON schema of the options") && text.stdout.contains("patience"), "{}", text.stdout);
    assert_eq!((&told["description"]["name"], &told["kind"]), (&json!("smart"), &json!("component")));
    assert!(told.pointer("/description/options_schema/properties/patience").is_some(), "{told:#}");
    let imports = told["imports"].as_array().unwrap();
    assert!(imports.iter().all(|import| import.as_str().unwrap().starts_with("backstop:strategy/")), "{told:#}");
}

#[test]
fn finds_no_problem_in_any_built_in_strategy() {
    let folder = Folder::empty();

    for name in BUILT_IN {
        let ran = folder.run(&["strategy", "check", name, "--json"]);
        assert_eq!((ran.code, &ran.json()["passed"]), (Some(0), &json!(true)), "{ran:#?}");
    }
    assert!(folder.run(&["strategy", "check", "smart"]).stdout.contains("no problem found"));
}

#[test]
fn names_what_is_wrong_with_a_file() {
    let folder =
        Folder::empty().with_file("empty.wasm", "").with_file("text.wasm", "(module)").with_file("noise.wasm", [7; 40]);

    for (file, says) in [
        ("empty.wasm", "the file is empty"),
        ("text.wasm", "WebAssembly text"),
        ("noise.wasm", "not WebAssembly"),
        ("missing.wasm", "cannot read missing.wasm"),
    ] {
        let checked = folder.run(&["strategy", "check", file]);
        assert_code(&checked, 1);
        assert!(checked.stderr.contains(says), "{}", checked.stderr);
        assert_code(&folder.run(&["strategy", "inspect", file]), 2);
    }
    assert_code(&folder.run(&["strategy", "check", "smartest"]), 2);
}

#[test]
fn refuses_to_build_what_is_no_project() {
    let folder = Folder::empty();

    let nothing = folder.run(&["strategy", "build"]);

    assert_code(&nothing, 2);
    assert!(
        nothing.stderr.contains("holds no strategy") && nothing.stderr.contains("Cargo.toml"),
        "{}",
        nothing.stderr
    );
}
