//! What there is at a path, by which methods, and for whom.

use http::Method;

use super::admin::Admin;
use super::dashboard::{self, Asset};
use super::keys::Purpose;

/// What there is.
#[derive(Clone, Copy)]
pub(super) enum Endpoint {
    Chat,
    Embeddings,
    Messages,
    CountTokens,
    Models,
    Alive,
    Ready,
    Metrics,
    /// A file of the dashboard.
    Page(&'static Asset),
    /// The admin API, with the methods that this path of it takes.
    Admin(&'static str),
}

impl Endpoint {
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/v1/chat/completions" => Some(Self::Chat),
            "/v1/embeddings" => Some(Self::Embeddings),
            "/v1/messages" => Some(Self::Messages),
            "/v1/messages/count_tokens" => Some(Self::CountTokens),
            "/v1/models" => Some(Self::Models),
            "/healthz" => Some(Self::Alive),
            "/readyz" => Some(Self::Ready),
            "/metrics" => Some(Self::Metrics),
            _ => dashboard::asset(path).map(Self::Page).or_else(|| Admin::allowed(path).map(Self::Admin)),
        }
    }

    /// The methods it takes, as the header `allow` has them.
    pub(super) fn allowed(self) -> &'static str {
        match self {
            Self::Chat | Self::Embeddings | Self::Messages | Self::CountTokens => "POST, OPTIONS",
            Self::Models | Self::Alive | Self::Ready | Self::Metrics | Self::Page(_) => "GET, HEAD, OPTIONS",
            Self::Admin(allowed) => allowed,
        }
    }

    /// What a key must be good for to be let in; `None` is anyone.
    pub(super) fn purpose(self) -> Option<Purpose> {
        match self {
            Self::Chat | Self::Embeddings | Self::Messages | Self::CountTokens | Self::Models => Some(Purpose::Model),
            Self::Admin(_) | Self::Metrics => Some(Purpose::Admin),
            Self::Alive | Self::Ready | Self::Page(_) => None,
        }
    }

    pub(super) fn takes(self, method: &Method) -> bool {
        self.allowed().split(", ").any(|allowed| allowed == method.as_str())
    }
}

/// In whose shape a client is told of errors.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    OpenAi,
    Anthropic,
}

impl Shape {
    pub(super) fn at(path: &str) -> Self {
        if path.starts_with("/v1/messages") { Self::Anthropic } else { Self::OpenAi }
    }
}
