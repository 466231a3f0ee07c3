//! Where the gateway may listen.

use std::net::SocketAddr;

use super::problem::{Fault, Read};

const EXAMPLE: &str = "\"127.0.0.1:7878\"";

/// Holds an address to this machine: a gateway that others reach would spend the operator's keys for them.
pub(super) fn check(address: &str) -> Read<()> {
    let literal =
        address.strip_prefix("localhost:").map_or_else(|| address.to_owned(), |port| format!("127.0.0.1:{port}"));
    let Ok(literal) = literal.parse::<SocketAddr>() else {
        return Err(Fault::example("not an address and a port", EXAMPLE));
    };
    if !literal.ip().is_loopback() {
        return Err(Fault::example(
            "beyond this machine the gateway needs keys of its own, which this version has not",
            EXAMPLE,
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_on_this_machine() {
        for address in ["127.0.0.1:7878", "[::1]:80", "localhost:7878", "127.0.0.1:0"] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
        for address in
            ["0.0.0.0:7878", "[::]:80", "192.168.1.2:80", "7878", "127.0.0.1", "example.org:80", "127.0.0.1:70000"]
        {
            assert!(check(address).is_err(), "{address}");
        }
    }
}
