//! Marks of what a provider is to keep of what it has read.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// A mark. Fields that need a header beside them are left out: the header is not sent on.
#[derive(Serialize, Deserialize)]
struct CacheControl {
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<String>,
}

/// A mark as every version of the protocol takes it; `None` where it is none.
pub(super) fn cache_control(mark: &RawValue) -> Option<Box<RawValue>> {
    let mark: CacheControl = serde_json::from_str(mark.get()).ok()?;
    to_raw_value(&mark).ok()
}
