//! Headers an operator may send along with every request.

use http::{HeaderName, HeaderValue};

use super::problem::{Fault, Read};

/// What the host itself sets, or what says how a message is framed.
const OURS: [&str; 11] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "accept",
    "accept-encoding",
];

/// Words in the names of headers that carry secrets: those belong into variables, not into a file that is shown and shared.
const SECRET_WORDS: [&str; 7] = ["authorization", "api-key", "apikey", "token", "secret", "cookie", "password"];

/// Holds a header to what may stand in a file and be sent.
pub(super) fn check(name: &str, value: &str) -> Read<()> {
    let lower = name.to_ascii_lowercase();
    if SECRET_WORDS.iter().any(|word| lower.contains(word)) {
        let mend = "put the key into a variable or into .env, and name that with api_key_env";
        return Err(Fault::words("secrets do not belong into the file", mend).secret());
    }
    if HeaderName::from_bytes(name.as_bytes()).is_err() || OURS.contains(&lower.as_str()) {
        return Err(Fault::words("not a header that can be set", "leave it out").secret());
    }
    match HeaderValue::from_str(value) {
        Ok(_) if value.len() <= 4_096 => Ok(()),
        _ => Err(Fault::words("not a header's value", "write one line of plain text").secret()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_harmless_headers_only() {
        assert_eq!(check("HTTP-Referer", "https://example.org"), Ok(()));
        assert_eq!(check("X-Title", "My app"), Ok(()));
        for (name, value) in [
            ("Authorization", "Bearer canary"),
            ("x-api-key", "canary"),
            ("X-Auth-Token", "canary"),
            ("Cookie", "canary"),
            ("Host", "other"),
            ("Content-Length", "0"),
            ("bad name", "x"),
            ("X-Title", "a\r\nb: c"),
            ("X-Title", &"x".repeat(5_000)),
        ] {
            assert!(check(name, value).unwrap_err().secret, "{name}");
        }
    }
}
