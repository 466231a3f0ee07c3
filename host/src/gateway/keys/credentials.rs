//! Where a client may put its key, and whether it did so once.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};

/// Where Anthropic's clients put it.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a request brings to be let in by.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credentials<'a> {
    /// Nothing that could be a key.
    None,
    /// One text.
    One(&'a [u8]),
    /// More than one, and so nobody's in particular: whoever looks at the first sees another client than whoever looks at the last.
    Several,
}

impl<'a> Credentials<'a> {
    /// Reads `authorization: Bearer …` and `x-api-key: …`. Both at once may say the same.
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
        let bearer = headers.get_all(AUTHORIZATION).iter().map(|value| bearer(value.as_bytes()));
        let plain = headers.get_all(API_KEY).iter().map(|value| value.as_bytes().trim_ascii());
        let (bearer, plain): (Vec<_>, Vec<_>) = (bearer.collect(), plain.collect());
        match (bearer.as_slice(), plain.as_slice()) {
            ([], []) | ([None], []) => Self::None,
            ([Some(key)], []) | ([] | [None], [key]) => Self::One(key),
            ([Some(one)], [other]) if one == other => Self::One(one),
            _ => Self::Several,
        }
    }
}

/// What stands behind `Bearer`, in whatever case that is.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(headers: &[(&'static str, &str)]) -> String {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap()));
        let mut map = HeaderMap::new();
        headers.for_each(|(name, value)| {
            map.append(name, value);
        });
        match Credentials::of(&map) {
            Credentials::One(key) => String::from_utf8_lossy(key).into_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn finds_a_key_where_either_kind_of_client_puts_it() {
        for headers in [
            &[("authorization", "Bearer bsk_a")][..],
            &[("authorization", "bearer  bsk_a ")],
            &[("x-api-key", "bsk_a")],
            &[("authorization", "Bearer bsk_a"), ("x-api-key", "bsk_a")],
            &[("authorization", "Basic Zm9v"), ("x-api-key", "bsk_a")],
        ] {
            assert_eq!(found(headers), "bsk_a", "{headers:?}");
        }
    }

    // H1
    #[test]
    fn finds_none_where_there_is_none() {
        for headers in
            [&[][..], &[("authorization", "Basic Zm9v")], &[("authorization", "bsk_a")], &[("authorization", "")]]
        {
            assert_eq!(found(headers), "None", "{headers:?}");
        }
    }

    // H2
    #[test]
    fn takes_two_keys_for_no_key() {
        for headers in [
            &[("authorization", "Bearer bsk_a"), ("authorization", "Bearer bsk_b")][..],
            &[("authorization", "Bearer bsk_a"), ("authorization", "Bearer bsk_a")],
            &[("authorization", "Basic Zm9v"), ("authorization", "Bearer bsk_a")],
            &[("authorization", "Bearer bsk_a"), ("x-api-key", "bsk_b")],
            &[("x-api-key", "bsk_a"), ("x-api-key", "bsk_b")],
        ] {
            assert_eq!(found(headers), "Several", "{headers:?}");
        }
    }
}
