//! The table of codes and words by which a failure is recognised, whatever status it came under.
//!
//! Gathered from the real replies of some thirty providers. The first rule that fits decides; what no rule fits is decided
//! by the status alone (`classify`). A code fits whatever its case and separators: `RateLimitReached` is
//! `rate_limit_reached`. Words are looked for in the message, in lower case; a `*` (at most one) stands for a few words.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::error_body::ErrorBody;
use crate::types::FailureKind;

/// One line of the table.
struct Rule {
    kind: FailureKind,
    on: On,
    codes: &'static [&'static str],
    words: &'static [&'static str],
}

/// The statuses under which a rule is asked. An error within a success that names no status of its own passes everywhere.
#[derive(Clone, Copy)]
enum On {
    /// All.
    Any,
    /// 4xx but 429: the provider found fault with the request.
    Mistake,
    /// 400, 401, 403: where keys are refused.
    Refusal,
    /// 402, 403, 429: where limits are told.
    Limit,
    /// 408 and 5xx: the provider's own fault.
    Fault,
    /// Only errors within a success.
    InBand,
}

#[rustfmt::skip]
const TABLE: &[Rule] = &[
    Rule {
        kind: FailureKind::ContentFiltered,
        on: On::Mistake,
        codes: &[
            "content_filter", "content_policy_violation", "responsible_ai_policy_violation",
            "data_inspection_failed", "moderation_blocked", "input_moderation", "content_moderation",
            "prohibited_content", "safety_check_failed",
        ],
        words: &[
            "content management policy", "content policy", "content exists risk", "violates usage guidelines",
            "violates our usage polic", "moderation block", "input was flagged",
            "flagged as potentially violating", "failed check: safety", "safety system",
            "inappropriate content", "unsafe or sensitive content", "blocked by content filter",
            "considered high risk",
        ],
    },
    Rule {
        kind: FailureKind::QuotaExhausted,
        on: On::Any,
        codes: &[
            "insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached",
            "billing_not_active", "exceeded_current_quota_error", "insufficient_balance",
            "insufficient_credits", "insufficient_funds", "payment_required", "billing_error", "arrearage",
            "allocation_quota.free_tier_only", "quota_exhausted", "credits_exhausted", "out_of_credits",
            "spend_limit_exceeded", "usage_limit_reached", "quota_exceeded",
        ],
        words: &[
            "insufficient balance", "insufficient credit", "insufficient fund", "insufficient quota",
            "balance is too low", "balance is insufficient", "balance not enough",
            "exceeded your current quota", "requires more credits", "can only afford", "out of credits",
            "no credits", "any credits", "used all available credits", "credits are depleted",
            "credits have been exhausted", "add more credits", "included credits", "credit limit exceeded",
            "payment required", "spending limit", "spending cap", "spend limit", "billing hard limit",
            "account is not active", "key limit exceeded", "api usage limits", "usage limit reached",
            "usage limit exceeded", "hourly usage limit", "session usage limit", "daily usage limit",
            "weekly usage limit", "monthly usage limit", "weekly limit reached",
        ],
    },
    Rule {
        kind: FailureKind::QuotaExhausted,
        on: On::Limit,
        codes: &[],
        words: &[
            "per day", "per-day", "perday", "/day", "/ day", "daily", "(tpd)", "(rpd)", "per month",
            "per-month", "/month", "/ month", "monthly", "per week",
        ],
    },
    Rule {
        kind: FailureKind::Overloaded,
        on: On::Any,
        codes: &[
            "overloaded_error", "overloaded", "engine_overloaded_error", "server_overloaded",
            "server_is_overloaded", "model_overloaded", "queue_exceeded", "service_unavailable",
            "service_unavailable_error", "unavailable_error", "capacity_exceeded", "no_capacity",
            "no_available_capacity", "server_busy", "unavailable",
        ],
        words: &[
            "overloaded", "at capacity", "no capacity", "high demand", "high traffic", "server busy",
            "system is busy", "currently loading", "loading model", "pending requests exceeded",
            "over capacity",
        ],
    },
    Rule {
        kind: FailureKind::ContextLength,
        on: On::Mistake,
        codes: &[
            "context_length_exceeded", "context_window_exceeded", "too_many_prompt_tokens", "too_many_tokens",
            "exceed_context_size_error", "prompt_too_long", "input_too_long", "request_too_large",
            "tokens_exceeded",
        ],
        words: &[
            "maximum context length", "max context length", "context length exceeded", "context window",
            "context size", "context limit", "prompt is too long", "prompt too long", "input is too long",
            "input too long", "too many tokens", "input token count*exceeds", "prompt token count*exceeds",
            "exceeded model token limit", "maximum prompt length", "total length of all messages",
            "range of input length", "reduce the length of the messages", "reduce the length of the prompt",
            "request exceeds the maximum size", "tokens > *maximum", "tokens +*must be <=",
            "prompt exceeds max length",
        ],
    },
    Rule {
        kind: FailureKind::ContextLength,
        on: On::Fault,
        codes: &["exceed_context_size_error"],
        words: &["exceeds the available context size", "maximum context length", "prompt is too long"],
    },
    Rule {
        kind: FailureKind::ModelNotFound,
        on: On::Mistake,
        codes: &[
            "model_not_found", "model_decommissioned", "model_not_supported", "invalid_model",
            "model_not_available", "deployment_not_found", "unknown_model", "model_not_exist",
            "unavailable_model", "model_deprecated", "not_found_error",
        ],
        words: &[
            "model*not exist", "model*not found", "model*has been decommissioned",
            "model*was removed", "model*was deprecated", "model*has been deprecated", "model*is deprecated",
            "model*no longer available", "model*has been retired", "invalid model", "unknown model",
            "no such model", "not a valid model", "no endpoints found", "no allowed providers",
            "is not found for api version",
        ],
    },
    Rule {
        kind: FailureKind::Permission,
        on: On::Refusal,
        codes: &[
            "unsupported_country_region_territory", "permission_error", "permission_denied_error",
            "access_denied", "insufficient_permissions", "request_forbidden", "service_disabled",
            "api_key_service_blocked",
        ],
        words: &[
            "location is not supported", "region, or territory not supported", "insufficient permissions",
            "missing scopes", "not allowed to sample from this model", "requires a subscription",
        ],
    },
    Rule {
        kind: FailureKind::Authentication,
        on: On::Refusal,
        codes: &[
            "invalid_api_key", "authentication_error", "invalid_authentication", "invalid_authentication_error",
            "unauthenticated", "unauthorized", "api_key_invalid", "api_key_expired", "invalid_key",
            "missing_api_key", "account_deactivated", "invalid_token", "token_expired",
        ],
        words: &[
            "incorrect api key", "invalid api key", "invalid x-api-key", "api key not valid",
            "api key is invalid", "api key expired", "api key not found", "api key was reported",
            "invalid api token", "invalid authentication", "authentication fails", "authentication failed",
            "missing authentication", "no auth credentials", "unauthorized", "unregistered callers",
            "didn't provide an api key", "invalid subscription key", "invalid credentials", "login fail",
        ],
    },
    Rule {
        kind: FailureKind::RateLimited,
        on: On::Any,
        codes: &[
            "rate_limit_exceeded", "rate_limit_error", "rate_limit_reached", "rate_limit_reached_error",
            "rate_limited", "rate_limit", "rate_limit_exceeded_error", "too_many_requests",
            "too_many_requests_error", "too_many_tokens_error", "request_quota_exceeded",
            "token_quota_exceeded", "resource_exhausted", "dynamic_request_limited", "throttling",
            "throttling_exception", "throttling.rate_quota", "throttling.burst_rate",
            "throttling.allocation_quota", "limit_requests", "limit_burst_rate", "limit_exceeded",
            "concurrency_limit_exceeded",
        ],
        words: &[
            "rate limit", "rate-limit", "ratelimit", "too many requests", "too many concurrent", "throttl",
            "quota exceeded", "requests per minute", "tokens per minute", "request limit exceeded",
            "resource exhausted", "resource has been exhausted", "slow down", "concurrency limit",
            "max organization concurrency", "too high concurrency",
        ],
    },
    Rule {
        kind: FailureKind::Timeout,
        on: On::Fault,
        codes: &[
            "timeout", "timeout_error", "request_timeout", "gateway_timeout", "cf_gateway_timeout",
            "deadline_exceeded",
        ],
        words: &["timed out", "gateway time-out", "gateway timeout", "deadline exceeded", "request timeout"],
    },
    Rule {
        kind: FailureKind::InvalidRequest,
        on: On::InBand,
        codes: &["invalid_request_error", "invalid_argument", "bad_request", "bad_request_error"],
        words: &[],
    },
];

/// What a `*` stands for is at most so many bytes, within one sentence: the name of a model and a few words.
const WIDEST_GAP: usize = 120;

/// What the table says of an error under a status; 0 where the error came within a success and names none.
pub(super) fn look_up(error: &ErrorBody, status: u16) -> Option<FailureKind> {
    // What a client wrote comes back in quotation marks when it is found fault with; it must not pass for the provider's
    // own words, or anyone could have a target left alone.
    let echoes = matches!(status, 400 | 404 | 413 | 422);
    let words = if echoes { Cow::Owned(without_quotations(&error.words)) } else { Cow::Borrowed(&*error.words) };
    let fitting = INDEX.fitting(&error.codes, &words);
    let fits = |(place, rule): &(usize, &Rule)| fitting.get(*place) == Some(&true) && rule.on.includes(status);
    TABLE.iter().enumerate().find(fits).map(|(_, rule)| rule.kind)
}

/// The table, turned around: hundreds of words are looked for in one pass over a message.
struct Index {
    /// The rules of each code, by its letters.
    codes: HashMap<String, Vec<usize>>,
    /// The words, or what stands before their `*`.
    words: AhoCorasick,
    /// The rule of each, and the words whole.
    of_words: Vec<(usize, &'static str)>,
}

static INDEX: LazyLock<Index> = LazyLock::new(Index::new);

/// For each rule whether it fits by its codes or its words.
type Fitting = [bool; TABLE.len()];

impl Index {
    fn new() -> Self {
        let mut codes: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, rule) in TABLE.iter().enumerate() {
            rule.codes.iter().for_each(|code| codes.entry(letters(code)).or_default().push(place));
        }
        let words_of = |(place, rule): (usize, &'static Rule)| rule.words.iter().map(move |words| (place, *words));
        let of_words: Vec<(usize, &str)> = TABLE.iter().enumerate().flat_map(words_of).collect();
        let beginning = |(_, words): &(usize, &'static str)| words.split('*').next().unwrap_or(words);
        let words = AhoCorasick::new(of_words.iter().map(beginning));
        #[expect(clippy::expect_used, reason = "a table of a few hundred words, which every test looks through")]
        let words = words.expect("some hundred words fit into an automaton");
        Self { codes, words, of_words }
    }

    fn fitting(&self, codes: &[String], words: &str) -> Fitting {
        let mut fitting = [false; TABLE.len()];
        let by_code = codes.iter().filter_map(|code| self.codes.get(&letters(code))).flatten().copied();
        let found =
            self.words.find_overlapping_iter(words).filter_map(|found| self.of_words.get(found.pattern().as_usize()));
        let by_words = found.filter(|(_, pattern)| matches(pattern, words)).map(|(place, _)| *place);
        for place in by_code.chain(by_words) {
            if let Some(fits) = fitting.get_mut(place) {
                *fits = true;
            }
        }
        fitting
    }
}

impl On {
    fn includes(self, status: u16) -> bool {
        let in_band = status == 0;
        match self {
            Self::Any => true,
            Self::Mistake => in_band || ((400..500).contains(&status) && status != 429),
            Self::Refusal => in_band || matches!(status, 400 | 401 | 403),
            Self::Limit => in_band || matches!(status, 402 | 403 | 429),
            Self::Fault => in_band || status == 408 || (500..600).contains(&status),
            Self::InBand => in_band,
        }
    }
}

/// A code's letters and digits: case and separators say nothing.
fn letters(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Whether words whose beginning has been found are there as a whole.
fn matches(pattern: &str, words: &str) -> bool {
    // Words without a gap have been found.
    let Some((beginning, end)) = pattern.split_once('*') else { return true };
    let mut places = words.match_indices(beginning);
    places.any(|(at, _)| {
        let after = words.get(at + beginning.len()..).unwrap_or_default();
        after
            .find(end)
            .and_then(|gap| after.get(..gap))
            .is_some_and(|gap| gap.len() <= WIDEST_GAP && !gap.contains(". "))
    })
}

/// The text without what stands in quotation marks; an apostrophe is none.
fn without_quotations(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(mark) = rest.chars().next() {
        let after = rest.get(mark.len_utf8()..).unwrap_or_default();
        let opens = matches!(mark, '"' | '\'' | '`') && !before.is_alphanumeric();
        match after.find(mark).filter(|_| opens) {
            Some(end) => {
                kept.push(' ');
                rest = after.get(end + mark.len_utf8()..).unwrap_or_default();
                before = mark;
            }
            None => {
                kept.push(mark);
                rest = after;
                before = mark;
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_code_in_any_spelling() {
        assert_eq!(letters("rate_limit_reached"), letters("RateLimitReached"));
        assert_eq!(letters("throttling.rate_quota"), letters("Throttling.RateQuota"));
        assert_ne!(letters("rate_limit"), letters("rate_limit_reached"));
    }

    #[test]
    fn finds_words_with_a_name_between() {
        assert!(matches("model*does not exist", "the model `x` does not exist or"));
        assert!(matches("model*does not exist", "a model. the model gpt does not exist"));
        assert!(!matches("model*does not exist", "does not exist: the model"));
        assert!(!matches("model*does not exist", "the model is fine. the file does not exist"));
    }

    #[test]
    fn leaves_out_what_is_quoted() {
        assert_eq!(without_quotations(r#"invalid "too many requests", isn't 'x' it's"#), "invalid  , isn't   it's");
        assert_eq!(without_quotations("an open \"quotation"), "an open \"quotation");
    }

    #[test]
    fn every_pattern_is_written_as_it_is_searched_for() {
        for rule in TABLE {
            assert!(rule.words.iter().all(|words| *words == words.to_lowercase() && !words.is_empty()));
            assert!(rule.words.iter().all(|words| words.matches('*').count() <= 1));
            assert!(rule.codes.iter().all(|code| !code.is_empty()));
        }
    }
}
