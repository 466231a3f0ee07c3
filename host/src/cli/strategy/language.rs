//! The languages a strategy can be written in, and what tells them apart.

use std::path::Path;

use super::super::args::Language;

/// The language of the project in a folder, by the file every such project has.
pub(super) fn of_project(dir: &Path) -> Option<Language> {
    Language::ALL.into_iter().find(|&language| dir.join(manifest(language)).is_file())
}

/// The file that tells what a project is written in.
pub(super) fn manifest(language: Language) -> &'static str {
    match language {
        Language::Rust => "Cargo.toml",
        Language::JavaScript => "package.json",
        Language::Python => "pyproject.toml",
        Language::C => "strategy.c",
    }
}

/// Its name for people.
pub(super) fn name(language: Language) -> &'static str {
    match language {
        Language::Rust => "Rust",
        Language::JavaScript => "JavaScript",
        Language::Python => "Python",
        Language::C => "C",
    }
}
