//! The request that a question and the flags make.

use backstop::types::ChatRequest;

use super::args::WishArgs;

/// A request with the flags applied and, where one is given, the system message, but without a question yet.
pub(crate) fn request(wish: &WishArgs) -> ChatRequest {
    let request = match &wish.system {
        Some(system) => ChatRequest::new().with_message("system", system),
        None => ChatRequest::new(),
    };
    adapt(request, wish)
}

/// A request with the flags applied over what it says itself.
pub(crate) fn adapt(mut request: ChatRequest, wish: &WishArgs) -> ChatRequest {
    if let Some(max_tokens) = wish.max_tokens {
        request = request.with_field("max_tokens", &max_tokens);
    }
    if let Some(temperature) = wish.temperature {
        request = request.with_field("temperature", &temperature);
    }
    if let Some(context) = &wish.context {
        request = request.with_label("context", context);
    }
    for (name, text) in &wish.labels {
        request = request.with_label(name, text);
    }
    request.model = wish.route.clone().or_else(|| wish.model.clone()).or(request.model);
    request.provider = wish.provider.clone();
    request.purpose = wish.purpose.clone();
    request.deadline = wish.deadline;
    request.fallback_text = wish.fallback_text.clone();
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carries_what_was_wished() {
        let wish = WishArgs {
            max_tokens: Some(40),
            provider: Some("groq".into()),
            route: Some("fast".into()),
            system: Some("Be brief.".into()),
            context: Some("moderation".into()),
            labels: vec![("user".into(), "ann".into())],
            ..WishArgs::default()
        };

        let request = request(&wish).with_message("user", "Why?");

        let messages: Vec<&str> = request.messages().iter().map(|message| message.get()).collect();
        assert_eq!(messages, [r#"{"role":"system","content":"Be brief."}"#, r#"{"role":"user","content":"Why?"}"#,]);
        assert_eq!(request.fields()["max_tokens"].get(), "40");
        assert_eq!(request.model.as_deref(), Some("fast"));
        let labels: Vec<_> = request.labels.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(labels, [("context", "moderation"), ("user", "ann")]);
    }

    #[test]
    fn says_nothing_that_was_not_wished() {
        let request = request(&WishArgs::default());

        assert!(request.messages().is_empty() && request.fields().is_empty() && request.labels.is_empty());
        assert_eq!((request.model, request.provider), (None, None));
    }
}
