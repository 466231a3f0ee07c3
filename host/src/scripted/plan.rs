//! A reply as steps on the wire: what is sent, when, and how it ends. Nothing is sent here.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::parts::{Part, body_length, body_parts, faults_at};
use super::reply::{Content, Framing};
use super::retry_after::http_date;
use super::shape::Shape;
use super::{Fault, Gate, Place, ReceivedCall, Reply};
use crate::config::Protocol;

/// What a connection does for one call.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) afterwards: Afterwards,
}

/// One thing to do.
#[derive(Debug)]
pub(super) enum Step {
    Send(Bytes),
    Drip { bytes: Bytes, every: Duration },
    Repeat { bytes: Bytes, every: Duration, times: Option<usize> },
    Wait(Duration),
    Hold(Gate),
}

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Afterwards {
    KeepAlive,
    Close,
    Reset,
    Silence,
}

/// What a fault does to the plan.
enum Effect {
    Steps(Step),
    EndOfBody,
    EndOfCall(Afterwards),
}

impl Plan {
    /// The plan of a reply to a call.
    pub(super) fn new(reply: &Reply, call: &ReceivedCall, now: Timestamp) -> Self {
        let streams = matches!(&reply.content, Content::Answer(_)) && reply.status == 200 && call.wants_stream();
        let parts = body_parts(reply, call, streams);
        let chunked = match reply.framing {
            Framing::Sound => streams,
            Framing::LengthOffBy(_) => false,
            Framing::NoLastChunk => true,
        };
        let mut plan = Self { steps: Vec::new(), afterwards: Afterwards::KeepAlive };
        for fault in opening_faults(reply, call, streams) {
            match effect(&fault, false) {
                Effect::Steps(step) => plan.steps.push(step),
                Effect::EndOfBody => return plan.ending(Afterwards::Close),
                Effect::EndOfCall(afterwards) => return plan.ending(afterwards),
            }
        }
        plan.steps.push(Step::Send(head(reply, call, now, streams, chunked, &parts)));
        plan.add_body(parts, chunked, reply)
    }

    fn add_body(mut self, parts: Vec<Part>, chunked: bool, reply: &Reply) -> Self {
        let framed = parts.into_iter().flat_map(|part| framed(part, chunked));
        for part in framed {
            let effect = match part {
                Framed::Raw(bytes) => Effect::Steps(Step::Send(bytes)),
                Framed::Fault(fault) => effect(&fault, chunked),
            };
            match effect {
                Effect::Steps(Step::Send(bytes)) => self.steps.push(match reply.drip {
                    Some(every) => Step::Drip { bytes, every },
                    None => Step::Send(bytes),
                }),
                Effect::Steps(step) => self.steps.push(step),
                Effect::EndOfBody => break,
                Effect::EndOfCall(afterwards) => return self.ending(afterwards),
            }
        }
        match reply.framing {
            Framing::LengthOffBy(_) | Framing::NoLastChunk => self.ending(Afterwards::Close),
            Framing::Sound if chunked => {
                self.steps.push(Step::Send(Bytes::from_static(b"0\r\n\r\n")));
                self
            }
            Framing::Sound => self,
        }
    }

    fn ending(mut self, afterwards: Afterwards) -> Self {
        self.afterwards = afterwards;
        self
    }
}

/// A part of the body with its framing around it.
enum Framed {
    Raw(Bytes),
    Fault(Fault),
}

fn framed(part: Part, chunked: bool) -> Vec<Framed> {
    match part {
        Part::Bytes(bytes) => vec![Framed::Raw(frame(bytes, chunked))],
        Part::Fault(fault) => vec![Framed::Fault(fault)],
        // What only stops or delays the chunk happens within it; what adds bytes needs chunks of its own around it.
        Part::Broken(bytes, faults) => {
            let halves = if faults.iter().any(adds_bytes) {
                let (head, tail) = halves(&bytes);
                (frame(head, chunked), frame(tail, chunked))
            } else {
                halves(&frame(bytes, chunked))
            };
            let middle = faults.into_iter().map(Framed::Fault);
            std::iter::once(Framed::Raw(halves.0)).chain(middle).chain([Framed::Raw(halves.1)]).collect()
        }
    }
}

fn frame(bytes: Bytes, chunked: bool) -> Bytes {
    // An empty chunk would be the last one.
    if !chunked || bytes.is_empty() {
        return bytes;
    }
    let size = format!("{:x}\r\n", bytes.len());
    Bytes::from([size.as_bytes(), &bytes, b"\r\n"].concat())
}

fn halves(bytes: &Bytes) -> (Bytes, Bytes) {
    let mut head = bytes.clone();
    let tail = head.split_off(bytes.len() / 2);
    (head, tail)
}

fn adds_bytes(fault: &Fault) -> bool {
    match fault {
        Fault::Bytes(_) | Fault::Repeat { .. } | Fault::End => true,
        Fault::Reset | Fault::Close | Fault::Silence | Fault::Pause(_) | Fault::Hold(_) => false,
    }
}

fn effect(fault: &Fault, chunked: bool) -> Effect {
    match fault {
        Fault::Reset => Effect::EndOfCall(Afterwards::Reset),
        Fault::Close => Effect::EndOfCall(Afterwards::Close),
        Fault::Silence => Effect::EndOfCall(Afterwards::Silence),
        Fault::End => Effect::EndOfBody,
        Fault::Pause(wait) => Effect::Steps(Step::Wait(*wait)),
        Fault::Hold(gate) => Effect::Steps(Step::Hold(gate.clone())),
        Fault::Bytes(bytes) => Effect::Steps(Step::Send(frame(bytes.clone(), chunked))),
        Fault::Repeat { bytes, every, times } => {
            Effect::Steps(Step::Repeat { bytes: frame(bytes.clone(), chunked), every: *every, times: *times })
        }
    }
}

/// What happens before the head: the faults placed there, and the wait of a completion that does not stream.
fn opening_faults(reply: &Reply, call: &ReceivedCall, streams: bool) -> Vec<Fault> {
    let pause = match &reply.content {
        Content::Answer(answer) if !streams => Some(answer.pacing.first_token_after).filter(|wait| !wait.is_zero()),
        Content::Answer(_) | Content::Fixed { .. } => None,
    };
    let mut faults = faults_at(reply, call, |place| place == Place::BeforeHead);
    faults.extend(pause.map(Fault::Pause));
    faults
}

fn head(reply: &Reply, call: &ReceivedCall, now: Timestamp, streams: bool, chunked: bool, parts: &[Part]) -> Bytes {
    let content_type = match &reply.content {
        Content::Answer(_) if streams => Some(Shape::of(call).content_type()),
        Content::Answer(_) => Some(whole_content_type(call.protocol())),
        Content::Fixed { content_type, .. } => content_type.as_deref(),
    };
    let length = match reply.framing {
        _ if chunked => None,
        Framing::LengthOffBy(bytes) => Some(body_length(parts).saturating_add_signed(bytes)),
        Framing::Sound | Framing::NoLastChunk if matches!(reply.status, 204 | 304) => None,
        Framing::Sound | Framing::NoLastChunk => Some(body_length(parts)),
    };
    let own = [
        Some(("date", http_date(now))),
        request_id_header(call.protocol()).map(|name| (name, format!("req_scripted_{}", call.number))),
        content_type.map(|value| ("content-type", value.to_owned())),
        chunked.then(|| ("transfer-encoding", "chunked".to_owned())),
        length.map(|length| ("content-length", length.to_string())),
    ];
    let is_replaced = |name: &str| reply.headers.iter().any(|(theirs, _)| theirs.eq_ignore_ascii_case(name));

    let mut head = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
    let own = own.into_iter().flatten().filter(|(name, _)| !is_replaced(name));
    let all = own
        .map(|(name, value)| (name.to_owned(), value))
        .chain(reply.retry_after.headers(now))
        .chain(reply.headers.iter().cloned());
    for (name, value) in all {
        head.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
    }
    head.push_str("\r\n");
    Bytes::from(head)
}

fn whole_content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::OpenAi | Protocol::Anthropic => "application/json",
        Protocol::Gemini => "application/json; charset=UTF-8",
        Protocol::Ollama => "application/json; charset=utf-8",
    }
}

fn request_id_header(protocol: Protocol) -> Option<&'static str> {
    match protocol {
        Protocol::OpenAi => Some("x-request-id"),
        Protocol::Anthropic => Some("request-id"),
        Protocol::Gemini | Protocol::Ollama => None,
    }
}

fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Scripted")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn places() -> impl Strategy<Value = Place> {
        prop_oneof![
            Just(Place::AfterHead),
            (0..4_usize).prop_map(Place::AfterTokens),
            (0..4_usize).prop_map(Place::WithinToken),
            Just(Place::BeforeDone),
            Just(Place::AfterDone),
        ]
    }

    fn orderly_faults() -> impl Strategy<Value = Fault> {
        prop_oneof![
            Just(Fault::End),
            Just(Fault::Pause(Duration::from_secs(1))),
            Just(Fault::malformed_event()),
            Just(Fault::Repeat { bytes: Bytes::from_static(b"abc"), every: Duration::ZERO, times: Some(3) }),
        ]
    }

    fn plan(answer: Reply, faults: Vec<(Place, Fault)>, stream: bool) -> Plan {
        let reply = faults.into_iter().fold(answer, |reply, (place, fault)| reply.at(place, fault));
        let call = ReceivedCall::with_body(json!({"stream": stream}));
        Plan::new(&reply, &call, Timestamp::UNIX_EPOCH)
    }

    /// Everything the steps send.
    fn sent(plan: &Plan) -> Vec<u8> {
        let mut sent = Vec::new();
        for step in &plan.steps {
            match step {
                Step::Send(bytes) | Step::Drip { bytes, .. } => sent.extend_from_slice(bytes),
                Step::Repeat { bytes, times, .. } => sent.extend(bytes.repeat(times.unwrap_or(0))),
                Step::Wait(_) | Step::Hold(_) => {}
            }
        }
        sent
    }

    proptest! {
        #[test]
        fn declares_the_length_it_sends_whatever_is_put_in_between(
            faults in proptest::collection::vec((places(), orderly_faults()), 0..5),
        ) {
            let sent = String::from_utf8(sent(&plan(Reply::answer("one two three"), faults, false))).unwrap();

            let (head, body) = sent.split_once("\r\n\r\n").unwrap();
            let length = format!("content-length: {}", body.len());
            prop_assert!(head.contains(&length), "{} of {}", length, head);
        }

        #[test]
        fn sends_sound_chunks_whatever_is_put_in_between(
            faults in proptest::collection::vec((places(), orderly_faults()), 0..5),
        ) {
            let sent = sent(&plan(Reply::answer("one two three"), faults, true));

            let place = sent.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
            let mut rest = &sent[place + 4..];
            while rest != b"0\r\n\r\n" {
                let end = rest.windows(2).position(|window| window == b"\r\n").expect("a size");
                let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
                prop_assert!(size > 0);
                prop_assert_eq!(&rest[end + 2 + size..end + 4 + size], b"\r\n");
                rest = &rest[end + 4 + size..];
            }
        }
    }

    #[test]
    fn sends_nothing_after_the_call_has_ended() {
        let faults = vec![(Place::BeforeHead, Fault::Reset), (Place::AfterHead, Fault::Silence)];

        let plan = plan(Reply::answer("yes"), faults, true);

        assert_eq!((plan.steps.len(), plan.afterwards), (0, Afterwards::Reset));
    }
}
