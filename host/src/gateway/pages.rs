//! Pages of other sites, which a browser on this machine would let ask: where there are no keys, the operator would pay.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use url::{Host, Url};

use super::refusal::Refusal;

/// Refuses pages of other sites, which a browser on this machine would otherwise let spend the operator's money: by a name of
/// theirs that leads here, a browser lets them read the replies, too.
pub(super) fn check_page(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let url = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok());
    if url.as_ref().is_some_and(is_here) { Ok(()) } else { Err(Refusal::ForeignPage) }
}

/// Refuses calls to a name of somebody else's that leads here: a browser takes the page behind it to be of this origin, and
/// says nothing of it when it only reads.
pub(super) fn check_host(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(host) = headers.get(HOST) else { return Ok(()) };
    let host = host.to_str().ok().filter(|host| !host.contains(['@', '/', '?', '#']));
    let url = host.and_then(|host| Url::parse(&format!("http://{host}/")).ok());
    if url.as_ref().is_some_and(is_here) { Ok(()) } else { Err(Refusal::ForeignPage) }
}

fn is_here(url: &Url) -> bool {
    url.host().is_some_and(|host| match host {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn lets_pages_of_this_machine_ask_and_no_others() {
        for here in ["http://localhost:3000", "http://app.localhost", "http://127.0.0.1:7878", "http://[::1]:1"] {
            assert!(check_page(&with(ORIGIN, here)).is_ok(), "{here}");
        }
        for elsewhere in ["https://example.org", "null", "http://localhost.example.org", "http://10.0.0.1", ""] {
            assert!(check_page(&with(ORIGIN, elsewhere)).is_err(), "{elsewhere}");
        }
        assert!(check_page(&HeaderMap::new()).is_ok(), "no page at all");
    }

    #[test]
    fn is_asked_by_a_name_of_this_machine() {
        for here in ["localhost:7878", "127.0.0.1", "[::1]:7878"] {
            assert!(check_host(&with(HOST, here)).is_ok(), "{here}");
        }
        for elsewhere in ["evil.example:7878", "127.0.0.1.evil.example", "a b", "@localhost"] {
            assert!(check_host(&with(HOST, elsewhere)).is_err(), "{elsewhere}");
        }
    }
}
