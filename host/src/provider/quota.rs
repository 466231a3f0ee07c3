//! How much of its limits a reply says is left.

use http::HeaderMap;

/// The share left, 0 to 1, of the scarcest limit that the headers tell of; `None` where they tell of none.
///
/// Windows of a few seconds are left out: they are whole again before they could matter to anyone.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "a share needs no more than single precision")]
pub fn quota_left(headers: &HeaderMap) -> Option<f32> {
    // Most headers have nothing to do with it, and one search of a name shows that.
    let may_tell = |name: &str| name.contains("limit") && !name.contains("second");
    let pairs = headers.iter().filter(|(name, _)| may_tell(name.as_str())).filter_map(|(name, value)| {
        let limit = counterpart(name.as_str(), "remaining", "limit")?;
        let remaining = number(value.to_str().ok()?)?;
        Some(share_left(remaining, number(headers.get(limit)?.to_str().ok()?).filter(|limit| *limit >= 1.0)?))
    });
    pairs.chain(standard(headers)).min_by(f64::total_cmp).map(|share| share as f32)
}

/// The name of the header that goes with this one: `x-ratelimit-remaining-tokens` with `x-ratelimit-limit-tokens`. The
/// window a name ends in goes along with it.
pub(super) fn counterpart(name: &str, part: &str, other: &str) -> Option<String> {
    // Together tells of its tokens as `x-tokenlimit-remaining`.
    let is_of_limit = name.contains("ratelimit") || name.contains("tokenlimit");
    if !is_of_limit {
        return None;
    }
    let mut place = 0;
    for piece in name.split('-') {
        if piece == part {
            let (before, rest) = name.split_at(place);
            return Some([before, other, rest.strip_prefix(part)?].concat());
        }
        place += piece.len() + 1;
    }
    None
}

/// The share of a limit that is left; what remains beyond the limit (bursts) counts as all of it.
pub(super) fn share_left(remaining: f64, limit: f64) -> f64 {
    (remaining / limit).clamp(0.0, 1.0)
}

/// The IETF's own headers: `ratelimit: "api";r=999;t=295` with `ratelimit-policy: "api";q=1000;w=300`.
fn standard(headers: &HeaderMap) -> Option<f64> {
    let part = |header: &str, name: &str| {
        let text = headers.get(header)?.to_str().ok()?;
        text.split(';').find_map(|part| number(part.trim().strip_prefix(name)?))
    };
    let limit = part("ratelimit-policy", "q=").filter(|limit| *limit >= 1.0)?;
    Some(share_left(part("ratelimit", "r=")?, limit))
}

/// A count of any size; as a share it need not be exact.
fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn left(headers: &[(&'static str, &str)]) -> Option<f32> {
        quota_left(
            &headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
                .collect(),
        )
    }

    #[test]
    fn tells_the_scarcest_of_all_limits() {
        let requests = [("x-ratelimit-limit-requests", "1000"), ("x-ratelimit-remaining-requests", "250")];
        let tokens = [("x-ratelimit-limit-tokens", "6000"), ("x-ratelimit-remaining-tokens", "5400")];

        assert_eq!(left(&[requests, tokens].concat()), Some(0.25));
    }

    #[test]
    fn reads_the_spellings_of_providers() {
        for (limit, remaining) in [
            ("anthropic-ratelimit-input-tokens-limit", "anthropic-ratelimit-input-tokens-remaining"),
            ("x-ratelimit-limit", "x-ratelimit-remaining"),
            ("x-ratelimit-limit-tokens-minute", "x-ratelimit-remaining-tokens-minute"),
            ("x-ratelimitbysize-limit-month", "x-ratelimitbysize-remaining-month"),
            ("ratelimit-limit", "ratelimit-remaining"),
            ("x-tokenlimit-limit", "x-tokenlimit-remaining"),
            ("x-ratelimit-limit-tokens-prompt", "x-ratelimit-remaining-tokens-prompt"),
        ] {
            assert_eq!(left(&[(limit, "8"), (remaining, "2")]), Some(0.25), "{limit}");
        }
        assert_eq!(
            left(&[("ratelimit", "\"api\";r=250;t=295"), ("ratelimit-policy", "\"api\";q=1000;w=300")]),
            Some(0.25)
        );
    }

    /// The headers of whole replies, as providers were seen to send them.
    #[test]
    fn reads_what_real_providers_send() {
        let openai: &[(&'static str, &str)] = &[
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-limit-tokens", "200000"),
            ("x-ratelimit-remaining-requests", "9999"),
            ("x-ratelimit-remaining-tokens", "150000"),
            ("x-ratelimit-reset-requests", "8.64s"),
            ("x-ratelimit-reset-tokens", "15ms"),
        ];
        let groq: &[(&'static str, &str)] = &[
            ("x-ratelimit-limit-requests", "14400"),
            ("x-ratelimit-limit-tokens", "6000"),
            ("x-ratelimit-remaining-requests", "144"),
            ("x-ratelimit-remaining-tokens", "5900"),
            ("x-ratelimit-reset-requests", "2m59.56s"),
            ("x-ratelimit-reset-tokens", "7.66s"),
        ];
        let anthropic: &[(&'static str, &str)] = &[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "49"),
            ("anthropic-ratelimit-requests-reset", "2025-01-01T00:00:01Z"),
            ("anthropic-ratelimit-output-tokens-limit", "8000"),
            ("anthropic-ratelimit-output-tokens-remaining", "2000"),
        ];
        let cerebras: &[(&'static str, &str)] = &[
            ("x-ratelimit-limit-requests-day", "14400"),
            ("x-ratelimit-remaining-requests-day", "14399"),
            ("x-ratelimit-limit-tokens-minute", "60000"),
            ("x-ratelimit-remaining-tokens-minute", "30000"),
            ("x-ratelimit-reset-tokens-minute", "31.2"),
        ];
        let together: &[(&'static str, &str)] = &[
            ("x-ratelimit-limit", "60"),
            ("x-ratelimit-remaining", "59"),
            ("x-ratelimit-reset", "1"),
            ("x-tokenlimit-limit", "60000"),
            ("x-tokenlimit-remaining", "600"),
        ];

        let left = [openai, groq, anthropic, cerebras, together].map(left);

        assert_eq!(left, [0.75, 0.01, 0.25, 0.5, 0.01].map(Some));
    }

    #[test]
    fn bears_odd_numbers() {
        let left =
            |remaining: &str, limit: &str| left(&[("x-ratelimit-remaining", remaining), ("x-ratelimit-limit", limit)]);

        assert_eq!(left("59", "30"), Some(1.0));
        assert_eq!(left("-1", "30"), Some(0.0));
        assert_eq!(left("9223372036854767616", "9223372036854775808"), Some(1.0));
        for (remaining, limit) in [("7", "0"), ("7", "-1"), ("NaN", "3"), ("inf", "3"), ("many", "few"), ("1", "NaN")] {
            assert_eq!(left(remaining, limit), None, "{remaining} of {limit}");
        }
    }

    #[test]
    fn passes_over_windows_of_seconds_and_lonely_headers() {
        assert_eq!(
            left(&[("x-ratelimit-limit-req-10-second", "10"), ("x-ratelimit-remaining-req-10-second", "0")]),
            None
        );
        assert_eq!(left(&[("x-ratelimit-remaining-tokens", "5")]), None);
        assert_eq!(left(&[("x-ratelimit", "false")]), None);
    }

    proptest! {
        #[test]
        fn is_always_a_share(remaining in any::<f64>(), limit in any::<f64>()) {
            let share = left(&[
                ("x-ratelimit-remaining", remaining.to_string().as_str()),
                ("x-ratelimit-limit", limit.to_string().as_str()),
            ]);
            prop_assert!(share.is_none_or(|share| (0.0..=1.0).contains(&share)));
        }
    }
}
