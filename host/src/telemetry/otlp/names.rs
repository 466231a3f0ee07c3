//! Names of attributes and metrics: OpenTelemetry's where it has one, else ours, which begin with `backstop.`.

pub(super) const OPERATION: &str = "gen_ai.operation.name";
pub(super) const PROVIDER: &str = "gen_ai.provider.name";
pub(super) const REQUEST_MODEL: &str = "gen_ai.request.model";
pub(super) const RESPONSE_MODEL: &str = "gen_ai.response.model";
pub(super) const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
pub(super) const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
pub(super) const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
pub(super) const CACHE_CREATION_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
pub(super) const TOKEN_TYPE: &str = "gen_ai.token.type";
pub(super) const ERROR_TYPE: &str = "error.type";
pub(super) const STATUS: &str = "http.response.status_code";
pub(super) const SERVICE: &str = "service.name";
pub(super) const SERVICE_VERSION: &str = "service.version";

pub(super) const TOKEN_USAGE: &str = "gen_ai.client.token.usage";
pub(super) const DURATION: &str = "gen_ai.client.operation.duration";
pub(super) const REQUESTS: &str = "backstop.requests";
pub(super) const FAIL_OVERS: &str = "backstop.fail_overs";

pub(super) const REQUEST_ID: &str = "backstop.request_id";
pub(super) const ROUTE: &str = "backstop.route";
pub(super) const STRATEGY: &str = "backstop.strategy";
pub(super) const OUTCOME: &str = "backstop.outcome";
pub(super) const ATTEMPTS: &str = "backstop.attempts";
pub(super) const COST: &str = "backstop.cost_usd";
pub(super) const STREAMING: &str = "backstop.streaming";
pub(super) const FIRST_TOKEN: &str = "backstop.first_token_ms";
pub(super) const LABEL: &str = "backstop.label.";
pub(super) const ATTEMPT: &str = "backstop.attempt";
pub(super) const END: &str = "backstop.end";
pub(super) const FROM: &str = "backstop.from";
pub(super) const TO: &str = "backstop.to";
pub(super) const TARGET: &str = "backstop.target";
pub(super) const VERDICT: &str = "backstop.verdict";
pub(super) const REASON: &str = "backstop.reason";
pub(super) const WAIT: &str = "backstop.wait_ms";

/// The one operation there is.
pub(super) const CHAT: &str = "chat";

/// What a provider of the configuration is called in the conventions, where it is one they know by another name.
pub(super) fn provider(name: &str) -> &str {
    match name {
        "gemini" => "gcp.gemini",
        "mistral" => "mistral_ai",
        "xai" => "x_ai",
        other => other,
    }
}
