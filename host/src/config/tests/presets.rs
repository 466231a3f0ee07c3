//! The presets: each is in order and behaves as its system did.

use std::time::Duration;

use serde_json::json;

use crate::config::{BreakerScope, InitError, PRESETS, init, preset};

use super::{Folder, default_route, loaded, models, names, notices};

#[test]
fn loads_every_preset_without_a_word() {
    for preset in PRESETS {
        let loaded = loaded(preset.text, &[]);
        assert_eq!(notices(&loaded), [""; 0], "{}", preset.name);
        assert!(preset.text.starts_with("# "), "{}", preset.name);
    }
}

#[test]
fn chats_about_documents() {
    let config = loaded(preset("document-chat").unwrap(), &[]).config;

    assert_eq!(names(&config), ["together", "groq", "fireworks", "openai"]);
    assert_eq!((config.breaker.failures, config.cooldown.rate_limited), (3, Duration::from_secs(60)));
    assert!(default_route(&config).emergency);
}

#[test]
fn feeds_a_pipeline() {
    let config = loaded(preset("pipeline").unwrap(), &[]).config;

    assert_eq!(names(&config), ["ollama", "openai", "anthropic"]);
    assert_eq!(config.providers.values().map(|provider| provider.priority).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(default_route(&config).max_attempts, Some(3));
    assert_eq!((config.defaults.temperature, config.defaults.max_tokens), (Some(0.7), Some(1_000)));
    assert_eq!(config.budget.daily, Some("50".parse().unwrap()));
    assert_eq!(config.providers["openai"].limits.rpm, Some(60));
    assert!(config.cache.enabled && config.cache.any_temperature);
}

#[test]
fn persists_at_the_terminal() {
    let config = loaded(preset("terminal").unwrap(), &[]).config;

    assert_eq!(names(&config), ["cerebras", "groq", "openrouter"]);
    let cerebras = models(&config.providers["cerebras"]);
    assert_eq!((cerebras.len(), &cerebras[..2]), (4, &["llama-4-scout-17b-16e-instruct", "llama-3.3-70b"][..]));
    let expected = json!({"rotate": false, "attempts": 5, "retries": 4, "base_delay": "2s", "max_delay": "60s",
        "jitter": 0.2, "patience": "60s"});
    assert_eq!(json!(default_route(&config).options), expected);
    assert_eq!((config.breaker.failures, config.retries.floor), (0, 1_000));
}

#[test]
fn swaps_the_task_bots_order_by_its_variable() {
    let loaded = loaded(preset("task-bot").unwrap(), &[("PRIMARY_LLM", "groq")]);

    assert_eq!(names(&loaded.config), ["gemini", "groq"]);
    assert_eq!(json!(default_route(&loaded.config).options), json!({"rotate": false, "primary": "groq"}));
}

#[test]
fn keeps_a_community_bot_answering() {
    let config = loaded(preset("community-bot").unwrap(), &[]).config;

    assert_eq!(models(&config.providers["ollama"]), ["gpt-oss", "llama3.2"]);
    assert_eq!(default_route(&config).prefer_for, Duration::from_secs(1_800));
    assert_eq!((config.breaker.failures, config.breaker.pause), (1, Duration::from_secs(300)));
    assert_eq!(config.breaker.scope, BreakerScope::Provider);
    assert_eq!(config.purposes["moderation"].fields["response_format"], json!({"type": "json_object"}));
}

#[test]
fn writes_a_preset_and_never_over_a_file() {
    let folder = Folder::with("", "");

    let written = init(folder.path(), "terminal").unwrap();
    let again = init(&written, "terminal");

    assert_eq!(written, folder.path().join("backstop.toml"));
    assert_eq!(std::fs::read_to_string(&written).unwrap(), preset("terminal").unwrap());
    assert!(matches!(again, Err(InitError::Exists { .. })));
    let unknown = init(&folder.path().join("x"), "terminl").unwrap_err().to_string();
    assert_eq!(unknown, "no preset \"terminl\"; did you mean terminal?");
}
