//! The providers Backstop knows by name: what comes with the name.

use super::settings::Protocol;

/// What comes with a known name.
#[derive(Debug, PartialEq, Eq)]
pub struct KnownProvider {
    /// The name.
    pub name: &'static str,
    /// The wire protocol.
    pub kind: Protocol,
    /// Where its API begins.
    pub base_url: &'static str,
    /// The variables that may hold its key, the first that does counts.
    pub key_variables: &'static [&'static str],
    /// The models that are used where nobody names any, in the order they are tried.
    pub models: &'static [&'static str],
    /// The embedding models it has at its own address, where nobody names any.
    pub embedding_models: &'static [&'static str],
    /// Whether it runs on the operator's own machines: no key needed, free of charge.
    pub local: bool,
}

const fn known(
    name: &'static str,
    base_url: &'static str,
    key_variables: &'static [&'static str],
    models: &'static [&'static str],
) -> KnownProvider {
    KnownProvider { name, kind: Protocol::OpenAi, base_url, key_variables, models, embedding_models: &[], local: false }
}

/// All of them, in the order they are asked where no file says another.
pub const KNOWN_PROVIDERS: &[KnownProvider] = &[
    KnownProvider {
        kind: Protocol::Ollama,
        local: true,
        ..known("ollama", "http://localhost:11434", &["OLLAMA_API_KEY"], &["llama3.2"])
    },
    known(
        "cerebras",
        "https://api.cerebras.ai/v1",
        &["CEREBRAS_API_KEY"],
        &["llama-4-scout-17b-16e-instruct", "llama-3.3-70b", "gpt-oss-120b", "llama3.1-8b"],
    ),
    KnownProvider {
        kind: Protocol::Gemini,
        embedding_models: &["gemini-embedding-001"],
        ..known(
            "gemini",
            "https://generativelanguage.googleapis.com",
            &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
            &["gemini-2.5-flash"],
        )
    },
    known(
        "together",
        "https://api.together.xyz/v1",
        &["TOGETHER_API_KEY"],
        &["meta-llama/Llama-3.3-70B-Instruct-Turbo"],
    ),
    known(
        "groq",
        "https://api.groq.com/openai/v1",
        &["GROQ_API_KEY"],
        &["llama-3.3-70b-versatile", "llama-3.1-8b-instant", "openai/gpt-oss-120b"],
    ),
    known(
        "fireworks",
        "https://api.fireworks.ai/inference/v1",
        &["FIREWORKS_API_KEY"],
        &["accounts/fireworks/models/llama-v3p3-70b-instruct"],
    ),
    known(
        "openrouter",
        "https://openrouter.ai/api/v1",
        &["OPENROUTER_API_KEY"],
        &["openai/gpt-4o-mini", "google/gemini-2.5-flash", "meta-llama/llama-3.3-70b-instruct"],
    ),
    KnownProvider {
        embedding_models: &["text-embedding-3-small", "text-embedding-3-large"],
        ..known("openai", "https://api.openai.com/v1", &["OPENAI_API_KEY"], &["gpt-4o-mini"])
    },
    KnownProvider {
        kind: Protocol::Anthropic,
        ..known("anthropic", "https://api.anthropic.com", &["ANTHROPIC_API_KEY"], &["claude-haiku-4-5"])
    },
    known("deepseek", "https://api.deepseek.com", &["DEEPSEEK_API_KEY"], &["deepseek-chat"]),
    KnownProvider {
        embedding_models: &["mistral-embed"],
        ..known("mistral", "https://api.mistral.ai/v1", &["MISTRAL_API_KEY"], &["mistral-small-latest"])
    },
    known("xai", "https://api.x.ai/v1", &["XAI_API_KEY"], &["grok-4-fast"]),
];

impl KnownProvider {
    /// The provider of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        KNOWN_PROVIDERS.iter().find(|known| known.name == name)
    }
}

/// What a provider's variables begin with: `my-proxy` reads `MY_PROXY_MODEL`.
pub(super) fn variable_prefix(name: &str) -> String {
    name.chars().map(|letter| if matches!(letter, '-' | '.') { '_' } else { letter.to_ascii_uppercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::base_url;

    #[test]
    fn keeps_the_order_in_which_the_environment_is_asked() {
        let names: Vec<_> = KNOWN_PROVIDERS.iter().map(|known| known.name).collect();

        let expected =
            "ollama cerebras gemini together groq fireworks openrouter openai anthropic deepseek mistral xai";
        assert_eq!(names.join(" "), expected);
    }

    #[test]
    fn has_a_sound_entry_for_every_name() {
        for known in KNOWN_PROVIDERS {
            assert!(base_url::parse(known.base_url).is_ok(), "{}", known.name);
            assert!(!known.models.is_empty(), "{}", known.name);
            let usual = format!("{}_API_KEY", variable_prefix(known.name));
            assert_eq!(known.key_variables[0], usual);
        }
    }

    #[test]
    fn makes_variable_names_of_any_name() {
        assert_eq!(variable_prefix("my-proxy.v2"), "MY_PROXY_V2");
    }
}
