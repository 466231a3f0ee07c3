//! Where the file is looked for, and what is read from it.

use std::time::Duration;

use serde_json::json;

use crate::config::{
    BreakerScope, CacheConfig, Credentials, Limits, Power, Protocol, SandboxConfig, Sources, StrategyRef, UnknownPrice,
    load,
};
use crate::types::{NanoUsd, Price};

use super::{Folder, default_route, loaded, models, names, problem};

#[test]
fn looks_for_the_file_in_its_order() {
    let here = Folder::with("[providers.groq]\n", "");
    let user = Folder::with("[providers.openai]\n", "");
    let empty = Folder::with("", "");
    let sources = |directory: &Folder, file: Option<&str>| Sources {
        file: file.map(Into::into),
        user_directory: Some(user.path().to_owned()),
        ..Sources::in_folder(directory.path(), &[])
    };
    std::fs::write(here.path().join("other.toml"), "[providers.xai]\n").unwrap();

    let found = |sources: &Sources| names(&load(sources).unwrap().config).join(",");

    assert_eq!(found(&sources(&here, Some("other.toml"))), "xai");
    assert_eq!(found(&sources(&here, None)), "groq");
    assert_eq!(found(&sources(&empty, None)), "openai");
    assert_eq!(found(&Sources::in_folder(empty.path(), &[])), "");
    assert_eq!(found(&Sources::in_folder(here.path(), &[("BACKSTOP_CONFIG", "other.toml")])), "xai");
}

#[test]
fn names_a_file_that_is_not_there_or_no_file() {
    let folder = Folder::with("", "");
    std::fs::create_dir(folder.path().join("dir.toml")).unwrap();
    let refusal = |file: &str| {
        let sources = Sources { file: Some(file.into()), ..Sources::in_folder(folder.path(), &[]) };
        load(&sources).unwrap_err().problems[0].to_string()
    };

    assert_eq!(refusal("none.toml"), "none.toml: there is no such file; backstop config init writes one");
    assert_eq!(refusal("dir.toml"), "dir.toml: a directory; name a file");
}

#[test]
fn reads_everything_of_a_provider() {
    let toml = r#"
[providers.mine]
kind = "anthropic"
base_url = "https://mine.example/api/"
api_keys_env = ["MINE_1", "MINE_2"]
models = ["a", { id = "b/c", price = { input_per_mtok = 2.50, output_per_mtok = "10" }, context_window = 8192, vision = false, media_tokens = 1600, limits = { rpd = 5 } }]
enabled = true
priority = -3
local = true
price = { input_per_mtok = 1, output_per_mtok = 0.000000001, cache_read_per_mtok = "0.1", cache_write_per_mtok = 1.25 }
timeouts = { connect = "1s", first_token = "2s", idle = "3s", total = "1m30s" }
limits = { rpm = 60, tpm = 60_000, rpd = 5_000, tpd = 900_000, concurrent = 32, burst = 4, queue = "2s", queue_size = 7 }
temperature = 1
max_tokens = 500
headers = { "HTTP-Referer" = "https://x.example" }
labels = { tier = "premium" }
"#;

    let loaded = loaded(toml, &[("MINE_1", "k1"), ("MINE_2", "k2")]);

    let mine = &loaded.config.providers["mine"];
    let dollars = |text: &str| text.parse::<NanoUsd>().unwrap();
    assert_eq!(mine.kind, Protocol::Anthropic);
    assert_eq!(mine.base_url.as_str(), "https://mine.example/api/");
    assert!(matches!(&mine.credentials, Credentials::Keys(keys) if keys.len() == 2 && keys[1].name == "MINE_2"));
    assert_eq!(models(mine), ["a", "b/c"]);
    let price = Price::new(dollars("2.50"), dollars("10"));
    assert_eq!(mine.models[1].price, Some(price));
    assert_eq!((mine.models[1].context_window, mine.models[1].vision, mine.models[1].tools), (Some(8192), false, true));
    assert_eq!(mine.models[1].media_tokens, Some(1_600));
    assert_eq!((mine.priority, mine.local, mine.enabled), (-3, true, true));
    let mut price = Price::new(dollars("1"), NanoUsd::from_nanos(1));
    price.rates.cache_read_per_mtok = Some(dollars("0.1"));
    price.rates.cache_write_per_mtok = Some(dollars("1.25"));
    assert_eq!(mine.price, Some(price));
    assert_eq!(mine.timeouts.first_token, Some(Duration::from_secs(2)));
    assert_eq!(mine.timeouts.total, Duration::from_secs(90));
    let limits = Limits {
        rpm: Some(60),
        tpm: Some(60_000),
        rpd: Some(5_000),
        tpd: Some(900_000),
        concurrent: Some(32),
        burst: Some(4),
        queue: Some(Duration::from_secs(2)),
        queue_size: Some(7),
    };
    assert_eq!((mine.limits, mine.models[0].limits), (limits, Limits::default()));
    assert_eq!(mine.models[1].limits, Limits { rpd: Some(5), ..Limits::default() });
    assert_eq!((mine.defaults.temperature, mine.defaults.max_tokens), (Some(1.0), Some(500)));
    assert_eq!(mine.headers["HTTP-Referer"], "https://x.example");
    assert_eq!(mine.labels["tier"], "premium");
}

#[test]
fn reads_everything_else() {
    let toml = r#"
[providers.a]
base_url = "http://127.0.0.1:1"
models = ["org/m"]
[routes.default]
targets = ["a/org/m", "a"]
strategy = "quality_optimized"
options = { primary = "a", deep = { x = [1, true] } }
max_attempts = 7
deadline = "10s"
on_interrupt = "fail"
emergency = true
prefer_for = "30m"
content_filter = "fall-back"
fallback_text = "later"
[cooldown]
rate_limited = "0s"
[breaker]
failures = 0
success_rate = 0
scope = "provider"
[retries]
ratio = 0.5
floor = 1000
[budget]
per_request_usd = "0.5"
daily_usd = 5
monthly_usd = 50.5
alert_at = 1
tracking = false
unknown_price = { input_per_mtok = "5", output_per_mtok = "15" }
[defaults]
temperature = 0.7
[purposes.title]
max_tokens = 12
[sandbox]
fuel = 20_000_000
memory_mib = 64
compile_cache = false
registry_copies = "copies"
[sandbox.grants]
bandit = ["content"]
"mine/x.wasm" = ["observe", "state"]
[cache]
enabled = true
ttl = "1h"
max_mib = 8
per_key = false
any_temperature = true
"#;

    let config = loaded(toml, &[]).config;

    let route = default_route(&config);
    assert_eq!(route.targets[0].model.as_deref(), Some("org/m"));
    assert_eq!(route.targets[1].model, None);
    assert_eq!(route.strategy.name().as_ref(), "quality");
    assert_eq!(json!(route.options), json!({"primary": "a", "deep": {"x": [1, true]}}));
    assert_eq!((route.max_attempts, route.deadline), (Some(7), Duration::from_secs(10)));
    assert!(route.emergency && route.content_filter_falls_back);
    assert_eq!(route.prefer_for, Duration::from_secs(1_800));
    assert_eq!(route.fallback_text.as_deref(), Some("later"));
    assert_eq!(config.cooldown.rate_limited, Duration::ZERO);
    assert_eq!((config.breaker.failures, config.breaker.scope), (0, BreakerScope::Provider));
    assert_eq!((config.retries.ratio, config.retries.floor), (0.5, 1_000));
    assert_eq!(config.budget.monthly, Some("50.5".parse().unwrap()));
    assert!(matches!(config.budget.unknown_price, UnknownPrice::Assume(_)) && !config.budget.tracking);
    assert_eq!(config.defaults.temperature, Some(0.7));
    assert_eq!(json!(config.purposes["title"].fields), json!({"max_tokens": 12}));
    assert!(config.purposes.contains_key("moderation"));
    assert_eq!((config.sandbox.fuel, config.sandbox.memory), (20_000_000, 64 << 20));
    assert_eq!(config.sandbox.compile_cache, None);
    assert!(config.sandbox.registry.copies.as_ref().unwrap().ends_with("copies"));
    let powers =
        |strategy: &StrategyRef| config.sandbox.powers_of(strategy).iter().map(Power::name).collect::<Vec<_>>();
    let granted: Vec<_> = config.sandbox.grants.iter().map(|(strategy, _)| powers(strategy)).collect();
    assert_eq!(granted, [vec!["observe", "state", "content", "log"], vec!["observe", "state"]]);
    assert_eq!(powers(&StrategyRef::File("yours/x.wasm".into())), [""; 0]);
    let cache = CacheConfig {
        enabled: true,
        ttl: Duration::from_secs(3_600),
        max_bytes: 8 << 20,
        per_key: false,
        any_temperature: true,
    };
    assert_eq!(config.cache, cache);
}

#[test]
fn makes_room_for_interpreters_in_one_line_and_lets_each_bound_say_otherwise() {
    let roomy = loaded("[sandbox]\ninterpreters = true\n", &[]).config.sandbox;
    let tighter = loaded("[sandbox]\nfuel = 7_000_000\ninterpreters = true\nwasi = true\n", &[]).config.sandbox;

    assert_eq!(
        roomy,
        SandboxConfig {
            compile_cache: roomy.compile_cache.clone(),
            registry: roomy.registry.clone(),
            ..SandboxConfig::for_interpreters()
        }
    );
    assert_eq!((tighter.fuel, tighter.memory, tighter.wasi), (7_000_000, 64 << 20, true));
}

// E1
#[test]
fn keeps_the_declared_order() {
    let swapped = loaded("[providers.openai]\n[providers.ollama]\n[providers.groq.limits]\nrpm = 1\n", &[]);

    assert_eq!(names(&swapped.config), ["openai", "ollama", "groq"]);
    let targets: Vec<_> =
        default_route(&swapped.config).targets.iter().map(|target| target.provider.as_str()).collect();
    assert_eq!(targets, ["openai", "ollama", "groq"]);
}

#[test]
fn brings_address_protocol_key_and_models_with_a_known_name() {
    let loaded = loaded("[providers.gemini]\n[providers.ollama]\n", &[("GOOGLE_API_KEY", "k")]);

    let (gemini, ollama) = (&loaded.config.providers["gemini"], &loaded.config.providers["ollama"]);
    assert_eq!(
        (gemini.kind, gemini.base_url.as_str()),
        (Protocol::Gemini, "https://generativelanguage.googleapis.com/")
    );
    assert!(matches!(&gemini.credentials, Credentials::Keys(keys) if keys[0].name == "GOOGLE_API_KEY"));
    assert!(!gemini.models.is_empty());
    assert!(ollama.local && matches!(ollama.credentials, Credentials::NotNeeded));
    assert_eq!(ollama.price.map(|price| price.cost(1_000, 1_000)), Some(NanoUsd::ZERO));
}

#[test]
fn lets_providers_do_without_a_key() {
    let own = "base_url = \"http://127.0.0.1:1/v1\"\nmodels = [\"m\"]\n";

    for toml in [
        format!("[providers.own]\n{own}"),
        format!("[providers.openai]\n{own}api_key_env = \"\"\n"),
        format!("[providers.openai]\n{own}auth = \"none\"\n"),
    ] {
        let loaded = loaded(&toml, &[("OPENAI_API_KEY", "k")]);
        assert!(matches!(loaded.config.providers[0].credentials, Credentials::NotNeeded), "{toml}");
    }
    let known = loaded(&format!("[providers.openai]\n{own}"), &[]);
    assert!(matches!(known.config.providers[0].credentials, Credentials::Missing { .. }));
}

#[test]
fn asks_an_unknown_name_for_address_and_models() {
    let says = problem("[providers.mine]\nmodels = [\"m\"]\n");
    let no_model = problem("[providers.mine]\nbase_url = \"http://127.0.0.1:1\"\n");

    insta::assert_snapshot!(says, @r#"backstop.toml:1: providers.mine.base_url: missing: the name is not a known one; write base_url = "https://...""#);
    insta::assert_snapshot!(no_model, @r#"backstop.toml:1: providers.mine.models: no model; write models = ["gpt-4o"]"#);
}

#[test]
fn adds_no_provider_of_the_environment_to_those_of_the_file() {
    let loaded = loaded("[providers.groq]\n", &[("OPENAI_API_KEY", "k"), ("OLLAMA_HOST", "localhost")]);

    assert_eq!(names(&loaded.config), ["groq"]);
}

#[test]
fn holds_a_primary_to_the_routes_own_targets() {
    let route = |primary: &str| {
        format!(
            "[providers.groq]\n[providers.xai]\n[routes.default]\ntargets = [\"groq\"]\noptions = {{ primary = \"{primary}\" }}\n"
        )
    };

    assert!(default_route(&loaded(&route("groq"), &[]).config).options.contains_key("primary"));
    insta::assert_snapshot!(problem(&route("xai")), @r#"backstop.toml:5: routes.default.options.primary: xai is no target of the route; add it to the route's targets"#);
    insta::assert_snapshot!(problem(&route("grok")), @r#"backstop.toml:5: routes.default.options.primary: there is no provider grok; did you mean groq?"#);
}
