//! How the tongues of OpenAI-shaped providers differ: one table, looked up by address, else by name.

use url::Url;

/// What of an earlier turn a provider takes back, and what it can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// The fields of an assistant's message beyond OpenAI's own that are taken; `None` where nothing is known of the
    /// provider: it receives what the caller wrote.
    pub takes: Option<&'static [&'static str]>,
    /// What ids of tool calls look like.
    pub ids: ToolIds,
    /// Whether it goes on with an answer that has begun.
    pub prefill: Prefill,
}

/// What ids of tool calls a provider takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolIds {
    /// Up to 40 letters, digits, `_` and `-`.
    Short,
    /// Nine letters and digits, no more and no less.
    Nine,
}

/// How a provider is asked to go on with an answer that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefill {
    /// Not at all: it would begin a new answer.
    Never,
    /// By an assistant's message at the end.
    LastMessage,
    /// By such a message with `"prefix": true`. Mistral repeats the beginning, which the router expects of anyone.
    Marked,
}

struct Known {
    /// What the host's name ends with.
    host: &'static str,
    /// The provider's usual name.
    name: &'static str,
    dialect: Dialect,
}

const fn known(
    host: &'static str,
    name: &'static str,
    takes: &'static [&'static str],
    ids: ToolIds,
    prefill: Prefill,
) -> Known {
    Known { host, name, dialect: Dialect { takes: Some(takes), ids, prefill } }
}

/// From the providers' documentation and what they were recorded to refuse.
const TABLE: &[Known] = &[
    known("api.openai.com", "openai", &[], ToolIds::Short, Prefill::Never),
    known("openai.azure.com", "azure", &[], ToolIds::Short, Prefill::Never),
    known("api.cerebras.ai", "cerebras", &[], ToolIds::Short, Prefill::Never),
    known("api.groq.com", "groq", &["reasoning"], ToolIds::Short, Prefill::LastMessage),
    known("api.together.xyz", "together", &["reasoning", "reasoning_content"], ToolIds::Short, Prefill::Never),
    known("api.fireworks.ai", "fireworks", &["reasoning_content"], ToolIds::Short, Prefill::Never),
    known("openrouter.ai", "openrouter", &["reasoning", "reasoning_details"], ToolIds::Short, Prefill::Never),
    known("api.deepseek.com", "deepseek", &["reasoning_content"], ToolIds::Short, Prefill::Never),
    known("api.deepseek.com/beta", "deepseek-beta", &["reasoning_content"], ToolIds::Short, Prefill::Marked),
    known("api.mistral.ai", "mistral", &[], ToolIds::Nine, Prefill::Marked),
    known("api.x.ai", "xai", &["reasoning_content"], ToolIds::Short, Prefill::Never),
    known("googleapis.com", "gemini", &["extra_content"], ToolIds::Short, Prefill::Never),
];

/// What is assumed of a provider that nothing is known of.
const UNKNOWN: Dialect = Dialect { takes: None, ids: ToolIds::Short, prefill: Prefill::Never };

impl Dialect {
    /// The dialect spoken at an address, or else the one of a provider with that name.
    #[must_use]
    pub fn of(name: &str, base_url: &Url) -> &'static Self {
        let host = base_url.host_str().unwrap_or_default();
        let place = format!("{host}{}", base_url.path().trim_end_matches('/'));
        let at_host =
            |known: &&Known| host == known.host || host.ends_with(&format!(".{}", known.host)) || place == known.host;
        // The last that fits: what names a path comes after its host.
        let found = TABLE.iter().rfind(at_host).or_else(|| TABLE.iter().find(|known| known.name == name));
        found.map_or(&UNKNOWN, |known| &known.dialect)
    }
}
