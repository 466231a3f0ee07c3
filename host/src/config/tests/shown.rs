//! `config show`: complete, with origins, and a configuration again.

use crate::config::{Loaded, PRESETS, show, show_json};

use super::{Folder, loaded};

const RICH: &str = r#"
[providers."my.own"]
base_url = "http://models.example/v1"
allow_insecure = true
models = ["a", { id = "b", tools = false, limits = { tpd = 9 }, price = { input_per_mtok = "1", output_per_mtok = "2", cache_read_per_mtok = "0.1", cache_write_per_mtok = "1.25" } }]
headers = { "X-Title" = "a \"b\" \\ c" }
labels = { "two words" = "x" }
limits = { rpm = 3, burst = 2, rpd = 5, queue = "1500ms", queue_size = 4 }
[cache]
ttl = "90s"
[routes.default]
options = { note = "line\nbreak \u007f", deep = { "a b" = [1, 2.5, {}] } }
fallback_text = "later"
[routes.other]
targets = ["my.own/b"]
[budget]
unknown_price = { input_per_mtok = "5", output_per_mtok = "15" }
"#;

/// The values without their origins.
fn values(loaded: &Loaded) -> Vec<(String, serde_json::Value)> {
    let shown = show_json(loaded);
    let settings = shown["settings"].as_object().unwrap();
    settings.iter().map(|(path, told)| (path.clone(), told["value"].clone())).collect()
}

#[test]
fn shows_every_value_with_its_origin() {
    let folder = Folder::with("[providers.groq]\nmodels = [\"m\"]\n", "GROQ_PRIORITY=2\n");

    let loaded = folder.load(&[("GROQ_API_KEY", "canary"), ("LLM_PROVIDER", "groq")]).unwrap();

    let shown = show(&loaded);
    let beginning: String = shown.lines().take(36).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(beginning, @r#"
    [providers.groq]
    kind = "openai"  # comes with the name
    base_url = "https://api.groq.com/openai/v1"  # comes with the name
    api_key_env = "GROQ_API_KEY"  # set; comes with the name
    models = ["m"]  # backstop.toml:2
    enabled = true  # default
    priority = 2  # .env GROQ_PRIORITY
    local = false  # default
    # price is not set
    timeouts.connect = "5s"  # default
    # timeouts.first_token is not set
    timeouts.idle = "15s"  # default
    timeouts.total = "2m"  # default
    # limits.rpm is not set
    # limits.tpm is not set
    # limits.rpd is not set
    # limits.tpd is not set
    # limits.concurrent is not set
    # limits.burst is not set
    # limits.queue_size is not set
    # limits.queue is not set
    # temperature is not set
    # max_tokens is not set

    [routes.default]
    targets = ["groq"]  # default
    strategy = "smart"  # default
    options.primary = "groq"  # environment LLM_PROVIDER
    # max_attempts is not set
    deadline = "2m"  # default
    on_interrupt = "continue"  # default
    # hold_back is not set
    emergency = true  # environment LLM_PROVIDER
    prefer_for = "0s"  # default
    content_filter = "stop"  # default
    # fallback_text is not set
    "#);
}

#[test]
fn shows_what_comes_from_the_catalogue_and_only_where_it_counts() {
    let models = |toml: &str| {
        let shown = show(&loaded(toml, &[("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")]));
        shown.lines().find(|line| line.starts_with("models = ")).unwrap_or_default().to_owned()
    };

    let shown = [
        "[providers.anthropic]\nmodels = [\"claude-sonnet-4-5\"]\n",
        "[providers.openai]\nmodels = [\"gpt-4o\", \"none-such\", { id = \"gpt-4\", context_window = 9 }]\n",
        "[providers.openai]\nprice = { input_per_mtok = 1, output_per_mtok = 2 }\n",
        "[providers.openai]\nlocal = true\n",
    ]
    .map(models);

    insta::assert_snapshot!(shown.join("\n"), @r#"
    models = ["claude-sonnet-4-5"]  # by the catalogue: claude-sonnet-4-5 ($3.00 in, $15.00 out, $0.30 cache read, $3.75 cache write; above 200000 input tokens $6.00 in, $22.50 out, $0.60 cache read, $7.50 cache write; takes 200000 tokens); backstop.toml:2
    models = ["gpt-4o", "none-such", { id = "gpt-4", context_window = 9 }]  # by the catalogue: gpt-4o ($2.50 in, $10.00 out, $1.25 cache read; takes 128000 tokens), gpt-4 ($30.00 in, $60.00 out); backstop.toml:2
    models = ["gpt-4o-mini"]  # by the catalogue: gpt-4o-mini (takes 128000 tokens); comes with the name
    models = ["gpt-4o-mini"]  # comes with the name
    "#);
}

#[test]
fn shows_a_configuration_that_means_the_same() {
    let key = [("OWN_KEY", "k")];
    for toml in PRESETS.map(|preset| preset.text).into_iter().chain([RICH]) {
        let first = loaded(toml, &key);

        let second = loaded(&show(&first), &key);

        assert_eq!(values(&first), values(&second), "{}", show(&first));
    }
}
