//! Addresses of providers: which are taken, and which are refused because they are not what they seem.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::problem::{Fault, Mend, Read};

/// Names under which cloud machines find their own credentials.
const METADATA_HOSTS: [&str; 3] = ["metadata.google.internal", "metadata", "instance-data"];

const EXAMPLE: &str = "\"https://api.openai.com/v1\"";

/// Reads an address and holds it to everything that can be seen from its text.
pub(super) fn parse(text: &str) -> Read<Url> {
    // What may hold a password or a key is never repeated, whatever else is wrong with it.
    let may_hold_secret = text.contains(['@', '?', '#']);
    parse_plain(text.trim()).map_err(|fault| if may_hold_secret { fault.secret() } else { fault })
}

fn parse_plain(text: &str) -> Read<Url> {
    let authority = authority(text)?;
    if authority.contains('@') {
        return Err(Fault::words("holds a user or password", "take it out, and name a key with api_key_env"));
    }
    let url = Url::parse(text).map_err(|error| Fault::example(format!("not an address: {error}"), EXAMPLE))?;
    check(&url)?;
    let (written, meant) = (written_host(authority), url.host_str().unwrap_or_default());
    if !is_same_host(written, meant) {
        let mend = format!("write {meant} if that is meant");
        return Err(Fault::words("the host is written in a disguised form", mend));
    }
    let path = text.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    if path.split('/').any(|part| part == ".." || part == ".") {
        return Err(Fault::words("the path goes back on itself", format!("write {url} if that is meant")));
    }
    Ok(url)
}

/// Holds an address to everything that can be seen without its text.
pub(super) fn check(url: &Url) -> Read<()> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Fault::example("neither http nor https", EXAMPLE));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::words("holds a user or password", "take it out, and name a key with api_key_env"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Fault::words("has a query or fragment", "end it before ? and #"));
    }
    if url.port() == Some(0) {
        return Err(Fault::words("nothing listens at port 0", "write a port from 1 to 65535, or none"));
    }
    match url.host() {
        None => Err(Fault::example("names no host", EXAMPLE)),
        Some(Host::Domain(name)) => check_name(name),
        Some(Host::Ipv4(address)) => check_v4(address),
        Some(Host::Ipv6(address)) => check_v6(address),
    }
}

/// Whether what is sent there stays on this machine or in its private network, or is encrypted.
pub(super) fn may_carry_a_key(url: &Url) -> bool {
    if url.scheme() == "https" {
        return true;
    }
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_private(),
        Some(Host::Ipv6(address)) => address.is_loopback() || address.is_unique_local(),
        None => false,
    }
}

/// Ollama's own way of naming its host: scheme and port may be missing, and it may be the address a server listens at.
pub(super) fn parse_ollama_host(text: &str) -> Read<Url> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let (host, path) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path));
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') && (!name.contains(':') || name.ends_with(']')) => {
            (name, Some(port))
        }
        _ => (host, None),
    };
    let name = match name {
        "" | "0.0.0.0" => "127.0.0.1",
        "[::]" | "::" => "[::1]",
        name => name,
    };
    let port = match port {
        Some(port) => format!(":{port}"),
        None if scheme.is_empty() => ":11434".to_owned(),
        None => String::new(),
    };
    let scheme = if scheme.is_empty() { "http" } else { scheme };
    let example = Mend::Example("\"http://localhost:11434\"".to_owned());
    parse(&format!("{scheme}://{name}{port}/{path}")).map_err(|fault| Fault { mend: example, ..fault })
}

/// The part between the scheme and the path, which must be there and plain.
fn authority(text: &str) -> Read<&str> {
    let is_plain = |character: char| !character.is_control() && !character.is_whitespace() && character != '\\';
    if !text.chars().all(is_plain) {
        return Err(Fault::example("holds a space, a backslash or a control character", EXAMPLE));
    }
    let Some((_, rest)) = text.split_once("://") else {
        return Err(Fault::example("not an address: it does not begin with https:// or http://", EXAMPLE));
    };
    Ok(rest.split(['/', '?', '#']).next().unwrap_or(rest))
}

fn written_host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    }
}

/// The parser turns `2130706433`, `0x7f.1`, `%6c`ocalhost and letters of other scripts into plain hosts; whoever writes
/// such a thing is not to be trusted with a key.
fn is_same_host(written: &str, meant: &str) -> bool {
    let v6 = |host: &str| host.trim_start_matches('[').trim_end_matches(']').parse::<Ipv6Addr>().ok();
    written.eq_ignore_ascii_case(meant) || v6(written).is_some_and(|address| Some(address) == v6(meant))
}

fn check_name(name: &str) -> Read<()> {
    let name = name.trim_end_matches('.');
    if name.is_empty() {
        return Err(Fault::example("names no host", EXAMPLE));
    }
    if METADATA_HOSTS.contains(&name) { Err(refused("a cloud machine's own metadata")) } else { Ok(()) }
}

fn check_v4(address: Ipv4Addr) -> Read<()> {
    match IpAddr::V4(address) {
        _ if address.is_link_local() => Err(refused("a link-local address (cloud metadata lives there)")),
        _ if address.is_unspecified() => {
            Err(Fault::words("an address to listen at", "write 127.0.0.1 for this machine"))
        }
        _ if address.is_broadcast() || address.is_multicast() => Err(refused("no single machine")),
        _ => Ok(()),
    }
}

fn check_v6(address: Ipv6Addr) -> Read<()> {
    let segments = address.segments();
    let [first, second, third, fourth, fifth, ..] = segments;
    let is_nat64 = (first, second) == (0x64, 0xff9b);
    let embeds_v4 = (first, second, third, fourth, fifth) == (0, 0, 0, 0, 0) && !address.is_loopback();
    if address.is_unspecified() {
        return Err(Fault::words("an address to listen at", "write [::1] for this machine"));
    }
    if is_nat64 || embeds_v4 || first == 0x2002 {
        return Err(Fault::words("an IPv4 address in IPv6 clothes", "write the IPv4 address itself"));
    }
    if address.is_unicast_link_local() || first == 0xfec0 {
        return Err(refused("a link-local address"));
    }
    if segments == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] {
        return Err(refused("a cloud machine's own metadata"));
    }
    if address.is_multicast() { Err(refused("no single machine")) } else { Ok(()) }
}

fn refused(what: &str) -> Fault {
    Fault::words(what, "write the address of the provider's API")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn what(text: &str) -> String {
        parse(text).map_or_else(|fault| fault.what, |url| format!("taken as {url}"))
    }

    #[test]
    fn takes_plain_addresses() {
        for text in [
            "https://api.openai.com/v1",
            "http://127.0.0.1:8080/v1/",
            "http://localhost:11434",
            "http://[::1]:8080/v1",
            "http://[0:0:0:0:0:0:0:1]/v1",
            "http://10.0.0.5/v1",
            "HTTPS://API.example.COM/v1",
            "https://xn--bcher-kva.example/v1",
            "https://x.example:65535",
        ] {
            assert!(parse(text).is_ok(), "{text}: {}", what(text));
        }
    }

    // C12
    #[test]
    fn refuses_addresses_that_cannot_be_a_provider() {
        for (text, says) in [
            ("file:///etc/passwd", "neither http nor https"),
            ("ftp://x.example", "neither http nor https"),
            ("api.openai.com/v1", "not an address: it does not begin with https:// or http://"),
            ("", "not an address: it does not begin with https:// or http://"),
            ("https://user:secret@x.example/v1", "holds a user or password"),
            ("https://x.example/v1?key=secret", "has a query or fragment"),
            ("https://x.example/v1#top", "has a query or fragment"),
            ("https://x.example/v1/..", "the path goes back on itself"),
            ("https://x.example:0/v1", "nothing listens at port 0"),
            ("https://x.example:70000/v1", "not an address: invalid port number"),
            ("https:///v1", "the host is written in a disguised form"),
            ("https:\\\\x.example", "holds a space, a backslash or a control character"),
            ("https://x.exam\nple", "holds a space, a backslash or a control character"),
            ("https://\u{430}pi.openai.com/v1", "the host is written in a disguised form"),
            ("https://%6fpenai.com/v1", "the host is written in a disguised form"),
        ] {
            assert_eq!(what(text), says, "{text:?}");
        }
    }

    // C13
    #[test]
    fn refuses_addresses_that_are_not_what_they_seem() {
        for (text, says) in [
            ("http://169.254.169.254/latest", "a link-local address (cloud metadata lives there)"),
            ("http://[fe80::1]/v1", "a link-local address"),
            ("http://metadata.google.internal", "a cloud machine's own metadata"),
            ("http://METADATA.google.internal./", "a cloud machine's own metadata"),
            ("http://[fd00:ec2::254]/", "a cloud machine's own metadata"),
            ("http://2130706433/v1", "the host is written in a disguised form"),
            ("http://0x7f.0.0.1/v1", "the host is written in a disguised form"),
            ("http://0177.0.0.1/v1", "the host is written in a disguised form"),
            ("http://127.1/v1", "the host is written in a disguised form"),
            ("http://[::ffff:127.0.0.1]/v1", "an IPv4 address in IPv6 clothes"),
            ("http://[64:ff9b::a9fe:a9fe]/", "an IPv4 address in IPv6 clothes"),
            ("http://0.0.0.0:80", "an address to listen at"),
            ("http://[::]:80", "an address to listen at"),
            ("http://255.255.255.255", "no single machine"),
        ] {
            assert_eq!(what(text), says, "{text:?}");
        }
    }

    #[test]
    fn lets_a_key_travel_unencrypted_only_close_by() {
        let close = |text: &str| may_carry_a_key(&parse(text).unwrap());

        for text in ["https://x.example", "http://localhost", "http://127.0.0.1", "http://[::1]", "http://192.168.1.2"]
        {
            assert!(close(text), "{text}");
        }
        for text in ["http://x.example", "http://8.8.8.8", "http://localhost.example", "http://gpu-box"] {
            assert!(!close(text), "{text}");
        }
    }

    #[test]
    fn understands_ollamas_way_of_naming_its_host() {
        for (text, expected) in [
            ("localhost:11434", "http://localhost:11434/"),
            ("0.0.0.0", "http://127.0.0.1:11434/"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080/"),
            (":11434", "http://127.0.0.1:11434/"),
            ("gpu-box", "http://gpu-box:11434/"),
            ("http://localhost:11434", "http://localhost:11434/"),
            ("http://localhost:11434/v1/", "http://localhost:11434/v1/"),
            ("https://ollama.example", "https://ollama.example/"),
            ("[::1]:11434", "http://[::1]:11434/"),
            ("[::]", "http://[::1]:11434/"),
        ] {
            assert_eq!(parse_ollama_host(text).map(|url| url.to_string()), Ok(expected.to_owned()), "{text}");
        }
        assert!(parse_ollama_host("localhost:99999").is_err());
    }

    #[test]
    fn hides_an_address_that_holds_a_password() {
        assert!(parse("https://user:canary@x.example").unwrap_err().secret);
        assert!(parse("https://x.example?key=canary").unwrap_err().secret);
    }

    proptest! {
        #[test]
        fn never_panics(text in "(https?://)?.{0,40}") {
            let _ = (parse(&text), parse_ollama_host(&text));
        }
    }
}
