//! Bodies of errors as the providers really send them, organisation and request ids aside.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::config::Protocol;

/// The shape OpenAI gave to errors, and most others took over.
pub(crate) fn openai(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Value {
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}

/// Anthropic's shape.
pub(crate) fn anthropic(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_scripted"})
}

pub(crate) fn rate_limited(wait: Option<Duration>) -> Value {
    let again = wait.map(|wait| format!(" Please try again in {}s.", wait.as_secs_f64())).unwrap_or_default();
    let message = format!(
        "Rate limit reached for gpt-4o in organization org-scripted on requests per min (RPM): Limit 3, Used 3, \
         Requested 1.{again} Visit https://platform.openai.com/account/rate-limits to learn more."
    );
    openai(&message, "requests", None, Some("rate_limit_exceeded"))
}

pub(crate) fn groq_rate_limited(wait: Duration) -> Value {
    let message = format!(
        "Rate limit reached for model `llama-3.1-8b-instant` in organization `org_scripted` service tier `on_demand` on \
         tokens per minute (TPM): Limit 6000, Used 5914, Requested 1822. Please try again in {}s. Need more tokens? \
         Upgrade to Dev Tier today at https://console.groq.com/settings/billing",
        wait.as_secs_f64()
    );
    json!({"error": {"message": message, "type": "tokens", "code": "rate_limit_exceeded"}})
}

pub(crate) fn cerebras_queue_full() -> Value {
    json!({
        "message": "We're experiencing high traffic right now! Please try again soon.",
        "type": "too_many_requests_error", "param": "queue", "code": "queue_exceeded",
    })
}

pub(crate) fn together_rate_limited() -> Value {
    openai(
        "You have been rate limited. Your rate limit is 60 queries per minute. Please navigate to \
         https://api.together.xyz/settings/billing to upgrade to a paid plan.",
        "credit_limit",
        None,
        None,
    )
}

pub(crate) fn fireworks_rate_limited() -> Value {
    json!({
        "error": "Too Many Requests",
        "message": "You have exceeded your usage limits. Please try again later or contact Fireworks to explore \
                    dedicated capacity.",
    })
}

pub(crate) fn openrouter_rate_limited(reset_ms: i64) -> Value {
    let headers =
        json!({"X-RateLimit-Limit": "16", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset_ms.to_string()});
    json!({
        "error": {
            "code": 429, "message": "Rate limit exceeded: free-models-per-min. ",
            "metadata": {"headers": headers, "provider_name": null},
        },
        "user_id": "user_scripted",
    })
}

/// Gemini's 429 over its OpenAI-compatible endpoint: a list of one, with the wait in the message and among the details.
/// Only the quota's id tells a minute's limit from a day's.
pub(crate) fn gemini_exhausted(quota_id: &str, wait: Duration) -> Value {
    let seconds = wait.as_secs_f64();
    let message = format!(
        "You exceeded your current quota, please check your plan and billing details. For more information on this \
         error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. \n* Quota exceeded for metric: \
         generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 10, model: gemini-2.5-flash\n\
         Please retry in {seconds}s."
    );
    let violation = json!({
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
        "quotaId": quota_id,
        "quotaDimensions": {"location": "global", "model": "gemini-2.5-flash"},
        "quotaValue": "10",
    });
    json!([{"error": {
        "code": 429, "message": message, "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.Help", "links": [{
                "description": "Learn more about Gemini API quotas",
                "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
            }]},
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{}s", wait.as_secs())},
        ],
    }}])
}

pub(crate) fn gemini_overloaded() -> Value {
    json!([{"error": {
        "code": 503, "message": "The model is overloaded. Please try again later.", "status": "UNAVAILABLE",
    }}])
}

pub(crate) fn gemini_bad_key() -> Value {
    json!([{"error": {
        "code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT",
        "details": [{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
            "domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"},
        }],
    }}])
}

pub(crate) fn insufficient_quota() -> Value {
    openai(
        "You exceeded your current quota, please check your plan and billing details. For more information on this \
         error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
        "insufficient_quota",
        None,
        Some("insufficient_quota"),
    )
}

pub(crate) fn openrouter_out_of_credit() -> Value {
    json!({"error": {
        "message": "This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can \
                    only afford 3395. To increase, visit https://openrouter.ai/settings/credits and upgrade to a paid \
                    account",
        "code": 402, "metadata": {"provider_name": null},
    }})
}

pub(crate) fn fireworks_suspended() -> Value {
    json!({
        "error": {
            "message": "Account scripted is suspended, possibly due to reaching the monthly spending limit or failure to \
                        pay past invoices. Please go to https://fireworks.ai/account/billing for more information.",
            "param": null, "code": "PRECONDITION_FAILED", "type": "error",
        },
        "request_id": "chatcmpl-scripted",
    })
}

pub(crate) fn server_error() -> Value {
    openai(
        "The server experienced an error while processing your request. Sorry about that! You can retry your request, \
         or contact us through our help center at help.openai.com if the error persists.",
        "server_error",
        None,
        None,
    )
}

pub(crate) fn overloaded() -> Value {
    openai(
        "Engine Overloaded: The server is experiencing a high volume of requests and is temporarily overloaded.",
        "service_unavailable",
        None,
        None,
    )
}

pub(crate) fn context_length() -> Value {
    openai(
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 10513 tokens. Please \
         reduce the length of the messages.",
        "invalid_request_error",
        Some("messages"),
        Some("context_length_exceeded"),
    )
}

/// Azure's refusal of a prompt.
pub(crate) fn content_filter() -> Value {
    let severe = json!({"filtered": true, "severity": "high"});
    let safe = json!({"filtered": false, "severity": "safe"});
    json!({"error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. \
                    Please modify your prompt and retry. To learn more about our content filtering policies please read \
                    our documentation: https://go.microsoft.com/fwlink/?linkid=2198766",
        "type": null, "param": "prompt", "code": "content_filter", "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {"hate": safe, "self_harm": safe, "sexual": safe, "violence": severe},
        },
    }})
}

pub(crate) fn invalid_request() -> Value {
    openai(
        "Invalid value for 'temperature': expected a number between 0 and 2, but got 3 instead.",
        "invalid_request_error",
        Some("temperature"),
        Some("decimal_above_max_value"),
    )
}

pub(crate) fn unauthorized() -> Value {
    openai(
        "Incorrect API key provided: sk-scri****pted. You can find your API key at \
         https://platform.openai.com/account/api-keys.",
        "invalid_request_error",
        None,
        Some("invalid_api_key"),
    )
}

pub(crate) fn forbidden() -> Value {
    openai("You are not allowed to sample from this model", "invalid_request_error", None, None)
}

pub(crate) fn model_not_found(model: &str) -> Value {
    let message = format!("The model `{model}` does not exist or you do not have access to it.");
    openai(&message, "invalid_request_error", None, Some("model_not_found"))
}

/// An overload in Gemini's own protocol, which has no list around it.
pub(crate) fn gemini_unavailable() -> Value {
    json!({"error": {
        "code": 503, "message": "The model is overloaded. Please try again later.", "status": "UNAVAILABLE",
    }})
}

/// Gemini's 500.
pub(crate) fn gemini_internal() -> Value {
    json!({"error": {
        "code": 500, "status": "INTERNAL",
        "message": "An internal error has occurred. Please retry or report in \
                    https://developers.generativeai.google/guide/troubleshooting",
    }})
}

/// Ollama's shape.
pub(crate) fn ollama(message: &str) -> Value {
    json!({"error": message})
}

pub(crate) const OLLAMA_OVERLOADED: &str = "Server overloaded, please retry shortly (ref: scripted)";

pub(crate) const OLLAMA_RUNNER_STOPPED: &str = "llama runner process has terminated: exit status 2";

/// An error within a stream, as each protocol has it.
pub(crate) fn error_event(protocol: Protocol) -> Bytes {
    Bytes::from(match protocol {
        Protocol::OpenAi => format!("data: {}\n\n", server_error()),
        Protocol::Anthropic => format!("event: error\ndata: {}\n\n", anthropic("overloaded_error", "Overloaded")),
        Protocol::Gemini => format!("data: {}\r\n\r\n", gemini_unavailable()),
        Protocol::Ollama => format!("{}\n", ollama(OLLAMA_RUNNER_STOPPED)),
    })
}

/// What OpenRouter sends with status 200 when the provider behind it failed.
pub(crate) fn error_with_status_200() -> Value {
    json!({
        "error": {"code": 502, "message": "Provider returned error", "metadata": {"provider_name": "DeepInfra"}},
        "user_id": "user_scripted",
    })
}

pub(crate) const BAD_GATEWAY_PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n";

pub(crate) const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n<body><h1>Welcome to the \
    guest network</h1><form action=\"/login\"><input name=\"room\"></form></body></html>\n";
