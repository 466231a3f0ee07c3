//! Commented configurations to begin with: a general one, and one for each of five systems Backstop takes the place of.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::load::FILE_NAME;
use super::section::nearest_or_all;

/// A configuration to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// The file, as it is written.
    pub text: &'static str,
}

/// All of them, the general one first.
pub const PRESETS: [Preset; 6] = [
    Preset {
        name: "general",
        summary: "any providers, sensible settings, everything explained",
        text: include_str!("general.toml"),
    },
    Preset {
        name: "document-chat",
        summary: "Together, Groq, Fireworks, OpenAI; a primary, a 60 s cooldown, emergency tries",
        text: include_str!("document-chat.toml"),
    },
    Preset {
        name: "pipeline",
        summary: "Ollama, OpenAI, Anthropic with prices, limits and budgets",
        text: include_str!("pipeline.toml"),
    },
    Preset {
        name: "terminal",
        summary: "Cerebras, Groq, OpenRouter with several models each and patient retries",
        text: include_str!("terminal.toml"),
    },
    Preset { name: "task-bot", summary: "Gemini, then Groq", text: include_str!("task-bot.toml") },
    Preset {
        name: "community-bot",
        summary: "Ollama, then OpenAI; the one that worked is preferred for half an hour",
        text: include_str!("community-bot.toml"),
    },
];

/// Why no configuration was written.
#[derive(Debug, Error)]
pub enum InitError {
    /// There is none of that name.
    #[error("no preset {name:?}; {mend}")]
    UnknownPreset {
        /// The name.
        name: String,
        /// The nearest, or all there are.
        mend: String,
    },
    /// A file is there already; it is left alone.
    #[error("{} is there already; move it away, or name another file", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The text of a preset.
#[must_use]
pub fn preset(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|preset| preset.name == name).map(|preset| preset.text)
}

/// Writes a preset to a file, or as `backstop.toml` into a folder, and returns the file's path.
///
/// # Errors
/// When there is no such preset, something of that name is there already, or the file cannot be written.
pub fn init(path: &Path, name: &str) -> Result<PathBuf, InitError> {
    let text = preset(name).ok_or_else(|| InitError::UnknownPreset {
        name: name.to_owned(),
        mend: nearest_or_all(name, &PRESETS.map(|preset| preset.name)),
    })?;
    let path = if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() };
    let opened = OpenOptions::new().write(true).create_new(true).open(&path);
    match opened.and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(InitError::Exists { path }),
        Err(source) => Err(InitError::Unwritable { path, source }),
    }
}
