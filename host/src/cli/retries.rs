//! What the flags about trying again mean to a configuration.

use std::collections::BTreeSet;
use std::time::Duration;

use backstop::config::{Config, Origins};
use serde_json::{Map, Value, json};

use super::args::RetryArgs;

/// Attempts for each model of a question at the terminal.
const ATTEMPTS: u32 = 5;
/// The first wait of such a question, and the longest.
const BASE_DELAY: Duration = Duration::from_secs(2);
const MAX_DELAY: Duration = Duration::from_secs(60);
/// The share of a wait that chance may take away from it.
const JITTER: f64 = 0.2;

/// No request makes more attempts than this, whatever the flags and the number of targets say.
const MOST_ATTEMPTS: u32 = 100;

/// What holds where neither a flag nor the configuration says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsaid {
    /// Patience: one person waits for one answer, and the process ends with it. A model is asked five times with growing
    /// waits, and a target that rests is tried again when nothing else is left.
    Persist,
    /// What the configuration's own defaults say: a conversation goes on, and what was learnt of a provider is of use.
    Configured,
}

/// What the configuration itself says, so that it is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Said {
    /// Whether resting targets may be tried when nothing else is left.
    pub(crate) emergency: bool,
    /// How long a target rests after a rate limit that names no end.
    pub(crate) cooldown: bool,
}

impl Said {
    /// Looks at where the settings of a route came from.
    pub(crate) fn of(origins: &Origins, route: &str) -> Self {
        Self {
            emergency: origins.is_set(&format!("routes.{route}.emergency")),
            cooldown: origins.is_set("cooldown.rate_limited"),
        }
    }
}

/// Fits a route to the flags. `known` are the options its strategy takes: no other is set. Returns, in words, the flags that
/// have no effect.
pub(crate) fn apply(
    config: &mut Config,
    route: &str,
    args: &RetryArgs,
    known: &BTreeSet<String>,
    unsaid: Unsaid,
    said: Said,
) -> Vec<String> {
    let targets = target_count(config, route);
    let Some(chosen) = config.routes.get_mut(route) else { return Vec::new() };
    let mut wishes = Wishes { options: &mut chosen.options, known, ignored: Vec::new() };
    wishes.take_flags(args);
    if unsaid == Unsaid::Persist {
        wishes.take_defaults(args);
    }
    let ignored = wishes.ignored;

    let persists = unsaid == Unsaid::Persist;
    if args.max_attempts.is_some() || (persists && chosen.max_attempts.is_none()) {
        let each = args.max_attempts.unwrap_or(ATTEMPTS);
        chosen.max_attempts = Some(each.saturating_mul(targets).clamp(1, MOST_ATTEMPTS));
    }
    if persists && !said.emergency {
        chosen.emergency = true;
    }
    let bound = chosen.max_attempts;
    if let Some(attempts) = args.max_attempts {
        keep_at_each_model(config, attempts, said);
    }
    if let Some(bound) = bound.filter(|_| persists || args.max_attempts.is_some()) {
        config.retries.floor = config.retries.floor.max(bound);
    }
    ignored.into_iter().map(|flag| format!("{flag} has no effect: the strategy takes no such option")).collect()
}

/// Lets all attempts be made on a model before the next one has its turn: a rate limit that names no end, or a row of outages,
/// must not take it out before.
fn keep_at_each_model(config: &mut Config, attempts: u32, said: Said) {
    if !said.cooldown {
        config.cooldown.rate_limited = Duration::ZERO;
    }
    if config.breaker.failures > 0 {
        config.breaker.failures = config.breaker.failures.max(attempts);
    }
}

/// A strategy's options in the making.
struct Wishes<'a> {
    options: &'a mut Map<String, Value>,
    known: &'a BTreeSet<String>,
    ignored: Vec<&'static str>,
}

impl Wishes<'_> {
    /// A flag wins over the configuration.
    fn take_flags(&mut self, args: &RetryArgs) {
        if let Some(attempts) = args.max_attempts {
            self.insist("--max-attempts", "attempts", json!(attempts));
            self.suggest_over("retries", json!(attempts.saturating_sub(1)));
            self.suggest("patience", length(longest_delay(args, attempts)));
        }
        if let Some(delay) = args.base_delay {
            self.insist("--base-delay", "base_delay", length(delay));
        }
        if let Some(delay) = args.max_delay {
            self.insist("--max-delay", "max_delay", length(delay));
        }
        if args.disable_jitter {
            self.insist("--disable-jitter", "jitter", json!(0.0));
        }
    }

    /// The configuration wins over what is only usual.
    fn take_defaults(&mut self, args: &RetryArgs) {
        let max_delay = args.base_delay.map_or(MAX_DELAY, |base| base.max(MAX_DELAY));
        let base_delay = args.max_delay.map_or(BASE_DELAY, |max| max.min(BASE_DELAY));
        self.suggest("attempts", json!(ATTEMPTS));
        self.suggest("base_delay", length(base_delay));
        self.suggest("max_delay", length(max_delay));
        self.suggest("jitter", json!(JITTER));
    }

    fn insist(&mut self, flag: &'static str, option: &str, value: Value) {
        if self.known.contains(option) {
            self.options.insert(option.to_owned(), value);
        } else {
            self.ignored.push(flag);
        }
    }

    fn suggest_over(&mut self, option: &str, value: Value) {
        if self.known.contains(option) {
            self.options.insert(option.to_owned(), value);
        }
    }

    fn suggest(&mut self, option: &str, value: Value) {
        if self.known.contains(option) && !self.options.contains_key(option) {
            self.options.insert(option.to_owned(), value);
        }
    }
}

/// The last of the waits that so many attempts have between them.
fn longest_delay(args: &RetryArgs, attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(2).min(31);
    let longest = args.base_delay.unwrap_or(BASE_DELAY).saturating_mul(1 << doublings);
    longest.min(args.max_delay.unwrap_or(MAX_DELAY))
}

/// A length as options write it.
fn length(length: Duration) -> Value {
    json!(format!("{}ms", length.as_millis()))
}

/// How many targets a route has: one for each model.
fn target_count(config: &Config, route: &str) -> u32 {
    let models = |provider: &str| config.providers.get(provider).map_or(0, |provider| provider.models.len());
    let named = config.routes.get(route).map(|route| route.targets.as_slice()).unwrap_or_default();
    let count: usize = if named.is_empty() {
        config.providers.keys().map(|name| models(name)).sum()
    } else {
        named.iter().map(|target| if target.model.is_some() { 1 } else { models(&target.provider) }).sum()
    };
    u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use backstop::config::ProviderConfig;

    use super::*;

    /// Two providers with three models in all.
    fn config() -> Config {
        let provider = || ProviderConfig::openai_compatible("http://127.0.0.1:1/v1".parse().unwrap());
        let mut config = Config::new();
        config.providers.insert("cerebras".into(), provider().with_model("a").with_model("b"));
        config.providers.insert("groq".into(), provider().with_model("c"));
        config
    }

    fn known() -> BTreeSet<String> {
        ["attempts", "retries", "base_delay", "max_delay", "jitter", "patience"].map(str::to_owned).into()
    }

    fn applied(mut config: Config, args: &RetryArgs, unsaid: Unsaid) -> (Config, Value) {
        let notes = apply(&mut config, "default", args, &known(), unsaid, Said::default());
        assert!(notes.is_empty(), "{notes:?}");
        let options = Value::Object(config.routes["default"].options.clone());
        (config, options)
    }

    #[test]
    fn asks_each_model_five_times_where_nothing_is_said() {
        let (config, options) = applied(config(), &RetryArgs::default(), Unsaid::Persist);

        let expected = json!({"attempts": 5, "base_delay": "2000ms", "max_delay": "60000ms", "jitter": 0.2});
        assert_eq!(options, expected);
        assert_eq!(config.routes["default"].max_attempts, Some(15));
        assert!(config.routes["default"].emergency);
        assert_eq!(config.retries.floor, 15);
    }

    #[test]
    fn leaves_what_the_configuration_says() {
        let mut said = config();
        let route = said.routes.get_mut("default").unwrap();
        route.options.insert("attempts".into(), json!(2));
        route.max_attempts = Some(3);

        let (config, options) = applied(said, &RetryArgs::default(), Unsaid::Persist);

        assert_eq!(options["attempts"], 2);
        assert_eq!(config.routes["default"].max_attempts, Some(3));
    }

    #[test]
    fn lets_flags_win_over_the_configuration() {
        let mut said = config();
        let route = said.routes.get_mut("default").unwrap();
        route.options.insert("attempts".into(), json!(2));
        route.max_attempts = Some(3);
        let args = RetryArgs {
            max_attempts: Some(4),
            base_delay: Some(Duration::from_millis(10)),
            max_delay: Some(Duration::from_secs(1)),
            disable_jitter: true,
        };

        let (config, options) = applied(said, &args, Unsaid::Persist);

        let expected = json!({
            "attempts": 4, "retries": 3, "patience": "40ms", "base_delay": "10ms", "max_delay": "1000ms", "jitter": 0.0,
        });
        assert_eq!(options, expected);
        assert_eq!(config.routes["default"].max_attempts, Some(12));
        assert_eq!(config.cooldown.rate_limited, Duration::ZERO);
    }

    #[test]
    fn changes_nothing_unasked_where_the_configuration_is_to_decide() {
        let (config, options) = applied(config(), &RetryArgs::default(), Unsaid::Configured);

        assert_eq!(options, json!({}));
        assert_eq!(config.routes["default"].max_attempts, None);
        assert!(!config.routes["default"].emergency);
    }

    #[test]
    fn leaves_the_rest_after_a_rate_limit_where_the_configuration_names_it() {
        let args = RetryArgs { max_attempts: Some(2), ..RetryArgs::default() };
        let mut config = config();
        let rest = config.cooldown.rate_limited;

        apply(&mut config, "default", &args, &known(), Unsaid::Persist, Said { emergency: true, cooldown: true });

        assert_eq!(config.cooldown.rate_limited, rest);
        assert!(!config.routes["default"].emergency);
    }

    #[test]
    fn never_allows_more_than_a_hundred_attempts() {
        let args = RetryArgs { max_attempts: Some(100), ..RetryArgs::default() };

        let (config, _) = applied(config(), &args, Unsaid::Persist);

        assert_eq!(config.routes["default"].max_attempts, Some(100));
    }

    #[test]
    fn says_which_flags_a_strategy_has_no_use_for() {
        let args = RetryArgs { base_delay: Some(Duration::from_secs(1)), ..RetryArgs::default() };
        let mut config = config();

        let notes = apply(&mut config, "default", &args, &BTreeSet::new(), Unsaid::Persist, Said::default());

        assert_eq!(notes, ["--base-delay has no effect: the strategy takes no such option"]);
        assert!(config.routes["default"].options.is_empty());
    }
}
