//! A request as one target is asked it: put into its protocol, with what can be known of that beforehand.

use std::sync::Arc;

use crate::config::{ApiKey, OnInterrupt, Protocol};
use crate::provider::{
    Call, Defaults, Dialogue, EncodeError, Encoded, Reading, can_prefill, encode, encode_embeddings, unsupported,
};
use crate::transport::HttpCall;
use crate::types::{ChatRequest, Event, Failure, FailureKind};

use super::Router;
use super::asked::Asked;
use super::endpoint::Endpoint;
use super::journey::Journey;
use super::seam::Seam;
use super::seat::Seat;

impl Router {
    /// What each target of a route could not be asked for, in words; `None` where it can be asked.
    pub(super) fn shortfalls(&self, request: &ChatRequest, streaming: bool, roster: &[Seat]) -> Vec<Option<String>> {
        let speaks_otherwise =
            |seat| self.endpoint(seat).is_some_and(|endpoint: &Endpoint| endpoint.protocol != Protocol::OpenAi);
        // Whoever speaks the caller's own protocol can be asked for anything: the messages need not be read for them.
        if !roster.iter().any(speaks_otherwise) {
            return vec![None; roster.len()];
        }
        let Ok(dialogue) = Dialogue::read(request.messages()) else { return vec![None; roster.len()] };
        let shortfall = |seat: &Seat| {
            let endpoint = self.endpoint(seat)?;
            self.with_call(request, &dialogue, seat, endpoint, streaming, None, |call| {
                unsupported(endpoint.protocol, call)
            })
        };
        roster.iter().map(shortfall).collect()
    }

    /// Lays out the request as one target receives it, and does something with that.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the call that is laid out")]
    fn with_call<T>(
        &self,
        request: &ChatRequest,
        dialogue: &Dialogue<'_>,
        seat: &Seat,
        endpoint: &Endpoint,
        stream: bool,
        prefill: Option<&str>,
        work: impl FnOnce(&Call<'_>) -> T,
    ) -> T {
        let purpose = request.purpose.as_ref().and_then(|name| self.purposes.get(name));
        let mut defaults: Vec<Defaults<'_>> =
            purpose.map(|purpose| Defaults::Fields(&purpose.fields)).into_iter().collect();
        defaults.extend([Defaults::Generation(&endpoint.defaults), Defaults::Generation(&self.defaults)]);
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
    /// The call that carries the request to a target, how its reply is to be read, and how it joins what the caller already
    /// has. What had to be left out is told.
    pub(super) fn lay_out(
        &mut self,
        seat: &Seat,
        endpoint: &Endpoint,
        key: Option<&ApiKey>,
    ) -> (Result<HttpCall, Failure>, Reading, Seam) {
        let request = match self.asked.clone() {
            Asked::Chat(request) => request,
            Asked::Embeddings(request) => {
                let body = encode_embeddings(&request, &seat.name.model);
                let reading = Reading { vectors: request.inputs(), ..Reading::default() };
                return (endpoint.embeddings_call(key, body), reading, Seam::None);
            }
        };
        match self.encode(&request, seat, endpoint) {
            Ok((Encoded { body, reading, notes }, seam)) => {
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
    fn encode(&self, request: &ChatRequest, seat: &Seat, endpoint: &Endpoint) -> Result<(Encoded, Seam), Failure> {
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
        let encoded = self.router.with_call(request, &dialogue, seat, endpoint, self.streaming, prefill, |call| {
            encode(endpoint.protocol, call)
        });
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
        self.router.with_call(request, &dialogue, seat, endpoint, true, None, |call| {
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

fn at_fault(error: &EncodeError) -> Failure {
    Failure::new(FailureKind::InvalidRequest, error.to_string())
}
