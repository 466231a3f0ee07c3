//! A request as one target is asked it: put into its protocol, with what can be known of that beforehand.

use std::sync::Arc;

use crate::config::{ApiKey, OnInterrupt, Protocol};
use crate::provider::{
    Call, Defaults, Dialogue, EncodeError, Encoded, Reading, can_prefill, encode, encode_embeddings, output_limit,
    unsupported,
};
use crate::transport::HttpCall;
use crate::types::{ChatRequest, Event, Failure, FailureKind};

use super::Router;
use super::asked::Asked;
use super::endpoint::Endpoint;
use super::journey::Journey;
use super::output::Output;
use super::seam::Seam;
use super::seat::Seat;

/// What is known of a request at one target before it is sent.
#[derive(Debug)]
pub(super) struct Outlook {
    /// What the target could not be asked for, in words; `None` where it can be asked.
    pub(super) shortfall: Option<String>,
    /// What the answers may have there.
    pub(super) output: Output,
}

/// How a request is put, besides what its caller says.
#[derive(Debug, Clone, Copy, Default)]
struct Manner<'a> {
    /// Whether the reply is to come as a stream.
    stream: bool,
    /// The beginning of the answer, which the target is to go on with.
    prefill: Option<&'a str>,
    /// Output tokens at most for each answer, where nobody else bounds them.
    output_limit: Option<u32>,
}

impl Router {
    /// What is known of a request at each target of a route before it is sent.
    pub(super) fn outlooks(&self, request: &ChatRequest, streaming: bool, roster: &[Seat]) -> Vec<Outlook> {
        let speaks_otherwise =
            |seat| self.endpoint(seat).is_some_and(|endpoint: &Endpoint| endpoint.protocol != Protocol::OpenAi);
        // Whoever speaks the caller's own protocol can be asked for anything: the messages need not be read for them.
        let dialogue = roster.iter().any(speaks_otherwise).then(|| Dialogue::read(request.messages()));
        // Messages that cannot be read are the attempt's to complain of.
        let is_read = matches!(dialogue, Some(Ok(_)));
        let dialogue = dialogue.and_then(Result::ok).unwrap_or_default();
        let manner = Manner { stream: streaming, ..Manner::default() };
        let outlook = |seat: &Seat| {
            let Some(endpoint) = self.endpoint(seat) else { return Outlook { shortfall: None, output: Output::NONE } };
            let (answers, window) = (self.answers(request), seat.roster.context_window);
            self.with_call(request, &dialogue, seat, endpoint, manner, |call| Outlook {
                shortfall: if is_read { unsupported(endpoint.protocol, call) } else { None },
                output: Output::of(output_limit(endpoint.protocol, call), answers, window),
            })
        };
        roster.iter().map(outlook).collect()
    }

    /// Lays out the request as one target receives it, and does something with that.
    fn with_call<T>(
        &self,
        request: &ChatRequest,
        dialogue: &Dialogue<'_>,
        seat: &Seat,
        endpoint: &Endpoint,
        manner: Manner<'_>,
        work: impl FnOnce(&Call<'_>) -> T,
    ) -> T {
        let purpose = request.purpose.as_ref().and_then(|name| self.purposes.get(name));
        let mut defaults: Vec<Defaults<'_>> =
            purpose.map(|purpose| Defaults::Fields(&purpose.fields)).into_iter().collect();
        defaults.extend(endpoint.defaults_of(&seat.name.model).map(Defaults::Generation));
        defaults.extend([Defaults::Generation(&endpoint.defaults), Defaults::Generation(&self.defaults)]);
        let Manner { stream, prefill, output_limit } = manner;
        defaults.extend(output_limit.map(Defaults::OutputLimit));
        work(&Call {
            request,
            dialogue,
            provider: &endpoint.name,
            dialect: endpoint.dialect,
            model: &seat.name.model,
            defaults: &defaults,
            stream,
            prefill,
        })
    }
}

impl Journey {
    /// The call that carries the request to a target, how its reply is to be read, and how it joins what the caller
    /// already has. Each answer is bounded to `output_limit`, where that is said. What had to be left out or added is
    /// told.
    pub(super) fn lay_out(
        &mut self,
        seat: &Seat,
        endpoint: &Endpoint,
        key: Option<&ApiKey>,
        output_limit: Option<u32>,
    ) -> (Result<HttpCall, Failure>, Reading, Seam) {
        let request = match self.asked.clone() {
            Asked::Chat(request) => request,
            Asked::Embeddings(request) => {
                let body = encode_embeddings(&request, &seat.name.model);
                let reading = Reading { vectors: request.inputs(), ..Reading::default() };
                return (endpoint.embeddings_call(key, body), reading, Seam::None);
            }
        };
        match self.encode(&request, seat, endpoint, output_limit) {
            Ok((Encoded { body, reading, mut notes }, seam)) => {
                notes.extend(output_limit.map(limited));
                if !notes.is_empty() {
                    self.story.tell(Event::Adapted { target: Arc::clone(&seat.name), notes });
                }
                if self.sent.is_some() {
                    let goes_on = self.can_go_on(seat);
                    self.story.tell(Event::Resuming { target: Arc::clone(&seat.name), goes_on });
                }
                (endpoint.call(&seat.name.model, key, body, self.streaming), reading, seam)
            }
            Err(failure) => (Err(failure), Reading::default(), Seam::None),
        }
    }

    /// A chat in a target's protocol.
    ///
    /// # Errors
    /// When the request is at fault: no target of that protocol could be asked it.
    fn encode(
        &self,
        request: &ChatRequest,
        seat: &Seat,
        endpoint: &Endpoint,
        output_limit: Option<u32>,
    ) -> Result<(Encoded, Seam), Failure> {
        let goes_on = self.can_go_on(seat);
        let begun = self.sent.as_ref().filter(|_| goes_on).map(|sent| sent.text.as_str());
        // Blanks at the end make some providers refuse a beginning.
        let prefill = begun.map(str::trim_end);
        let seam = match (&self.sent, begun) {
            (None, _) => Seam::None,
            (Some(_), Some(begun)) => Seam::after_prefill(begun),
            (Some(sent), None) => Seam::afresh(sent.clone()),
        };
        let dialogue = dialogue(request, endpoint).map_err(|error| at_fault(&error))?;
        let manner = Manner { stream: self.streaming, prefill, output_limit };
        let encoded =
            self.router.with_call(request, &dialogue, seat, endpoint, manner, |call| encode(endpoint.protocol, call));
        Ok((encoded.map_err(|error| at_fault(&error))?, seam))
    }

    /// Whether a target goes on with the answer that the caller has the beginning of.
    pub(super) fn can_go_on(&self, seat: &Seat) -> bool {
        let (Some(sent), Asked::Chat(request)) = (&self.sent, &self.asked) else { return false };
        let Some(endpoint) = self.router.endpoint(seat) else { return false };
        // Within a call of a tool nobody can go on: half a JSON text is no turn of a conversation.
        if self.route.on_interrupt != OnInterrupt::Continue
            || !sent.calls.is_empty()
            || !Seam::can_go_on_from(&sent.text)
        {
            return false;
        }
        let Ok(dialogue) = dialogue(request, endpoint) else { return false };
        let manner = Manner { stream: true, ..Manner::default() };
        self.router.with_call(request, &dialogue, seat, endpoint, manner, |call| {
            can_prefill(endpoint.protocol, call, endpoint.prefill(&seat.name.model))
        })
    }
}

/// The messages, read where the target does not speak the caller's protocol.
fn dialogue<'r>(request: &'r ChatRequest, endpoint: &Endpoint) -> Result<Dialogue<'r>, EncodeError> {
    match endpoint.protocol {
        Protocol::OpenAi => Ok(Dialogue::default()),
        Protocol::Anthropic | Protocol::Gemini | Protocol::Ollama => Dialogue::read(request.messages()),
    }
}

fn limited(tokens: u32) -> String {
    format!(
        "at most {tokens} output tokens are asked for: a budget counts them, and nobody else bounds them (max_tokens)"
    )
}

fn at_fault(error: &EncodeError) -> Failure {
    Failure::new(FailureKind::InvalidRequest, error.to_string())
}
