//! Keys: where they are looked for, and how a real one is told from a placeholder.

use secrecy::SecretString;

use super::environment::{Environment, Found};
use super::origin::Origin;
use super::problem::{Fault, Read};
use super::report::Report;
use super::settings::{ApiKey, Credentials};

/// Where a provider's keys are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeySource {
    /// In the first of these variables that is set.
    FirstOf(Vec<String>),
    /// In all of these variables.
    AllOf(Vec<String>),
    /// In the first of these variables that is set; it does without where none is.
    Optional(Vec<String>),
    /// It takes none.
    Nowhere,
}

/// Fetches a provider's keys. What is wrong with one is reported without its value.
pub(super) fn fetch(source: &KeySource, provider: &str, environment: &Environment, report: &mut Report) -> Credentials {
    let (variables, all) = match source {
        KeySource::Nowhere => return Credentials::NotNeeded,
        KeySource::AllOf(variables) => (variables, true),
        KeySource::FirstOf(variables) | KeySource::Optional(variables) => (variables, false),
    };
    let mut keys = Vec::new();
    let mut placeholder = None;
    let mut unset = Vec::new();
    for variable in variables {
        match read(variable, environment, report) {
            Key::Real(key) => keys.push(key),
            Key::Placeholder(origin) => {
                report.notice(origin, format!("holds a placeholder instead of a key for {provider}"));
                placeholder.get_or_insert_with(|| variable.clone());
            }
            Key::Unset => unset.push(variable),
            Key::Unusable => {}
        }
        if !all && !keys.is_empty() {
            break;
        }
    }
    if !keys.is_empty() {
        for variable in unset.into_iter().filter(|_| all) {
            report.notice(Origin::Default, format!("{variable} is not set: {provider} has one key fewer"));
        }
        return Credentials::Keys(keys);
    }
    match source {
        KeySource::Optional(_) if placeholder.is_none() => Credentials::NotNeeded,
        _ => Credentials::Missing { variables: variables.clone(), placeholder },
    }
}

/// Whether any of the variables holds a key or at least a placeholder for one.
pub(super) fn is_mentioned(variables: &[&str], environment: &Environment) -> bool {
    variables.iter().any(|variable| environment.is_set(variable))
}

/// Reads the name of a variable. Who writes the key itself there is told so, and the key is not repeated.
pub(super) fn variable_name(name: &str, environment: &Environment) -> Read<String> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let is_name = starts_well && name.len() <= 128 && name.bytes().all(is_word);
    // Many keys are made of the same letters as names are, but hardly any of capitals alone.
    let looks_like_key = name.bytes().any(|byte| byte.is_ascii_lowercase()) && !environment.is_set(name);
    if is_name && !looks_like_key {
        return Ok(name.to_owned());
    }
    let mend =
        "write a name in capitals, such as OPENAI_API_KEY; the key itself belongs into that variable or into .env";
    Err(Fault::words("not the name of a variable that is set", mend).secret())
}

enum Key {
    Real(ApiKey),
    Placeholder(Origin),
    Unset,
    Unusable,
}

fn read(variable: &str, environment: &Environment, report: &mut Report) -> Key {
    let (text, origin) = match environment.find(variable) {
        None => return Key::Unset,
        Some(Found::Text(text, origin)) => (text.trim(), origin),
        Some(Found::NotUnicode(origin)) => {
            report.fault(origin, variable, None, unusable());
            return Key::Unusable;
        }
    };
    if is_placeholder(text) {
        return Key::Placeholder(origin);
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        report.fault(origin, variable, None, unusable());
        return Key::Unusable;
    }
    Key::Real(ApiKey { name: variable.to_owned(), secret: SecretString::from(text) })
}

fn unusable() -> Fault {
    let what = "the key holds a line break, a space or another character no key has";
    Fault::words(what, "copy the key anew, on one line").secret()
}

/// Whether a text stands where a key was to be put in: `your_api_key_here`, `sk-...`, `csk-xxxxxxxx`, `<key>`, `changeme`.
pub(super) fn is_placeholder(text: &str) -> bool {
    let text = text.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    let has_any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let is_wrapped = |open: &str, close: &str| text.starts_with(open) && text.ends_with(close);
    let asks = has_any(&["your_", "your-", "your ", "_here", "-here"]) && has_any(&["key", "token", "secret", "here"]);
    let only = ["changeme", "change-me", "change_me", "replaceme", "replace-me", "replace_me", "placeholder", "todo"];
    let names_itself = ["api_key", "api-key", "apikey", "yourkey", "yourapikey", "none", "null"];
    text.is_empty()
        || asks
        || has_any(&["...", "…"])
        || only.iter().any(|word| text.starts_with(word))
        || names_itself.contains(&text.as_str())
        || is_wrapped("<", ">")
        || is_wrapped("${", "}")
        || is_wrapped("{{", "}}")
        || ends_in_filling(&text)
}

/// `xxx`, `csk-xxxxxxxx`, `sk-or-********`: one character again and again, behind no more than a prefix.
fn ends_in_filling(text: &str) -> bool {
    let Some(last) = text.chars().last().filter(|last| matches!(last, 'x' | '*' | '0' | '.')) else { return false };
    let prefix = text.trim_end_matches(last);
    let count = text.len() - prefix.len();
    (prefix.is_empty() && count >= 3) || (prefix.ends_with(['-', '_']) && prefix.len() <= 12 && count >= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(source: &KeySource, variables: &[(&str, &str)]) -> (Credentials, Vec<String>) {
        let mut report = Report::default();
        let credentials = fetch(source, "p", &Environment::of(variables), &mut report);
        let problems = report.problems.iter().map(ToString::to_string);
        (credentials, problems.chain(report.notices.iter().map(ToString::to_string)).collect())
    }

    fn names(credentials: &Credentials) -> Vec<&str> {
        match credentials {
            Credentials::Keys(keys) => keys.iter().map(|key| key.name.as_str()).collect(),
            Credentials::NotNeeded => vec!["not needed"],
            Credentials::Missing { .. } => vec!["missing"],
        }
    }

    fn first_of(variables: &[&str]) -> KeySource {
        KeySource::FirstOf(variables.iter().map(ToString::to_string).collect())
    }

    // A6
    #[test]
    fn tells_placeholders_from_keys() {
        for text in [
            "",
            "  ",
            "your_actual_together_api_key",
            "your_openai_api_key_here",
            "your-gemini-api-key-here",
            "your_key",
            "sk-...your-api-key-here...",
            "sk-...",
            "changeme",
            "CHANGE_ME",
            "csk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "gsk-xxxxxxxx",
            "sk-or-xxxxxxxxxxxxxxxxx",
            "xxx",
            "<your key>",
            "<OPENAI_API_KEY>",
            "${OPENAI_API_KEY}",
            "insert-key-here",
            "\"your_key\"",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in [
            "sk-proj-4Yh2kQxxTz",
            "gsk_9sKd83nXx",
            "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
            "test",
            "test-key",
            "secret",
            "EMPTY",
            "dummy",
            "ollama",
            "k",
            "key-1",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
    }

    #[test]
    fn trims_a_key_and_names_it_by_its_variable() {
        use secrecy::ExposeSecret;

        let (credentials, found) = fetched(&first_of(&["P_KEY"]), &[("P_KEY", " canary-1\n")]);

        let Credentials::Keys(keys) = credentials else { panic!("no keys") };
        assert_eq!((keys[0].name.as_str(), keys[0].secret.expose_secret()), ("P_KEY", "canary-1"));
        assert!(found.is_empty());
    }

    // C14
    #[test]
    fn tells_an_unset_an_empty_and_a_broken_key_apart() {
        let source = first_of(&["P_KEY"]);

        let (unset, nothing) = fetched(&source, &[]);
        let (empty, _) = fetched(&source, &[("P_KEY", "")]);
        let (broken, problems) = fetched(&source, &[("P_KEY", "can\nary")]);

        assert!(nothing.is_empty());
        assert!(matches!(&unset, Credentials::Missing { variables, placeholder: None } if variables == &["P_KEY"]));
        assert_eq!(names(&empty), ["missing"]);
        assert_eq!(names(&broken), ["missing"]);
        assert_eq!(
            problems,
            ["environment: P_KEY: the key holds a line break, a space or another character no key has; \
              copy the key anew, on one line"]
        );
    }

    #[test]
    fn names_the_variable_that_holds_a_placeholder() {
        let (credentials, notices) = fetched(&first_of(&["P_KEY"]), &[("P_KEY", "your_key")]);

        assert!(matches!(credentials, Credentials::Missing { placeholder: Some(name), .. } if name == "P_KEY"));
        assert_eq!(notices, ["environment P_KEY: holds a placeholder instead of a key for p"]);
    }

    #[test]
    fn takes_one_key_of_several_names_and_all_keys_of_a_list() {
        let variables = [("A", "k1"), ("B", "k2")];
        let both = || vec!["A".to_owned(), "B".to_owned(), "C".to_owned()];

        let (first, _) = fetched(&KeySource::FirstOf(both()), &variables);
        let (all, notices) = fetched(&KeySource::AllOf(both()), &variables);
        let (without, _) = fetched(&KeySource::Optional(vec!["C".to_owned()]), &variables);

        assert_eq!(names(&first), ["A"]);
        assert_eq!(names(&all), ["A", "B"]);
        assert_eq!(notices, ["C is not set: p has one key fewer"]);
        assert_eq!(names(&without), ["not needed"]);
    }

    #[test]
    fn never_takes_a_key_for_the_name_of_one() {
        let environment = Environment::of(&[("my_key", "k")]);

        for name in ["OPENAI_API_KEY", "_K", "my_key"] {
            assert_eq!(variable_name(name, &environment), Ok(name.to_owned()));
        }
        for name in ["sk-canary", "gsk_canary", "AIzacanary", "1A", "", "A B", &"A".repeat(200)] {
            assert!(variable_name(name, &environment).unwrap_err().secret, "{name}");
        }
    }
}
