//! What a client asks of Backstop itself, in the body's object `backstop` or in headers `x-backstop-…`. None of it changes
//! where a request is sent or with which key.

use std::time::Duration;

use http::HeaderMap;
use http::header::CACHE_CONTROL;
use indexmap::IndexMap;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::types::{CacheWish, ChatRequest, EmbeddingRequest, TraceParent};

use super::refusal::Refusal;

/// The wishes. The body's win over the headers': headers are often set once for all of a client's requests.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wishes {
    route: Option<String>,
    provider: Option<String>,
    purpose: Option<String>,
    context: Option<String>,
    labels: IndexMap<String, String>,
    fallback_text: Option<String>,
    timeout: Option<Timeout>,
    cache: Option<String>,
}

/// A length of time: a text with a unit, or a number of seconds, as clients have it.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Timeout {
    Seconds(f64),
    Text(String),
}

/// The object in the body.
const OBJECT: &str = "backstop";

/// What the headers' names begin with.
const PREFIX: &str = "x-backstop-";

/// Fields by which some clients send others' requests elsewhere. A gateway that obeyed them would give its keys away.
const NEVER_SENT: [&str; 3] = ["api_base", "base_url", "extra_headers"];

/// Labels of a request at most.
const MOST_LABELS: usize = 16;

/// Characters of a label's name and of its text at most.
const LONGEST_LABEL: usize = 256;

/// The longest timeout.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Takes the wishes out of a request, and puts them where the library looks for them.
pub(super) fn grant(request: &mut ChatRequest, headers: &HeaderMap) -> Result<(), Refusal> {
    let own = of_body(|field| request.take_field(field))?;
    let mut wishes = own.over(of_headers(headers)?);
    request.labels = wishes.take_labels()?;
    request.model = wishes.route.or(request.model.take());
    request.provider = wishes.provider;
    request.purpose = wishes.purpose;
    request.fallback_text = wishes.fallback_text;
    request.deadline = wishes.timeout.map(Timeout::length).transpose()?;
    request.cache =
        wishes.cache.map(|word| cache(&word)).transpose()?.or(of_cache_control(headers)).unwrap_or_default();
    let parent = headers.get("traceparent").and_then(|value| value.to_str().ok());
    request.parent = parent.and_then(TraceParent::parse);
    Ok(())
}

/// The same for a request for embeddings. A wish that has no meaning there is refused where it stands in the body, which was
/// written for this request; headers are often set once for all of a client's requests.
pub(super) fn grant_embeddings(request: &mut EmbeddingRequest, headers: &HeaderMap) -> Result<(), Refusal> {
    let own = of_body(|field| request.take_field(field))?;
    for (field, wish) in
        [("route", &own.route), ("purpose", &own.purpose), ("fallback_text", &own.fallback_text), ("cache", &own.cache)]
    {
        if wish.is_some() {
            return Err(fault(field, "has no meaning for embeddings; `model` names whose are wanted".to_owned()));
        }
    }
    let mut wishes = own.over(of_headers(headers)?);
    request.labels = wishes.take_labels()?;
    request.provider = wishes.provider;
    request.deadline = wishes.timeout.map(Timeout::length).transpose()?;
    Ok(())
}

/// Takes out of a body what is never sent on, and returns the wishes in it.
fn of_body(mut take: impl FnMut(&str) -> Option<Box<RawValue>>) -> Result<Wishes, Refusal> {
    for field in NEVER_SENT {
        take(field);
    }
    let Some(object) = take(OBJECT) else { return Ok(Wishes::default()) };
    let own: Option<Wishes> = serde_json::from_str(object.get()).map_err(|error| fault(OBJECT, error.to_string()))?;
    Ok(own.unwrap_or_default())
}

fn of_headers(headers: &HeaderMap) -> Result<Wishes, Refusal> {
    // Most requests have none: one look at the names is cheaper than looking each of ours up.
    if !headers.keys().any(|name| name.as_str().starts_with(PREFIX)) {
        return Ok(Wishes::default());
    }
    let text = |name: &str| match headers.get(name).map(|value| std::str::from_utf8(value.as_bytes())) {
        Some(Ok(text)) => Ok(Some(text.to_owned())),
        Some(Err(_)) => Err(fault(name, "is not UTF-8".to_owned())),
        None => Ok(None),
    };
    Ok(Wishes {
        route: text("x-backstop-route")?,
        provider: text("x-backstop-provider")?,
        purpose: text("x-backstop-purpose")?,
        context: text("x-backstop-context")?,
        labels: IndexMap::new(),
        fallback_text: text("x-backstop-fallback-text")?,
        timeout: text("x-backstop-timeout")?.map(Timeout::Text),
        cache: text("x-backstop-cache")?,
    })
}

impl Wishes {
    fn take_labels(&mut self) -> Result<Vec<(String, String)>, Refusal> {
        let context = self.context.take().map(|context| ("context".to_owned(), context));
        let labels: Vec<_> = context.into_iter().chain(std::mem::take(&mut self.labels)).collect();
        check_labels(&labels)?;
        Ok(labels)
    }

    fn over(self, others: Self) -> Self {
        Self {
            route: self.route.or(others.route),
            provider: self.provider.or(others.provider),
            purpose: self.purpose.or(others.purpose),
            context: self.context.or(others.context),
            labels: self.labels,
            fallback_text: self.fallback_text.or(others.fallback_text),
            timeout: self.timeout.or(others.timeout),
            cache: self.cache.or(others.cache),
        }
    }
}

impl Timeout {
    fn length(self) -> Result<Duration, Refusal> {
        let length = match self {
            Self::Seconds(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            Self::Text(text) => match text.trim().parse::<f64>() {
                Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
                Err(_) => text.trim().parse().ok().and_then(|length: SignedDuration| Duration::try_from(length).ok()),
            },
        };
        let length = length.filter(|length| !length.is_zero() && *length <= LONGEST);
        length.ok_or_else(|| fault("timeout", "must be a length of time, such as \"30s\" or 30".to_owned()))
    }
}

fn cache(word: &str) -> Result<CacheWish, Refusal> {
    CacheWish::parse(word.trim()).ok_or_else(|| fault("cache", "must be \"use\", \"refresh\" or \"bypass\"".to_owned()))
}

/// What a client says of caches in HTTP's own words. Whatever else stands there is for other caches.
fn of_cache_control(headers: &HeaderMap) -> Option<CacheWish> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let words: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    let says = |word: &str| words.iter().any(|said| said.eq_ignore_ascii_case(word));
    match (says("no-store"), says("no-cache")) {
        (true, _) => Some(CacheWish::Bypass),
        (false, true) => Some(CacheWish::Refresh),
        (false, false) => None,
    }
}

fn check_labels(labels: &[(String, String)]) -> Result<(), Refusal> {
    if labels.len() > MOST_LABELS {
        return Err(fault("labels", format!("at most {MOST_LABELS} are taken")));
    }
    let is_long = |text: &str| text.chars().nth(LONGEST_LABEL).is_some();
    if labels.iter().any(|(name, text)| is_long(name) || is_long(text)) {
        return Err(fault("labels", format!("none may be longer than {LONGEST_LABEL} characters")));
    }
    Ok(())
}

fn fault(field: &str, fault: String) -> Refusal {
    Refusal::Wish { field: field.to_owned(), fault }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::{Value, json};

    use super::*;

    fn granted(body: Value, headers: &[(&'static str, &'static str)]) -> Result<ChatRequest, String> {
        let mut body = body;
        body["messages"] = json!([{"role": "user", "content": "hi"}]);
        let mut request = ChatRequest::parse(body.to_string().as_bytes()).unwrap();
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        grant(&mut request, &headers.collect()).map_err(|refusal| refusal.to_string())?;
        Ok(request)
    }

    #[test]
    fn takes_what_is_asked_of_backstop_out_of_the_body() {
        let wishes = json!({
            "route": "fast", "provider": "groq", "purpose": "title", "context": "chat", "labels": {"team": "a"},
            "fallback_text": "later", "timeout": 2.5,
        });

        let request = granted(json!({"model": "m", "user": "u", "metadata": {"a": "b"}, "backstop": wishes}), &[]);

        let request = request.unwrap();
        assert_eq!(request.model.as_deref(), Some("fast"));
        assert_eq!(request.provider.as_deref(), Some("groq"));
        assert_eq!(request.purpose.as_deref(), Some("title"));
        assert_eq!(request.labels, [("context", "chat"), ("team", "a")].map(|(n, t)| (n.to_owned(), t.to_owned())));
        assert_eq!(request.fallback_text.as_deref(), Some("later"));
        assert_eq!(request.deadline, Some(Duration::from_millis(2_500)));
        assert_eq!(request.fields().keys().collect::<Vec<_>>(), ["user", "metadata"]);
    }

    #[test]
    fn takes_it_from_headers_where_the_body_does_not_say() {
        let headers =
            [("x-backstop-route", "slow"), ("x-backstop-timeout", "1m"), ("x-backstop-fallback-text", "später")];

        let request = granted(json!({"model": "m", "backstop": {"route": "fast"}}), &headers).unwrap();

        assert_eq!(request.model.as_deref(), Some("fast"));
        assert_eq!(request.deadline, Some(Duration::from_secs(60)));
        assert_eq!(request.fallback_text.as_deref(), Some("später"));
    }

    #[test]
    fn reads_what_is_wanted_of_the_cache() {
        let wish = |body: Value, headers: &[(&'static str, &'static str)]| granted(body, headers).unwrap().cache;
        let says = json!({"backstop": {"cache": "refresh"}});

        let wishes = [
            wish(json!({}), &[]),
            wish(says.clone(), &[]),
            wish(says, &[("x-backstop-cache", "bypass")]),
            wish(json!({}), &[("x-backstop-cache", "bypass")]),
            wish(json!({}), &[("cache-control", "max-age=0, No-Store")]),
            wish(json!({}), &[("cache-control", "no-cache")]),
            wish(json!({}), &[("cache-control", "no-cache"), ("x-backstop-cache", "use")]),
        ];

        use CacheWish::{Bypass, Refresh, Use};
        assert_eq!(wishes, [Use, Refresh, Refresh, Bypass, Bypass, Refresh, Use]);
    }

    #[test]
    fn sends_no_field_on_that_would_have_it_sent_elsewhere() {
        let body = json!({"api_base": "http://x", "base_url": "http://x", "extra_headers": {"a": "b"}, "seed": 7});

        let request = granted(body, &[("x-forwarded-host", "x")]).unwrap();

        assert_eq!(request.fields().keys().collect::<Vec<_>>(), ["seed"]);
    }

    #[test]
    fn grants_embeddings_what_has_a_meaning_there() {
        let body = json!({
            "model": "m", "input": "hi", "base_url": "http://x", "user": "u",
            "backstop": {"provider": "openai", "context": "search", "timeout": "5s"},
        });
        let mut request = EmbeddingRequest::parse(body.to_string().as_bytes()).unwrap();
        let for_chats = [("x-backstop-route", "fast"), ("x-backstop-fallback-text", "later")];
        let for_chats =
            for_chats.map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));

        grant_embeddings(&mut request, &HeaderMap::from_iter(for_chats)).unwrap();

        assert_eq!((request.model.as_str(), request.provider.as_deref()), ("m", Some("openai")));
        assert_eq!(request.labels, [("context".to_owned(), "search".to_owned())]);
        assert_eq!(request.deadline, Some(Duration::from_secs(5)));
        assert_eq!(request.fields().keys().collect::<Vec<_>>(), ["user"]);
    }

    #[test]
    fn refuses_embeddings_what_has_none() {
        for field in ["route", "purpose", "fallback_text", "cache"] {
            let body = json!({"model": "m", "input": "hi", "backstop": {field: "x"}}).to_string();
            let mut request = EmbeddingRequest::parse(body.as_bytes()).unwrap();

            let refusal = grant_embeddings(&mut request, &HeaderMap::new()).unwrap_err().to_string();

            assert!(refusal.starts_with(&format!("{field}: has no meaning for embeddings")), "{refusal}");
        }
    }

    #[test]
    fn says_which_wish_cannot_be_granted() {
        for (wishes, says) in [
            (json!({"rout": "fast"}), "backstop: unknown field `rout`, expected one of `route`"),
            (json!("fast"), "backstop: invalid type: string"),
            (json!({"timeout": 0}), "timeout: must be a length of time"),
            (json!({"timeout": "soon"}), "timeout: must be a length of time"),
            (json!({"timeout": -1}), "timeout: must be a length of time"),
            (json!({"cache": "no"}), "cache: must be \"use\", \"refresh\" or \"bypass\""),
            (json!({"context": "x".repeat(257)}), "labels: none may be longer"),
        ] {
            let refusal = granted(json!({"backstop": wishes}), &[]).unwrap_err();
            assert!(refusal.starts_with(says), "{refusal}");
        }
    }
}
