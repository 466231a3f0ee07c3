//! The replies of providers that do not answer, each with the body a real one sends.

use std::time::Duration;

use super::{Fault, Place, ReceivedCall, Reply, RetryAfter, bodies};
use crate::config::Protocol;

/// Replies that say no. The bodies are OpenAI's where no other provider is named.
impl Reply {
    /// 429 with `Retry-After` in seconds.
    #[must_use]
    pub fn rate_limited(wait: Duration) -> Self {
        Self::json(429, &bodies::rate_limited(Some(wait))).retry_after(RetryAfter::Seconds(wait))
    }

    /// 429 that names no wait; [`retry_after`](Self::retry_after) adds one in any provider's way.
    #[must_use]
    pub fn rate_limited_without_wait() -> Self {
        Self::json(429, &bodies::rate_limited(None))
    }

    /// Groq's 429 for tokens a minute: `Retry-After`, and the wait to the millisecond in the message.
    #[must_use]
    pub fn groq_rate_limited(wait: Duration) -> Self {
        Self::json(429, &bodies::groq_rate_limited(wait)).retry_after(RetryAfter::Seconds(wait))
    }

    /// Cerebras' 429 of a full queue: an overload under the status of a rate limit.
    #[must_use]
    pub fn cerebras_queue_full() -> Self {
        Self::json(429, &bodies::cerebras_queue_full())
    }

    /// Together's 429, which calls a limit a minute `credit_limit`.
    #[must_use]
    pub fn together_rate_limited() -> Self {
        Self::json(429, &bodies::together_rate_limited())
    }

    /// Fireworks' 429, whose `error` is a text.
    #[must_use]
    pub fn fireworks_rate_limited() -> Self {
        Self::json(429, &bodies::fireworks_rate_limited())
    }

    /// OpenRouter's 429, which names the reset in milliseconds since 1970, in its headers and in its body.
    #[must_use]
    pub fn openrouter_rate_limited(reset_epoch_ms: i64) -> Self {
        Self::json(429, &bodies::openrouter_rate_limited(reset_epoch_ms))
            .header("X-RateLimit-Limit", "16")
            .header("X-RateLimit-Remaining", "0")
            .header("X-RateLimit-Reset", reset_epoch_ms.to_string())
    }

    /// Gemini's 429 for requests a minute: the wait is in `RetryInfo`, not in a header.
    #[must_use]
    pub fn gemini_rate_limited(wait: Duration) -> Self {
        Self::json(429, &bodies::gemini_exhausted("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", wait))
    }

    /// Gemini's 429 for requests a day: the same words, and a `RetryInfo` that does not help.
    #[must_use]
    pub fn gemini_daily_quota(wait: Duration) -> Self {
        Self::json(429, &bodies::gemini_exhausted("GenerateRequestsPerDayPerProjectPerModel-FreeTier", wait))
    }

    /// 429 `insufficient_quota`: the account is empty, whatever the status says.
    #[must_use]
    pub fn insufficient_quota() -> Self {
        Self::json(429, &bodies::insufficient_quota())
    }

    /// OpenRouter's 402.
    #[must_use]
    pub fn out_of_credit() -> Self {
        Self::json(402, &bodies::openrouter_out_of_credit())
    }

    /// Fireworks' 412 of an account that has not paid.
    #[must_use]
    pub fn fireworks_suspended() -> Self {
        Self::json(412, &bodies::fireworks_suspended())
    }

    /// 503 of a provider without capacity.
    #[must_use]
    pub fn overloaded() -> Self {
        Self::json(503, &bodies::overloaded())
    }

    /// Anthropic's 529.
    #[must_use]
    pub fn anthropic_overloaded() -> Self {
        Self::json(529, &bodies::anthropic("overloaded_error", "Overloaded"))
    }

    /// Gemini's 503, whose body is a list.
    #[must_use]
    pub fn gemini_overloaded() -> Self {
        Self::json(503, &bodies::gemini_overloaded())
    }

    /// 500.
    #[must_use]
    pub fn server_error() -> Self {
        Self::json(500, &bodies::server_error())
    }

    /// 502 with the HTML page of a proxy.
    #[must_use]
    pub fn bad_gateway() -> Self {
        Self::raw(502, "text/html", bodies::BAD_GATEWAY_PAGE)
    }

    /// 400 of a request that is longer than the model takes.
    #[must_use]
    pub fn context_length() -> Self {
        Self::json(400, &bodies::context_length())
    }

    /// 400 of a prompt that Azure's filter refuses.
    #[must_use]
    pub fn content_filter() -> Self {
        Self::json(400, &bodies::content_filter())
    }

    /// 400 of a request that is wrong in itself.
    #[must_use]
    pub fn invalid_request() -> Self {
        Self::json(400, &bodies::invalid_request())
    }

    /// 401 of a key that is not known.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::json(401, &bodies::unauthorized())
    }

    /// Gemini's 400 of a key that is not known.
    #[must_use]
    pub fn gemini_bad_key() -> Self {
        Self::json(400, &bodies::gemini_bad_key())
    }

    /// 403 of a key that may not do this.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::json(403, &bodies::forbidden())
    }

    /// 404 of a model the provider does not have.
    #[must_use]
    pub fn model_not_found(model: &str) -> Self {
        Self::json(404, &bodies::model_not_found(model))
    }

    /// A redirect of this status, such as 301 or 307.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::empty(status).header("location", location)
    }

    /// 200 with the login page of a guest network.
    #[must_use]
    pub fn login_page() -> Self {
        Self::raw(200, "text/html; charset=utf-8", bodies::LOGIN_PAGE)
    }

    /// 200 with an error for a body, as OpenRouter sends it.
    #[must_use]
    pub fn error_with_status_200() -> Self {
        Self::json(200, &bodies::error_with_status_200())
    }

    /// The call is read and the connection reset.
    #[must_use]
    pub fn reset() -> Self {
        Self::empty(200).at(Place::BeforeHead, Fault::Reset)
    }

    /// The call is read and nothing ever comes.
    #[must_use]
    pub fn silence() -> Self {
        Self::empty(200).at(Place::BeforeHead, Fault::Silence)
    }

    /// An overload in a protocol's own words: 503, and Anthropic's 529.
    #[must_use]
    pub fn overloaded_as(protocol: Protocol) -> Self {
        match protocol {
            Protocol::OpenAi => Self::overloaded(),
            Protocol::Anthropic => Self::anthropic_overloaded(),
            Protocol::Gemini => Self::json(503, &bodies::gemini_unavailable()),
            Protocol::Ollama => Self::json(503, &bodies::ollama(bodies::OLLAMA_OVERLOADED)),
        }
    }

    /// 500 in a protocol's own words.
    #[must_use]
    pub fn server_error_as(protocol: Protocol) -> Self {
        match protocol {
            Protocol::OpenAi => Self::server_error(),
            Protocol::Anthropic => Self::json(500, &bodies::anthropic("api_error", "Internal server error")),
            Protocol::Gemini => Self::json(500, &bodies::gemini_internal()),
            Protocol::Ollama => Self::json(500, &bodies::ollama(bodies::OLLAMA_RUNNER_STOPPED)),
        }
    }

    /// After so many tokens of the answer comes an error event in the words of the protocol that was called, and the stream
    /// ends.
    #[must_use]
    pub fn error_after_tokens(self, tokens: usize) -> Self {
        self.error_event_at(Place::AfterTokens(tokens)).at(Place::AfterTokens(tokens), Fault::End)
    }

    /// What a script without replies left says.
    pub(super) fn script_is_over(call: &ReceivedCall) -> Self {
        let message = format!("the script has no reply to call {} of this provider", call.number);
        Self::json(501, &bodies::openai(&message, "scripted", None, Some("script_is_over")))
    }
}
