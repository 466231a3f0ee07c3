//! What is said of a collector of traces and metrics: its address, headers for it, and our name there.

use http::{HeaderName, HeaderValue};
use secrecy::SecretString;
use url::Url;

use super::base_url;
use super::problem::{Fault, Read};

/// Reads the address of a collector, with no `/v1/traces` behind it.
pub(super) fn endpoint(text: &str) -> Read<Url> {
    base_url::parse(text)
}

/// Reads `name=value` pairs with commas between, their values percent-encoded, as OpenTelemetry has them.
pub(super) fn headers(text: &str) -> Read<Vec<(String, SecretString)>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs.map(header).collect()
}

/// Holds our name to a line of text.
pub(super) fn service_name(text: &str) -> Read<String> {
    if text.is_empty() || text.len() > 128 || text.chars().any(char::is_control) {
        return Err(Fault::example("not a name of 1 to 128 characters", "\"backstop\""));
    }
    Ok(text.to_owned())
}

fn header(pair: &str) -> Read<(String, SecretString)> {
    let fault = || Fault::words("not headers", "write name=value, with commas between several");
    let (name, value) = pair.split_once('=').ok_or_else(fault)?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| fault())?;
    // A pair of a query is encoded in the same way, but for the plus sign, which stands for itself here.
    let encoded = format!("v={}", value.trim().replace('+', "%2B").replace('&', "%26"));
    let decoded = url::form_urlencoded::parse(encoded.as_bytes()).next().map(|(_, value)| value.into_owned());
    let value = decoded.filter(|value| HeaderValue::from_str(value).is_ok()).ok_or_else(fault)?;
    Ok((name.as_str().to_owned(), SecretString::from(value)))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn reads_headers_as_opentelemetry_writes_them() {
        let read = headers("Authorization=Basic%20YTpi+/==, x-team = a&b ,").unwrap();

        let plain: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        assert_eq!(plain, [("authorization", "Basic YTpi+/=="), ("x-team", "a&b")]);
        for broken in ["canary", "bad name=x", "a=%0d%0ab"] {
            assert!(headers(broken).is_err(), "{broken}");
        }
    }
}
