//! What the gateway takes from its clients at most.

use std::time::Duration;

/// The gateway's own bounds. All are there against clients that are broken or mean; none is met by a well-behaved one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at once; more wait in the system's queue. 16,384.
    pub connections: usize,
    /// Requests being answered at once; more are refused at once and told when to come again, so that those under way end.
    /// 2,048.
    pub requests: usize,
    /// From a head's first byte, or a connection's start, to the head's end. 10 s.
    pub head: Duration,
    /// Bytes of a head, and of what is read ahead. 32 KiB.
    pub head_bytes: usize,
    /// How long a connection may be open with no request. 75 s.
    pub idle: Duration,
    /// Bytes of a request's body. 10 MiB.
    pub body_bytes: usize,
    /// Between two pieces of a request's body. 10 s.
    pub body_pause: Duration,
    /// From a head's end to its body's. 60 s.
    pub body: Duration,
    /// How long a client may leave a reply unread while there is more. 60 s.
    pub unread: Duration,
    /// How long running requests may take to end when the gateway stops. 30 s.
    pub grace: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 16_384,
            requests: 2_048,
            head: Duration::from_secs(10),
            head_bytes: 32 << 10,
            idle: Duration::from_secs(75),
            body_bytes: 10 << 20,
            body_pause: Duration::from_secs(10),
            body: Duration::from_secs(60),
            unread: Duration::from_secs(60),
            grace: Duration::from_secs(30),
        }
    }
}
