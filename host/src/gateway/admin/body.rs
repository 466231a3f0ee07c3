//! What the body of a call asks for.

use bytes::Bytes;
use http::HeaderMap;
use serde::de::DeserializeOwned;

use crate::gateway::inbound;

use super::error::AdminError;

/// Makes sure that a body is said to be JSON: a web page may send anything else to us without asking first.
pub(super) fn check_type(headers: &HeaderMap, body: &Bytes) -> Result<(), AdminError> {
    if body.is_empty() {
        return Ok(());
    }
    inbound::check_type(headers).map_err(|_| AdminError::NotJson)
}

/// Reads a body; an empty one says nothing.
pub(super) fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, AdminError> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    let read = serde_json::from_slice(text);
    read.map_err(|error| AdminError::Invalid { field: "body".to_owned(), fault: error.to_string() })
}
