//! A few scripted providers, and a folder with a configuration that names them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use backstop::scripted::{Script, ScriptedProvider};
use tempfile::TempDir;

use crate::Cli;

/// Providers on real sockets and the folder Backstop is run in. Everything ends when it is dropped.
#[derive(Debug)]
pub struct Stage {
    home: TempDir,
    actors: Vec<Actor>,
    timeouts: String,
    route: String,
    more: String,
}

/// A provider, and how the configuration has it.
#[derive(Debug)]
struct Actor {
    name: String,
    kind: String,
    settings: String,
    provider: ScriptedProvider,
}

/// Limits that let a silent provider be given up soon, and that no healthy one on loopback comes near.
const TIMEOUTS: &str = r#"{ connect = "2s", first_token = "700ms", idle = "700ms", total = "15s" }"#;

/// The strategy as it comes, but with waits between attempts at one target that suit a test.
const ROUTE: &str = r#"strategy = "smart"
options = { base_delay = "20ms", max_delay = "200ms" }
deadline = "20s"
"#;

impl Stage {
    /// Starts a provider for each name, in this order, and writes their configuration.
    pub async fn new(scripts: impl IntoIterator<Item = (&str, Script)>) -> Self {
        let mut actors = Vec::new();
        for (name, script) in scripts {
            let provider = ScriptedProvider::start(script).await.expect("a free port on loopback");
            let (name, kind) = (name.to_owned(), "openai".to_owned());
            actors.push(Actor { name, kind, settings: String::new(), provider });
        }
        let home = TempDir::new().expect("a temporary folder");
        let stage = Self { home, actors, timeouts: TIMEOUTS.to_owned(), route: ROUTE.to_owned(), more: String::new() };
        stage.write();
        stage
    }

    /// Replaces the table `[routes.default]`.
    #[must_use]
    pub fn with_route(mut self, route: &str) -> Self {
        self.route = format!("{}\n", route.trim_end());
        self.write();
        self
    }

    /// Has a provider spoken to in another protocol: `anthropic`, `gemini` or `ollama`. It answers in the same.
    ///
    /// # Panics
    /// Where no provider has the name.
    #[must_use]
    pub fn with_kind(mut self, name: &str, kind: &str) -> Self {
        self.actor(name).kind = kind.to_owned();
        self.write();
        self
    }

    /// Adds lines to a provider's own table.
    ///
    /// # Panics
    /// Where no provider has the name.
    #[must_use]
    pub fn with_provider_settings(mut self, name: &str, lines: &str) -> Self {
        self.actor(name).settings = format!("{}\n", lines.trim_end());
        self.write();
        self
    }

    /// Has providers waited for: a test that holds one back for as long as it likes.
    #[must_use]
    pub fn with_patience(mut self) -> Self {
        self.timeouts = r#"{ first_token = "600s", idle = "600s", total = "600s" }"#.to_owned();
        self.write();
        self
    }

    /// Adds tables to the configuration.
    #[must_use]
    pub fn with_settings(mut self, tables: &str) -> Self {
        self.more = format!("\n{}\n", tables.trim());
        self.write();
        self
    }

    /// The provider of this name.
    #[must_use]
    pub fn provider(&self, name: &str) -> &ScriptedProvider {
        let found = self.actors.iter().find(|actor| actor.name == name);
        &found.unwrap_or_else(|| panic!("the stage has no provider `{name}`")).provider
    }

    /// The calls each provider received, in declared order.
    #[must_use]
    pub fn attempts(&self) -> Vec<usize> {
        self.actors.iter().map(|actor| actor.provider.call_count()).collect()
    }

    /// The folder Backstop is run in.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The configuration's file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.home().join("backstop.toml")
    }

    /// The configuration's text.
    #[must_use]
    pub fn config(&self) -> String {
        let (mut text, timeouts) = (String::new(), &self.timeouts);
        for Actor { name, kind, settings, provider } in &self.actors {
            // Only OpenAI's addresses begin below a version.
            let url = if kind == "openai" { provider.base_url() } else { provider.root_url() };
            let variable = key_variable(name);
            write!(
                text,
                "[providers.{name}]\nkind = \"{kind}\"\nbase_url = \"{url}\"\napi_key_env = \"{variable}\"\n\
                 models = [\"{name}-model\"]\ntimeouts = {timeouts}\n{settings}\n"
            )
            .expect("text can be written");
        }
        format!("{text}[routes.default]\n{}{}", self.route, self.more)
    }

    /// A run of the real binary in the stage's folder, with every provider's key in its environment.
    #[must_use]
    pub fn backstop<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Cli {
        let cli = Cli::new(self.home(), arguments);
        self.actors.iter().fold(cli, |cli, Actor { name, .. }| cli.env(&key_variable(name), &Self::key(name)))
    }

    /// A provider's key: a text that must be found nowhere but in the calls to that provider.
    #[must_use]
    pub fn key(provider: &str) -> String {
        format!("sk-{provider}-4f1c0d5e77a94b2b8f60canary")
    }

    fn actor(&mut self, name: &str) -> &mut Actor {
        let actor = self.actors.iter_mut().find(|actor| actor.name == name);
        actor.unwrap_or_else(|| panic!("the stage has no provider `{name}`"))
    }

    fn write(&self) {
        fs::write(self.config_file(), self.config()).expect("the temporary folder can be written to");
    }
}

fn key_variable(provider: &str) -> String {
    format!("{}_API_KEY", provider.to_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use backstop::scripted::Reply;

    use super::*;

    #[tokio::test]
    async fn writes_a_configuration_that_names_its_providers() {
        let stage = Stage::new([("alpha", Reply::answer("yes").into()), ("beta", Script::new())])
            .await
            .with_settings("[budget]\ndaily_usd = \"1\"");

        let written = fs::read_to_string(stage.config_file()).unwrap();

        let alpha = stage.provider("alpha").base_url().to_string();
        let beta = stage.provider("beta").base_url().to_string();
        insta::assert_snapshot!(written.replace(&alpha, "ALPHA").replace(&beta, "BETA"), @r#"
        [providers.alpha]
        kind = "openai"
        base_url = "ALPHA"
        api_key_env = "ALPHA_API_KEY"
        models = ["alpha-model"]
        timeouts = { connect = "2s", first_token = "700ms", idle = "700ms", total = "15s" }

        [providers.beta]
        kind = "openai"
        base_url = "BETA"
        api_key_env = "BETA_API_KEY"
        models = ["beta-model"]
        timeouts = { connect = "2s", first_token = "700ms", idle = "700ms", total = "15s" }

        [routes.default]
        strategy = "smart"
        options = { base_delay = "20ms", max_delay = "200ms" }
        deadline = "20s"

        [budget]
        daily_usd = "1"
        "#);
    }

    #[tokio::test]
    async fn gives_every_other_protocol_the_address_without_a_version() {
        let stage = Stage::new([("alpha", Script::new()), ("beta", Script::new())]).await.with_kind("beta", "gemini");

        let (config, beta) = (stage.config(), stage.provider("beta").root_url());

        assert!(config.contains(&format!("kind = \"gemini\"\nbase_url = \"{beta}\"")), "{config}");
        assert!(!beta.as_str().contains("v1"));
    }
}
