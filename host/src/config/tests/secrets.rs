//! A key shows nowhere: not in a configuration's `Debug`, not in what is shown of it, not in what is wrong with it.

use crate::config::{Sources, load, show, show_json};

use super::Folder;

const CANARY: &str = "canary7f3a";

fn assert_hidden(shown: &str) {
    assert!(!shown.contains(CANARY), "{shown}");
}

#[test]
fn hides_keys_of_a_configuration_in_order() {
    let folder = Folder::with("[providers.groq]\n[providers.openai]\n", &format!("GROQ_API_KEY=gsk_{CANARY}\n"));
    let key = format!("sk-{CANARY}");
    let headers = format!("authorization=Bearer%20{CANARY}");
    let collector = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example");
    let variables = [("OPENAI_API_KEY", key.as_str()), collector, ("OTEL_EXPORTER_OTLP_HEADERS", headers.as_str())];
    let sources = Sources::in_folder(folder.path(), &variables);

    let loaded = load(&sources).unwrap();

    assert_hidden(&format!("{sources:?}"));
    assert_hidden(&format!("{loaded:?}"));
    assert_hidden(&format!("{loaded:#?}"));
    assert_hidden(&show(&loaded));
    assert!(show(&loaded).contains("with the headers authorization"), "{}", show(&loaded));
    assert_hidden(&show_json(&loaded).to_string());
}

#[test]
fn hides_keys_wherever_they_were_put_by_mistake() {
    for line in [
        "api_key = \"KEY\"",
        "api_key = [\"KEY\"]",
        "api_keys = [\"KEY\"]",
        "key = \"KEY\"",
        "api_key_env = \"sk-KEY\"",
        "api_key_env = \"gsk_KEY\"",
        "api_key_env = [\"gsk_KEY\"]",
        "api_keys_env = [\"KEY\"]",
        "api_keys_env = \"KEY\"",
        "auth = \"KEY\"",
        "apikey = \"KEY\"",
        "headers = { Authorization = \"Bearer KEY\" }",
        "headers = { \"X-Api-Key\" = \"KEY\" }",
        "headers = { Host = \"KEY\" }",
        "base_url = \"https://user:KEY@x.example\"",
        "base_url = \"user:KEY@x.example\"",
        "base_url = \"https://x.example/v1?key=KEY\"",
        "base_url = \"https://x.example:99999/?key=KEY\"",
    ] {
        let toml = format!("[providers.groq]\n{}\n", line.replace("KEY", CANARY));
        let error = Folder::with(&toml, "").load(&[]).expect_err(line);
        assert_hidden(&error.to_string());
        assert_hidden(&format!("{error:?}"));
    }
    let store = format!("[store]\nshared = \"redis://:{CANARY}@localhost/{CANARY}\"\n");
    assert_hidden(&Folder::with(&store, "").load(&[]).unwrap_err().to_string());
}

#[test]
fn hides_keys_in_what_is_wrong_with_variables() {
    let broken = format!("OPENAI_API_KEY=\"{CANARY}\\n{CANARY}\"\nGROQ KEY {CANARY}\nXAI_API_KEY='{CANARY}\n");
    let address = format!("https://user:{CANARY}@x.example");

    let variables = [("OPENAI_BASE_URL", address.as_str()), ("OTEL_EXPORTER_OTLP_HEADERS", CANARY)];
    let error = Folder::with("", &broken).load(&variables).unwrap_err();

    assert!(error.problems.len() >= 4, "{error}");
    assert_hidden(&error.to_string());
    assert_hidden(&format!("{error:?}"));
}
