//! Where the gateway may listen.

use std::net::SocketAddr;

use thiserror::Error;

use super::problem::{Fault, Read};

/// Why the gateway may not listen at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ListenError {
    /// It is none.
    #[error("not an address and a port")]
    NotAnAddress,
}

const EXAMPLE: &str = "\"127.0.0.1:7878\"";

/// Reads an address and a port. One that others reach is for a gateway with keys of its own, which is seen to where it is bound.
///
/// # Errors
/// When it is none.
pub fn listen_address(address: &str) -> Result<SocketAddr, ListenError> {
    let literal =
        address.strip_prefix("localhost:").map_or_else(|| address.to_owned(), |port| format!("127.0.0.1:{port}"));
    literal.parse().map_err(|_| ListenError::NotAnAddress)
}

/// Holds a setting to an address and a port.
pub(super) fn check(address: &str) -> Read<()> {
    listen_address(address).map(|_| ()).map_err(|error| Fault::example(error.to_string(), EXAMPLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_addresses_from_other_texts() {
        for address in ["127.0.0.1:7878", "[::1]:80", "localhost:7878", "127.0.0.1:0", "0.0.0.0:7878", "[::]:80"] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
        for address in ["7878", "127.0.0.1", "example.org:80", "127.0.0.1:70000", "", "localhost"] {
            assert!(check(address).is_err(), "{address}");
        }
    }
}
