//! `backstop strategy new`: writes a project that builds and passes its own tests as it stands.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::super::args::{Language, NewArgs};
use super::super::aside;
use super::super::exit::{Exit, UsageError};
use super::super::paint::{Tone, paint};
use super::{language, template};

/// Longest name, in bytes: what file systems and package managers all take.
const NAME_BYTES: usize = 64;

/// Words that Rust keeps for itself or has crates of.
const RUST_WORDS: [&str; 12] = [
    "std",
    "core",
    "alloc",
    "test",
    "backstop-strategy",
    "serde-json",
    "strsim",
    "wit-bindgen",
    "self",
    "super",
    "crate",
    "proc-macro",
];

/// Writes a project. What is there already stays as it is.
pub(super) fn run(args: &NewArgs) -> anyhow::Result<Exit> {
    check_name(&args.name, args.lang).map_err(UsageError)?;
    let dir = args.path.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let files = template::project(args.lang, &args.name);
    if let Some((path, _)) = files.iter().find(|(path, _)| dir.join(path).symlink_metadata().is_ok()) {
        return Err(UsageError(format!(
            "{} is there already, and nothing is overwritten: name another folder with `--path`",
            dir.join(path).display()
        ))
        .into());
    }
    for (path, content) in &files {
        let path = dir.join(path);
        write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let language = language::name(args.lang);
    aside::tell(&[
        paint(Tone::Good, format_args!("wrote {}: a strategy in {language}, with its tests", dir.display())),
        format!("  cd {} && {}", dir.display(), next_steps(args.lang)),
    ]);
    Ok(Exit::Done)
}

/// What to do first with a project.
fn next_steps(language: Language) -> &'static str {
    match language {
        Language::Rust => "cargo test && backstop strategy build",
        Language::JavaScript => "npm install && npm test && backstop strategy build",
        Language::Python => {
            "python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1 && \
             python3 -m unittest && backstop strategy build"
        }
        Language::C => "make test && backstop strategy build",
    }
}

/// What is wrong with a name, where something is: it becomes a folder, a package of its language, and a file.
fn check_name(name: &str, language: Language) -> Result<(), String> {
    let suggested = suggestion(name);
    let mend = || format!("such as `{suggested}`");
    if name.is_empty() {
        return Err("the name is empty: give it one, such as `thrifty`".to_owned());
    }
    if let Some(odd) = name.chars().find(|&c| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '-') {
        return Err(format!(
            "{name:?} has {odd:?} in it: a name has lower-case letters, digits and dashes, {}",
            mend()
        ));
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.ends_with('-') || name.contains("--") {
        return Err(format!(
            "{name:?} is no name: it begins with a letter, and each dash stands between letters or digits, {}",
            mend()
        ));
    }
    if name.len() > NAME_BYTES {
        return Err(format!("the name has {} letters, and may have {NAME_BYTES}: shorten it", name.len()));
    }
    if language == Language::Rust && RUST_WORDS.contains(&name) {
        return Err(format!("Rust has another meaning for {name:?}: take a name such as `{name}-strategy`"));
    }
    Ok(())
}

/// The name that may have been meant.
fn suggestion(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
    let joined = words.join("-");
    let joined = joined.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    if joined.is_empty() { "thrifty".to_owned() } else { joined.chars().take(NAME_BYTES).collect() }
}

/// Writes a file that must not be there, and the folders on the way to it.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create_new(path)?.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str) -> String {
        check_name(name, Language::Rust).err().unwrap_or_else(|| "taken".to_owned())
    }

    #[test]
    fn takes_what_every_language_takes() {
        assert_eq!(["thrifty", "cheap-2", "a"].map(told), ["taken", "taken", "taken"]);
        assert_eq!(check_name("core", Language::Python), Ok(()));
    }

    #[test]
    fn says_what_is_wrong_with_a_name_and_what_would_do() {
        insta::assert_snapshot!(told(""), @"the name is empty: give it one, such as `thrifty`");
        insta::assert_snapshot!(told("My Strategy"), @r#""My Strategy" has 'M' in it: a name has lower-case letters, digits and dashes, such as `my-strategy`"#);
        insta::assert_snapshot!(told("../up"), @r#""../up" has '.' in it: a name has lower-case letters, digits and dashes, such as `up`"#);
        insta::assert_snapshot!(told("-x"), @r#""-x" is no name: it begins with a letter, and each dash stands between letters or digits, such as `x`"#);
        insta::assert_snapshot!(told("2fast"), @r#""2fast" is no name: it begins with a letter, and each dash stands between letters or digits, such as `fast`"#);
        insta::assert_snapshot!(told("core"), @r#"Rust has another meaning for "core": take a name such as `core-strategy`"#);
        insta::assert_snapshot!(told(&"x".repeat(65)), @"the name has 65 letters, and may have 64: shorten it");
    }
}
