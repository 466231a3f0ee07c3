//! The wire protocols' names, and where each has its endpoints.

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

    /// The chat endpoint of an API that begins at `base_url`, for one model and either shape of reply. A base that ends with a
    /// part of the endpoint's own path, or with a slash, is understood.
    #[must_use]
    pub fn chat_url(self, base_url: &Url, model: &str, stream: bool) -> Url {
        let (base, endpoint) = self.base_and_endpoint(base_url);
        let mut url = joined(base_url, &base, endpoint);
        if self == Self::Gemini {
            add_gemini_method(&mut url, model, stream);
        }
        url
    }

    /// The embeddings endpoint of an API that begins at `base_url`, in OpenAI's shape: Gemini and Ollama have one of that beside
    /// their own. `None` where there is none at all.
    #[must_use]
    pub fn embeddings_url(self, base_url: &Url) -> Option<Url> {
        let (base, _) = self.base_and_endpoint(base_url);
        let endpoint: &[&str] = match self {
            Self::OpenAi if base.ends_with(&["embeddings"]) => &[],
            Self::OpenAi => &["embeddings"],
            Self::Gemini if has_version(&base) => &["openai", "embeddings"],
            Self::Gemini => &["v1beta", "openai", "embeddings"],
            Self::Ollama => &["v1", "embeddings"],
            Self::Anthropic => return None,
        };
        Some(joined(base_url, &base, endpoint))
    }

    /// A base address without any part of the chat endpoint's own path, and that path.
    fn base_and_endpoint(self, base_url: &Url) -> (Vec<&str>, &'static [&'static str]) {
        let mut base: Vec<&str> = base_url.path().split('/').filter(|part| !part.is_empty()).collect();
        // The OpenAI-compatible half of Ollama's address stands for the whole.
        if self == Self::Ollama && base.ends_with(&["v1"]) {
            base.truncate(base.len() - 1);
        }
        let full: &'static [&'static str] = match self {
            Self::OpenAi => &["chat", "completions"],
            Self::Anthropic => &["v1", "messages"],
            Self::Gemini if has_version(&base) => &["models"],
            Self::Gemini => &["v1beta", "models"],
            Self::Ollama => &["api", "chat"],
        };
        // The longest beginning of the endpoint's path that the base ends with is not added again.
        let there = (0..=full.len()).rev().find(|length| full.get(..*length).is_some_and(|part| base.ends_with(part)));
        base.truncate(base.len() - there.unwrap_or(0));
        (base, full)
    }

    /// Reads a protocol's name.
    pub(super) fn parse(name: &str) -> Read<Self> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, protocol)| *protocol)
            .ok_or_else(|| Fault::words("no such protocol", nearest_or_all(name, &NAMES.map(|(known, _)| known))))
    }
}

/// An address of Gemini's with a version of its own, or (Vertex) a publisher's, has models right below it.
fn has_version(base: &[&str]) -> bool {
    ["v1", "v1alpha", "google"].iter().any(|last| base.ends_with(&[*last]))
}

fn joined(base_url: &Url, base: &[&str], endpoint: &[&str]) -> Url {
    let path: Vec<&str> = base.iter().chain(endpoint).copied().collect();
    let mut url = base_url.clone();
    url.set_path(&path.join("/"));
    url
}

/// Gemini has the model and the shape of the reply in its address.
fn add_gemini_method(url: &mut Url, model: &str, stream: bool) {
    let model = model.strip_prefix("models/").unwrap_or(model);
    let method = if stream { "streamGenerateContent" } else { "generateContent" };
    // Fails only for addresses that have no path; those are no base addresses.
    if let Ok(mut path) = url.path_segments_mut() {
        path.push(&format!("{model}:{method}"));
    }
    if stream {
        url.query_pairs_mut().append_pair("alt", "sse");
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
            ("anthropic", "https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
            ("anthropic", "https://api.anthropic.com/v1/", "https://api.anthropic.com/v1/messages"),
            ("anthropic", "https://x.azure.com/anthropic", "https://x.azure.com/anthropic/v1/messages"),
            ("gemini", "https://g.example", "https://g.example/v1beta/models/m:generateContent"),
            ("gemini", "https://g.example/v1beta/", "https://g.example/v1beta/models/m:generateContent"),
            ("gemini", "https://g.example/v1", "https://g.example/v1/models/m:generateContent"),
            (
                "gemini",
                "https://v.example/v1/projects/p/locations/l/publishers/google",
                "https://v.example/v1/projects/p/locations/l/publishers/google/models/m:generateContent",
            ),
            ("ollama", "http://localhost:11434", "http://localhost:11434/api/chat"),
            ("ollama", "http://localhost:11434/v1", "http://localhost:11434/api/chat"),
            ("ollama", "http://host/ollama/", "http://host/ollama/api/chat"),
        ] {
            let url = Protocol::parse(kind).unwrap().chat_url(&base.parse().unwrap(), "m", false);
            assert_eq!(url.as_str(), expected, "{kind} {base}");
        }
    }

    #[test]
    fn finds_the_embeddings_endpoint_in_openais_shape() {
        for (kind, base, expected) in [
            ("openai", "https://api.openai.com/v1", "https://api.openai.com/v1/embeddings"),
            ("openai", "https://x.example/v1/chat/completions", "https://x.example/v1/embeddings"),
            ("openai", "https://x.example/v1/embeddings/", "https://x.example/v1/embeddings"),
            ("openai", "https://x.azure.com/d/m?api-version=1", "https://x.azure.com/d/m/embeddings?api-version=1"),
            ("gemini", "https://g.example", "https://g.example/v1beta/openai/embeddings"),
            ("gemini", "https://g.example/v1beta", "https://g.example/v1beta/openai/embeddings"),
            ("gemini", "https://g.example/v1alpha", "https://g.example/v1alpha/openai/embeddings"),
            ("ollama", "http://localhost:11434", "http://localhost:11434/v1/embeddings"),
            ("ollama", "http://localhost:11434/v1", "http://localhost:11434/v1/embeddings"),
            ("ollama", "http://host/ollama/api/chat", "http://host/ollama/v1/embeddings"),
        ] {
            let url = Protocol::parse(kind).unwrap().embeddings_url(&base.parse().unwrap());
            assert_eq!(url.unwrap().as_str(), expected, "{kind} {base}");
        }
        assert_eq!(Protocol::Anthropic.embeddings_url(&"https://api.anthropic.com".parse().unwrap()), None);
    }

    #[test]
    fn asks_gemini_for_a_stream_at_an_address_of_its_own() {
        let url = Protocol::Gemini.chat_url(&"https://g.example/?key=k".parse().unwrap(), "models/a/b", true);

        assert_eq!(url.as_str(), "https://g.example/v1beta/models/a%2Fb:streamGenerateContent?key=k&alt=sse");
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
