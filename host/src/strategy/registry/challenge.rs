//! How a registry wants to be told who we are: `WWW-Authenticate`, read.

use std::iter::Peekable;
use std::str::Chars;

/// One way of telling it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token, which somebody else gives out.
    Bearer {
        /// Who does: a URL.
        realm: String,
        /// What it is for there.
        service: Option<String>,
    },
}

/// The first way that is understood; a token where there is a choice, since it opens less.
pub(super) fn read<'h>(headers: impl Iterator<Item = &'h str>) -> Option<Challenge> {
    let challenges: Vec<Challenge> = headers.flat_map(challenges).collect();
    let bearer = challenges.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
    bearer.or(challenges.first()).cloned()
}

/// Those of one header, which separates challenges by commas as it does their parameters: what has no `=` is a scheme.
fn challenges(header: &str) -> Vec<Challenge> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = header.chars().peekable();
    loop {
        while rest.next_if(|next| *next == ',' || next.is_whitespace()).is_some() {}
        let word = word(&mut rest);
        if word.is_empty() {
            break;
        }
        if rest.next_if_eq(&'=').is_some() {
            let value = if rest.next_if_eq(&'"').is_some() { quoted(&mut rest) } else { self::word(&mut rest) };
            if let Some((_, parameters)) = found.last_mut() {
                parameters.push((word.to_ascii_lowercase(), value));
            }
        } else {
            found.push((word, Vec::new()));
        }
    }
    found.into_iter().filter_map(understood).collect()
}

fn understood((scheme, parameters): (String, Vec<(String, String)>)) -> Option<Challenge> {
    let of = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| of("realm"))?
        .map(|realm| Challenge::Bearer { realm, service: of("service") })
}

fn word(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut word = String::new();
    while let Some(next) = rest.next_if(|next| !matches!(next, ',' | '=' | '"') && !next.is_whitespace()) {
        word.push(next);
    }
    // A quotation mark where none can be would be found again and again.
    if word.is_empty() && rest.peek().is_some() {
        word.extend(rest.next());
    }
    word
}

fn quoted(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(next) = rest.next() {
        match next {
            '"' => break,
            '\\' => text.extend(rest.next()),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(headers: &[&str]) -> Option<Challenge> {
        read(headers.iter().copied())
    }

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
    }

    #[test]
    fn reads_what_registries_write() {
        assert_eq!(of(&["Basic realm=\"Registry\""]), Some(Challenge::Basic));
        assert_eq!(
            of(&[
                "Bearer realm=\"https://ghcr.io/token\",service=\"ghcr.io\",scope=\"repository:acme/swift:pull,push\""
            ]),
            bearer("https://ghcr.io/token", Some("ghcr.io"))
        );
        assert_eq!(of(&["bearer Realm=https://h/t , error=\"a \\\"b\\\"\""]), bearer("https://h/t", None));
    }

    #[test]
    fn prefers_a_token_wherever_it_stands() {
        let both = bearer("https://h/t", None);

        assert_eq!(of(&["Basic realm=\"x\", Bearer realm=\"https://h/t\""]), both);
        assert_eq!(of(&["Basic realm=\"x\"", "Bearer realm=\"https://h/t\""]), both);
    }

    #[test]
    fn passes_over_what_it_does_not_understand() {
        for header in
            ["", "Digest realm=\"x\"", "Bearer service=\"x\"", "\"", "=\"=", ",,,", "Bearer realm=\"", "é=\"\\"]
        {
            assert!(!matches!(of(&[header]), Some(Challenge::Basic)), "{header}");
        }
        assert_eq!(of(&["Digest realm=\"x\", Basic realm=\"y\""]), Some(Challenge::Basic));
    }

    proptest! {
        #[test]
        fn comes_to_an_end_whatever_a_registry_writes(header in "[Bb]?[a-z]{0,3}[ ,=\"\\\\]{0,3}.{0,40}") {
            of(&[&header]);
        }
    }
}
