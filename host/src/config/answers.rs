//! What of a configuration decides what an answer says.

use sha2::{Digest, Sha256};

use super::effective::settings;
use super::settings::Config;

/// A digest of the providers, routes, defaults and purposes: the same where two configurations have a request answered alike. No key
/// is in it.
#[must_use]
pub fn answers_digest(config: &Config) -> [u8; 32] {
    let mut digest = Sha256::new();
    let decides = |table: &str| {
        let first = table.split('.').next().unwrap_or_default();
        matches!(first, "providers" | "routes" | "defaults" | "purposes")
    };
    for setting in settings(config).into_iter().filter(|setting| decides(&setting.table)) {
        let value = setting.value.as_ref().map(ToString::to_string);
        for part in [Some(setting.path()), value] {
            // Each part with its length: no two lists of settings are one text.
            digest.update(part.as_ref().map_or(u64::MAX, |part| part.len() as u64).to_le_bytes());
            digest.update(part.unwrap_or_default());
        }
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProviderConfig;

    fn config(model: &str) -> Config {
        let mut config = Config::new();
        let provider = ProviderConfig::openai_compatible("http://localhost:1/v1".parse().unwrap()).with_model(model);
        config.providers.insert("a".to_owned(), provider);
        config
    }

    #[test]
    fn differs_where_answers_would_and_nowhere_else() {
        let mut elsewhere = config("m");
        elsewhere.gateway.listen = "127.0.0.1:1".to_owned();
        elsewhere.store.path = Some("b.db".into());

        assert_eq!(answers_digest(&config("m")), answers_digest(&elsewhere));
        assert_ne!(answers_digest(&config("m")), answers_digest(&config("n")));
    }
}
