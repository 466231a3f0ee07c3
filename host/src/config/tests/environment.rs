//! The variables of the five systems: each changes exactly what it should.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::config::show::show_json;
use crate::config::{Credentials, Loaded, Override, Overrides, Sources, load};

use super::{Folder, default_route, loaded, models, names, notices, problems};

/// The providers of the pipeline.
const PIPELINE: &str = "[providers.ollama]\n[providers.openai]\n[providers.anthropic]\n[cache]\nenabled = true\n";

fn values(loaded: &Loaded) -> serde_json::Map<String, Value> {
    let shown = show_json(loaded);
    let settings = shown["settings"].as_object().unwrap();
    settings.iter().map(|(path, told)| (path.clone(), told["value"].clone())).collect()
}

/// What a variable changes, as `path = value`.
fn changes(toml: &str, variable: &str, value: &str) -> Vec<String> {
    let (before, after) = (values(&loaded(toml, &[])), values(&loaded(toml, &[(variable, value)])));
    let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    changed.map(|path| format!("{path} = {}", after.get(path).unwrap_or(&Value::Null))).collect()
}

// B2, E7
#[test]
fn changes_with_every_variable_what_it_names() {
    for (variable, value, expected) in [
        ("LLM_FALLBACK_STRATEGY", "cost_optimized", "routes.default.strategy = \"cost\""),
        ("LLM_MAX_FALLBACK_ATTEMPTS", "3", "routes.default.max_attempts = 3"),
        ("LLM_DEFAULT_TEMPERATURE", "0.7", "defaults.temperature = 0.7"),
        ("LLM_DEFAULT_MAX_TOKENS", "1000", "defaults.max_tokens = 1000"),
        ("LLM_ENABLE_CACHING", "false", "cache.enabled = false"),
        ("LLM_LOG_REQUESTS", "false", "gateway.log_requests = false"),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://127.0.0.1:4318",
            "telemetry.otlp_endpoint = \"http://127.0.0.1:4318/\"",
        ),
        ("OTEL_SERVICE_NAME", "front", "telemetry.service_name = \"front\""),
        ("LLM_MAX_COST_PER_REQUEST", "1.0", "budget.per_request_usd = \"1.00\""),
        ("LLM_DAILY_COST_LIMIT", "50.0", "budget.daily_usd = \"50.00\""),
        ("LLM_MONTHLY_COST_LIMIT", "1000.0", "budget.monthly_usd = \"1000.00\""),
        ("LLM_COST_TRACKING", "false", "budget.tracking = false"),
        ("LLM_BUDGET_ALERT_THRESHOLD", "0.9", "budget.alert_at = 0.9"),
        ("OPENAI_MODEL", "gpt-4", "providers.openai.models = [\"gpt-4\"]"),
        ("OPENAI_MODEL", "gpt-4, gpt-5", "providers.openai.models = [\"gpt-4\",\"gpt-5\"]"),
        ("OPENAI_MODEL_NAME", "gpt-4-turbo", "providers.openai.models = [\"gpt-4-turbo\"]"),
        ("OPENAI_TIMEOUT", "30", "providers.openai.timeouts.total = \"30s\""),
        ("OPENAI_RATE_LIMIT_RPM", "60", "providers.openai.limits.rpm = 60"),
        ("ANTHROPIC_RATE_LIMIT_TPM", "100000", "providers.anthropic.limits.tpm = 100000"),
        (
            "OPENAI_COST_PER_1K_TOKENS",
            "0.03",
            "providers.openai.price = {\"input_per_mtok\":\"30.00\",\"output_per_mtok\":\"30.00\"}",
        ),
        ("OPENAI_PRIORITY", "2", "providers.openai.priority = 2"),
        ("OPENAI_MAX_RETRIES", "3", "routes.default.options.retries = 3"),
        ("OLLAMA_RETRY_DELAY", "0.5", "routes.default.options.base_delay = \"500ms\""),
        ("OLLAMA_HOST", "http://127.0.0.1:9", "providers.ollama.base_url = \"http://127.0.0.1:9/\""),
        ("OLLAMA_URL", "gpu:9", "providers.ollama.base_url = \"http://gpu:9/\""),
        ("OLLAMA_MODEL_NAME", "llama3.1", "providers.ollama.models = [\"llama3.1\"]"),
        ("OLLAMA_TIMEOUT", "60", "providers.ollama.timeouts.total = \"1m\""),
        ("PRIMARY_LLM", "openai", "routes.default.options.primary = \"openai\""),
    ] {
        assert_eq!(changes(PIPELINE, variable, value), [expected], "{variable}={value}");
    }
    // Whoever is at another address may not have the usual embedding models.
    let moved = ["providers.openai.base_url = \"http://127.0.0.1:9/v1\"", "providers.openai.embedding_models = null"];
    assert_eq!(changes(PIPELINE, "OPENAI_BASE_URL", "http://127.0.0.1:9/v1"), moved);
}

// B2, B7
#[test]
fn keeps_replies_of_any_temperature_where_the_variable_turns_caching_on_unless_the_file_says_otherwise() {
    let own_word = "[providers.openai]\n[cache]\nany_temperature = false\n";

    let by_variable = changes("[providers.openai]\n", "LLM_ENABLE_CACHING", "true");
    let beside_the_file = changes(own_word, "LLM_ENABLE_CACHING", "true");

    assert_eq!(by_variable, ["cache.any_temperature = true", "cache.enabled = true"]);
    assert_eq!(beside_the_file, ["cache.enabled = true"]);
}

#[test]
fn takes_nothing_for_not_set() {
    assert!(changes(PIPELINE, "OPENAI_BASE_URL", "").is_empty());
    assert!(changes(PIPELINE, "OPENAI_PRIORITY", "  ").is_empty());
}

// A1
#[test]
fn tries_the_named_provider_first_and_everything_in_an_emergency() {
    let named = changes(PIPELINE, "LLM_PROVIDER", "Anthropic");
    let calm = format!("{PIPELINE}[routes.default]\nemergency = false\n");

    assert_eq!(named, ["routes.default.emergency = true", "routes.default.options.primary = \"anthropic\""]);
    assert_eq!(changes(&calm, "LLM_PROVIDER", "openai"), ["routes.default.options.primary = \"openai\""]);
}

#[test]
fn switches_a_provider_off() {
    let loaded = loaded(PIPELINE, &[("OPENAI_ENABLED", "false")]);

    assert!(!loaded.config.providers["openai"].enabled);
    let targets: Vec<_> = default_route(&loaded.config).targets.iter().map(|target| &target.provider).collect();
    assert_eq!(targets, ["ollama", "anthropic"]);
}

#[test]
fn wins_over_the_file_and_keeps_what_the_file_says_of_a_model() {
    let toml = "[providers.groq]\npriority = 1\nmodels = [{ id = \"a\", vision = false }, \"b\"]\n";

    let loaded = loaded(toml, &[("GROQ_PRIORITY", "9"), ("GROQ_MODEL", "c,a")]);

    let groq = &loaded.config.providers["groq"];
    assert_eq!((groq.priority, models(groq)), (9, vec!["c", "a"]));
    assert!(!groq.models[1].vision && groq.models[0].vision);
    assert_eq!(loaded.origins.of("providers.groq.priority").to_string(), "environment GROQ_PRIORITY");
}

#[test]
fn counts_providers_where_the_older_systems_do() {
    let toml = "[providers.ollama]\n[providers.openai]\n";
    let variables = [
        ("LLM_MAX_FALLBACK_ATTEMPTS", "3"),
        ("OPENAI_MAX_RETRIES", "3"),
        ("OLLAMA_MAX_RETRIES", "2"),
        ("OPENAI_RETRY_DELAY", "1.0"),
        ("OLLAMA_RETRY_DELAY", "0.5"),
    ];

    let loaded = loaded(toml, &variables);

    let route = default_route(&loaded.config);
    assert_eq!(json!(route.options), json!({"retries": 3, "base_delay": "500ms"}));
    assert_eq!(route.max_attempts, Some(12));
}

#[test]
fn makes_room_for_many_retries() {
    let loaded = loaded("[providers.ollama]\n", &[("OLLAMA_MAX_RETRIES", "7")]);

    assert_eq!(json!(default_route(&loaded.config).options), json!({"attempts": 8, "retries": 7}));
}

// A6, A9
#[test]
fn is_a_configuration_without_a_file() {
    let variables = [
        ("OPENAI_API_KEY", "k1"),
        ("TOGETHER_API_KEY", "your_actual_together_api_key"),
        ("GROQ_API_KEY", "k2"),
        ("GROQ_MODEL", "llama3-8b-8192"),
        ("OLLAMA_MODEL", "llama3:8b"),
    ];

    let loaded = loaded("", &variables);

    assert_eq!(names(&loaded.config), ["ollama", "together", "groq", "openai"]);
    assert_eq!(models(&loaded.config.providers["groq"]), ["llama3-8b-8192"]);
    let together = &loaded.config.providers["together"].credentials;
    assert!(matches!(together, Credentials::Missing { placeholder: Some(name), .. } if name == "TOGETHER_API_KEY"));
    assert_eq!(notices(&loaded), ["environment TOGETHER_API_KEY: holds a placeholder instead of a key for together"]);
    assert!(loaded.require_provider().is_ok());
}

// C6
#[test]
fn reads_dot_env_under_the_environment() {
    let folder = Folder::with("", "GROQ_API_KEY=file\nXAI_API_KEY='file'\nLLM_PROVIDER=xai\n");

    let loaded = folder.load(&[("LLM_PROVIDER", "groq")]).unwrap();

    assert_eq!(names(&loaded.config), ["groq", "xai"]);
    assert_eq!(default_route(&loaded.config).options["primary"], "groq");
    assert_eq!(loaded.origins.of("routes.default.options.primary").to_string(), "environment LLM_PROVIDER");
}

// C9
#[test]
fn names_the_variables_that_would_bring_a_provider() {
    let nothing = loaded("", &[]).require_provider().unwrap_err();
    let placeholder = loaded("", &[("OPENAI_API_KEY", "changeme")]).require_provider().unwrap_err();
    let of_file = loaded("[providers.groq]\n[providers.gemini]\n", &[]).require_provider().unwrap_err();

    insta::assert_snapshot!(nothing, @r#"
    the configuration has 1 problem:
      no provider has a key; set one of CEREBRAS_API_KEY, GEMINI_API_KEY, TOGETHER_API_KEY, GROQ_API_KEY, FIREWORKS_API_KEY, OPENROUTER_API_KEY, OPENAI_API_KEY, ANTHROPIC_API_KEY, DEEPSEEK_API_KEY, MISTRAL_API_KEY, XAI_API_KEY in the environment or in .env, or write a backstop.toml (backstop config init)
    "#);
    insta::assert_snapshot!(placeholder, @r#"
    the configuration has 1 problem:
      no provider has a key (OPENAI_API_KEY is still a placeholder); set one of CEREBRAS_API_KEY, GEMINI_API_KEY, TOGETHER_API_KEY, GROQ_API_KEY, FIREWORKS_API_KEY, OPENROUTER_API_KEY, OPENAI_API_KEY, ANTHROPIC_API_KEY, DEEPSEEK_API_KEY, MISTRAL_API_KEY, XAI_API_KEY in the environment or in .env, or write a backstop.toml (backstop config init)
    "#);
    insta::assert_snapshot!(of_file, @r#"
    the configuration has 1 problem:
      no provider has a key; set one of GROQ_API_KEY, GEMINI_API_KEY, GOOGLE_API_KEY in the environment or in .env, or write a backstop.toml (backstop config init)
    "#);
}

#[test]
fn names_the_variable_that_is_wrong_and_where_it_stands() {
    let folder = Folder::with(PIPELINE, "OPENAI_TIMEOUT=soon\nLLM_PROVIDER=opnai\n");
    let variables = [
        ("LLM_MAX_FALLBACK_ATTEMPTS", "0"),
        ("OPENAI_PRIORITY", "high"),
        ("LLM_BUDGET_ALERT_THRESHOLD", "80"),
        ("LLM_DAILY_COST_LIMIT", "$50"),
        ("OPENAI_RATE_LIMIT_RPM", "0"),
        ("LLM_COST_TRACKING", "maybe"),
        ("LLM_FALLBACK_STRATEGY", "smart_falback"),
    ];

    let error = folder.load(&variables).unwrap_err();

    insta::assert_snapshot!(error, @r#"
    the configuration has 9 problems:
      environment: LLM_FALLBACK_STRATEGY = "smart_falback": no built-in strategy, no path that ends in .wasm, and no oci:// reference; did you mean smart_fallback?
      environment: LLM_MAX_FALLBACK_ATTEMPTS = "0": must be from 1 to 100; write LLM_MAX_FALLBACK_ATTEMPTS=2
      environment: LLM_DAILY_COST_LIMIT = "$50": not a plain decimal number of dollars; write LLM_DAILY_COST_LIMIT=2.50
      environment: LLM_COST_TRACKING = "maybe": neither true nor false; write LLM_COST_TRACKING=true
      environment: LLM_BUDGET_ALERT_THRESHOLD = "80": must be from 0 to 1; write LLM_BUDGET_ALERT_THRESHOLD=0.8
      environment: OPENAI_PRIORITY = "high": not a whole number; write OPENAI_PRIORITY=2
      .env: OPENAI_TIMEOUT = "soon": not a length of time; write OPENAI_TIMEOUT=30s
      environment: OPENAI_RATE_LIMIT_RPM = "0": must be from 1 to 4294967295; write OPENAI_RATE_LIMIT_RPM=2
      .env: LLM_PROVIDER = "opnai": there is no such provider; did you mean openai?
    "#);
}

#[test]
fn takes_a_provider_named_as_primary_into_account_though_it_has_no_key() {
    let loaded = loaded("", &[("LLM_PROVIDER", "together"), ("GROQ_API_KEY", "k")]);

    assert_eq!(names(&loaded.config), ["together", "groq"]);
    assert!(!loaded.config.providers["together"].credentials.are_usable());
}

#[test]
fn refuses_a_primary_that_is_nowhere() {
    let problems = problems("[providers.groq]\n", &[("PRIMARY_LLM", "gemini")]);

    assert_eq!(problems, ["environment: PRIMARY_LLM = \"gemini\": there is no such provider; there is: groq"]);
}

#[test]
fn lets_llm_provider_count_where_both_are_set() {
    let loaded = loaded(PIPELINE, &[("LLM_PROVIDER", "openai"), ("PRIMARY_LLM", "ollama")]);

    assert_eq!(default_route(&loaded.config).options["primary"], "openai");
    assert_eq!(notices(&loaded), ["environment PRIMARY_LLM: LLM_PROVIDER names another provider, and counts"]);
}

#[test]
fn leaves_the_options_of_a_strategy_of_ones_own_alone() {
    let folder = Folder::with("[providers.groq]\n[routes.default]\nstrategy = \"s.wasm\"\n", "");
    std::fs::write(folder.path().join("s.wasm"), "").unwrap();

    let loaded = folder.load(&[("LLM_PROVIDER", "groq"), ("GROQ_MAX_RETRIES", "3")]).unwrap();

    assert!(default_route(&loaded.config).options.is_empty());
    assert_eq!(loaded.notices.len(), 2);
}

#[test]
fn lets_flags_win_over_everything() {
    let folder = Folder::with(PIPELINE, "");
    let overrides = Overrides::default()
        .with("--strategy", Override::Strategy("cost".into()))
        .with("--base-delay", Override::Option { name: "base_delay".into(), value: json!("2s") })
        .with("--max-tokens", Override::MaxTokens(500));
    let variables = [("LLM_FALLBACK_STRATEGY", "quality"), ("LLM_DEFAULT_MAX_TOKENS", "9")];

    let loaded = load(&Sources { overrides, ..Sources::in_folder(folder.path(), &variables) }).unwrap();

    let route = default_route(&loaded.config);
    assert_eq!(route.strategy.name().as_ref(), "cost");
    assert_eq!(json!(route.options), json!({"base_delay": "2s"}));
    assert_eq!(loaded.config.defaults.max_tokens, Some(500));
    assert_eq!(loaded.origins.of("defaults.max_tokens").to_string(), "flag --max-tokens");
}

#[test]
fn names_the_flag_that_is_wrong() {
    let folder = Folder::with(PIPELINE, "");
    let overrides = Overrides::default()
        .with("--strategy", Override::Strategy("cots".into()))
        .with("--attempts", Override::MaxAttempts(0));

    let error = load(&Sources { overrides, ..Sources::in_folder(folder.path(), &[]) }).unwrap_err();

    insta::assert_snapshot!(error, @r#"
    the configuration has 2 problems:
      --strategy = "cots": no built-in strategy, no path that ends in .wasm, and no oci:// reference; did you mean cost?
      --attempts = 0: must be from 1 to 100; write --attempts 2
    "#);
}

#[test]
fn sends_no_header_of_a_collector_unencrypted_and_says_which_protocol_it_speaks() {
    let to = |endpoint| ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=k");

    let told = problems("", &[to("http://collector.example:4318"), headers]);
    let sound = loaded(PIPELINE, &[to("http://127.0.0.1:4317"), headers, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);

    assert!(told.iter().any(|problem| problem.contains("the headers would travel unencrypted")), "{told:?}");
    assert_eq!(
        notices(&sound),
        ["environment OTEL_EXPORTER_OTLP_PROTOCOL: has no effect: http/protobuf is spoken, mostly at port 4318"]
    );
}
