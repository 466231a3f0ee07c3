//! The projects that `strategy new` writes: real files of `guest-strategies/`, which are part of the binary.

use super::super::args::Language;

/// What projects are called in their templates.
const PLACEHOLDER: &str = "my-strategy";

/// A file of a project: its path there, and what is in it.
type File = (&'static str, &'static [u8]);

/// The files of one folder.
macro_rules! files {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../../../guest-strategies/", $folder, "/", $path)))),+]
    };
}

const RUST: &[File] = files!("templates/rust": "Cargo.toml", "README.md", ".gitignore", "rustfmt.toml", "src/lib.rs");

/// The SDK's manifest where it is in no workspace.
const SDK_MANIFEST: File = ("sdk/Cargo.toml", include_bytes!("../../../../guest-strategies/templates/rust/sdk.toml"));

/// The SDK is not on crates.io: a Rust project has a copy of the one of its release.
const SDK: &[File] = files!("sdk":
    "src/ask.rs",
    "src/backoff.rs",
    "src/candidate.rs",
    "src/contract.rs",
    "src/decision.rs",
    "src/failure.rs",
    "src/fallback/mod.rs",
    "src/fallback/options.rs",
    "src/fallback/order.rs",
    "src/fallback/properties.rs",
    "src/fallback/tests.rs",
    "src/fallback/turn.rs",
    "src/guest.rs",
    "src/hedge.rs",
    "src/lib.rs",
    "src/nearest.rs",
    "src/observe.rs",
    "src/options/mod.rs",
    "src/options/schema.rs",
    "src/options/value.rs",
    "src/outcome.rs",
    "src/powers/content.rs",
    "src/powers/log.rs",
    "src/powers/mod.rs",
    "src/powers/state.rs",
    "src/question.rs",
    "src/roster.rs",
    "src/select.rs",
    "src/state.rs",
    "src/strategy.rs",
    "src/testing.rs",
    "src/testing/memory.rs",
    "src/wait.rs",
    "src/words.rs",
    "wit/strategy.wit",
);

const JAVASCRIPT: &[File] =
    files!("templates/js": "package.json", "README.md", ".gitignore", "strategy.js", "strategy.test.js");

const PYTHON: &[File] = files!("templates/python":
    "pyproject.toml",
    "README.md",
    ".gitignore",
    "strategy.py",
    "tests/__init__.py",
    "tests/test_strategy.py",
    "bindings/componentize_py_types.py",
    "bindings/wit_world/__init__.py",
    "bindings/wit_world/exports/__init__.py",
    "bindings/wit_world/exports/about.py",
    "bindings/wit_world/exports/choose.py",
    "bindings/wit_world/imports/__init__.py",
    "bindings/wit_world/imports/types.py",
);

const C: &[File] = files!("templates/c":
    "Makefile",
    "README.md",
    ".gitignore",
    "strategy.c",
    "strategy_test.c",
    "bindings/described_strategy.c",
    "bindings/described_strategy.h",
    "bindings/described_strategy_component_type.o",
);

/// The contract, as every project but Rust's has it at its top; there the SDK has it.
const CONTRACT: &[File] = files!("sdk": "wit/strategy.wit");

/// The files of a project of that name.
pub(super) fn project(language: Language, name: &str) -> Vec<(String, Vec<u8>)> {
    let own = match language {
        Language::Rust => RUST,
        Language::JavaScript => JAVASCRIPT,
        Language::Python => PYTHON,
        Language::C => C,
    };
    let own = own.iter().map(|&(path, content)| (path.to_owned(), called(content, name)));
    let (folder, shared) = match language {
        Language::Rust => ("sdk/", SDK),
        Language::JavaScript | Language::Python | Language::C => ("", CONTRACT),
    };
    let shared = shared.iter().map(|&(path, content)| (format!("{folder}{path}"), content.to_vec()));
    let manifest = (language == Language::Rust).then(|| (SDK_MANIFEST.0.to_owned(), SDK_MANIFEST.1.to_vec()));
    own.chain(shared).chain(manifest).collect()
}

/// A file's content with the project's name in place of the template's; what is no text has no name in it.
fn called(content: &[u8], name: &str) -> Vec<u8> {
    match std::str::from_utf8(content) {
        Ok(text) => text.replace(PLACEHOLDER, name).into_bytes(),
        Err(_) => content.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Every file below a folder, as git would see it.
    fn found(folder: &str) -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-strategies").join(folder);
        let mut folders = vec![root.clone()];
        let mut found = BTreeSet::new();
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                let is_made =
                    ["target", "__pycache__", "node_modules", ".venv", "strategy_test", "Cargo.lock"].contains(&name);
                if is_made || name.ends_with(".wasm") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found
    }

    fn listed(files: &[File]) -> BTreeSet<String> {
        files.iter().map(|(path, _)| (*path).to_owned()).collect()
    }

    #[test]
    fn has_every_file_of_the_templates_and_the_sdk() {
        let without = |name: &'static str, files: BTreeSet<String>| -> BTreeSet<String> {
            files.into_iter().filter(|file| file != name).collect()
        };
        assert_eq!(listed(RUST), without("sdk.toml", found("templates/rust")));
        assert_eq!(listed(JAVASCRIPT), found("templates/js"));
        assert_eq!(listed(PYTHON), found("templates/python"));
        assert_eq!(listed(C), found("templates/c"));
        assert_eq!(listed(SDK), without("Cargo.toml", found("sdk")));
    }

    #[test]
    fn gives_the_sdk_the_dependencies_it_has_here() {
        let here: toml::Table = include_str!("../../../../guest-strategies/Cargo.toml").parse().unwrap();
        let copy: toml::Table = include_str!("../../../../guest-strategies/templates/rust/sdk.toml").parse().unwrap();
        let here = here["workspace"]["dependencies"].as_table().unwrap();

        let dependencies = copy["dependencies"].as_table().unwrap().iter();
        let of_guests = copy["target"]["cfg(target_arch = \"wasm32\")"]["dependencies"].as_table().unwrap().iter();
        let of_tests = copy["dev-dependencies"].as_table().unwrap().iter();

        for (name, dependency) in dependencies.chain(of_guests).chain(of_tests) {
            assert_eq!(dependency, &here[name], "{name}");
        }
    }

    #[test]
    fn puts_the_name_in_place_of_the_templates() {
        for language in Language::ALL {
            let files = project(language, "thrifty");
            let texts: Vec<_> = files.iter().filter_map(|(_, content)| std::str::from_utf8(content).ok()).collect();

            assert!(texts.iter().any(|text| text.contains("thrifty")), "{language:?}");
            assert!(texts.iter().all(|text| !text.contains(PLACEHOLDER)), "{language:?}");
        }
    }
}
