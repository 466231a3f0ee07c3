//! The wire protocols' names, and where each has its chat endpoint.

use url::Url;

use super::problem::{Fault, Read};
use super::section::nearest_or_all;
use super::settings::Protocol;

/// The protocols by their names in the configuration.
const NAMES: [(&str, Protocol); 4] = [
    ("openai", Protocol::OpenAi),
    ("anthropic", Protocol::Anthropic),
    ("gemini", Protocol::Gemini),
    ("ollama", Protocol::Ollama),
];

impl Protocol {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
        }
    }

    /// The OpenAI-compatible chat endpoint of an API that begins at `base_url`. A base that ends with a part of the
    /// endpoint's own path, or with a slash, is understood.
    #[must_use]
    pub fn chat_url(self, base_url: &Url) -> Url {
        let root: &[&str] = match self {
            Self::OpenAi => &[],
            Self::Anthropic | Self::Ollama => &["v1"],
            Self::Gemini => &["v1beta", "openai"],
        };
        let full: Vec<&str> = root.iter().copied().chain(["chat", "completions"]).collect();
        let base = base_url.path().trim_matches('/');
        let base: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
        // The longest beginning of the endpoint's path that the base already ends with is not added again.
        let there = (0..=full.len()).rev().find(|length| full.get(..*length).is_some_and(|part| base.ends_with(part)));
        let missing = full.get(there.unwrap_or(0)..).unwrap_or_default();
        let path: Vec<&str> = base.iter().chain(missing).copied().collect();
        let mut url = base_url.clone();
        url.set_path(&path.join("/"));
        url
    }

    /// Reads a protocol's name.
    pub(super) fn parse(name: &str) -> Read<Self> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, protocol)| *protocol)
            .ok_or_else(|| Fault::words("no such protocol", nearest_or_all(name, &NAMES.map(|(known, _)| known))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_chat_endpoint_of_every_protocol() {
        for (kind, base, expected) in [
            ("openai", "https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
            ("openai", "https://api.openai.com/v1/", "https://api.openai.com/v1/chat/completions"),
            ("openai", "https://api.deepseek.com", "https://api.deepseek.com/chat/completions"),
            ("openai", "https://x.example/v1/chat/completions", "https://x.example/v1/chat/completions"),
            ("openai", "http://localhost:11434/v1/", "http://localhost:11434/v1/chat/completions"),
            (
                "openai",
                "https://x.azure.com/d/m?api-version=1",
                "https://x.azure.com/d/m/chat/completions?api-version=1",
            ),
            ("openai", "http://127.0.0.1:9", "http://127.0.0.1:9/chat/completions"),
            ("openai", "https://x.example/chat", "https://x.example/chat/completions"),
            ("anthropic", "https://api.anthropic.com", "https://api.anthropic.com/v1/chat/completions"),
            ("anthropic", "https://api.anthropic.com/v1/", "https://api.anthropic.com/v1/chat/completions"),
            ("gemini", "https://g.example", "https://g.example/v1beta/openai/chat/completions"),
            ("gemini", "https://g.example/v1beta", "https://g.example/v1beta/openai/chat/completions"),
            ("gemini", "https://g.example/v1beta/openai/", "https://g.example/v1beta/openai/chat/completions"),
            ("ollama", "http://localhost:11434", "http://localhost:11434/v1/chat/completions"),
            ("ollama", "http://localhost:11434/v1", "http://localhost:11434/v1/chat/completions"),
            ("ollama", "http://host/ollama/", "http://host/ollama/v1/chat/completions"),
        ] {
            let url = Protocol::parse(kind).unwrap().chat_url(&base.parse().unwrap());
            assert_eq!(url.as_str(), expected, "{kind} {base}");
        }
    }

    #[test]
    fn reads_the_names_it_writes() {
        for (name, protocol) in NAMES {
            assert_eq!(Protocol::parse(name), Ok(protocol));
            assert_eq!(protocol.name(), name);
        }
    }

    #[test]
    fn suggests_a_protocol() {
        let fault = Protocol::parse("openia").unwrap_err();

        assert_eq!(fault, Fault::words("no such protocol", "did you mean openai?"));
    }
}
