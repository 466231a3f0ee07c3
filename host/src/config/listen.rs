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
    /// Others would reach it, and spend the operator's keys.
    #[error("beyond this machine the gateway needs keys of its own, which this version has not")]
    BeyondThisMachine,
}

const EXAMPLE: &str = "\"127.0.0.1:7878\"";

/// Reads an address and a port of this machine: a gateway that others reach would spend the operator's keys for them.
///
/// # Errors
/// When it is no address, or not one of this machine alone.
pub fn listen_address(address: &str) -> Result<SocketAddr, ListenError> {
    let literal =
        address.strip_prefix("localhost:").map_or_else(|| address.to_owned(), |port| format!("127.0.0.1:{port}"));
    let address: SocketAddr = literal.parse().map_err(|_| ListenError::NotAnAddress)?;
    if address.ip().is_loopback() { Ok(address) } else { Err(ListenError::BeyondThisMachine) }
}

/// Holds a setting to an address of this machine.
pub(super) fn check(address: &str) -> Read<()> {
    listen_address(address).map(|_| ()).map_err(|error| Fault::example(error.to_string(), EXAMPLE))
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
