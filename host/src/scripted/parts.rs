//! The body of a reply in parts: what is sent, and what goes wrong in between. Framing comes later.

use std::time::Duration;

use super::events::{Event, Events};
use super::reply::{Content, Mishap};
use super::shape::Shape;
use super::{Answer, Fault, Place, ReceivedCall, Reply, anthropic, bodies, completion, gemini, ollama};
use crate::config::Protocol;
use bytes::Bytes;

/// A part of the body, before it is framed.
pub(super) enum Part {
    Bytes(Bytes),
    /// Bytes with something in the middle of them.
    Broken(Bytes, Vec<Fault>),
    Fault(Fault),
}

/// The body of a reply to a call, part by part.
pub(super) fn body_parts(reply: &Reply, call: &ReceivedCall, streams: bool) -> Vec<Part> {
    match &reply.content {
        Content::Answer(answer) if streams => stream_parts(reply, answer, call),
        Content::Answer(answer) => whole_parts(reply, call, whole_body(answer, call)),
        Content::Fixed { body, .. } => whole_parts(reply, call, body.clone()),
    }
}

/// The bytes of the body up to where it ends in good order.
pub(super) fn body_length(parts: &[Part]) -> u64 {
    let mut length = 0_u64;
    for part in parts {
        let (bytes, faults) = match part {
            Part::Bytes(bytes) => (bytes.len(), &[][..]),
            Part::Broken(bytes, faults) if faults.iter().any(|fault| matches!(fault, Fault::End)) => {
                (bytes.len() / 2, faults.as_slice())
            }
            Part::Broken(bytes, faults) => (bytes.len(), faults.as_slice()),
            Part::Fault(fault) => (0, std::slice::from_ref(fault)),
        };
        length = length.saturating_add(bytes as u64);
        for fault in faults {
            match fault {
                Fault::End => return length,
                Fault::Bytes(bytes) => length = length.saturating_add(bytes.len() as u64),
                Fault::Repeat { bytes, times, .. } => {
                    let times = times.unwrap_or(usize::MAX);
                    length = length.saturating_add(bytes.len().saturating_mul(times) as u64);
                }
                Fault::Reset | Fault::Close | Fault::Silence | Fault::Pause(_) | Fault::Hold(_) => {}
            }
        }
    }
    length
}

/// The faults at the places meant, in the order they were given.
pub(super) fn faults_at(reply: &Reply, call: &ReceivedCall, is_here: impl Fn(Place) -> bool) -> Vec<Fault> {
    let here = reply.mishaps.iter().filter(|(place, _)| is_here(*place));
    here.map(|(_, mishap)| match mishap {
        Mishap::Fault(fault) => fault.clone(),
        Mishap::ErrorEvent => Fault::Bytes(bodies::error_event(call.protocol())),
    })
    .collect()
}

fn whole_parts(reply: &Reply, call: &ReceivedCall, body: Bytes) -> Vec<Part> {
    let mut parts = Vec::new();
    add_faults(&mut parts, reply, call, |place| place == Place::AfterHead);
    add_content(&mut parts, reply, call, vec![(body, true)], Duration::ZERO);
    add_faults(&mut parts, reply, call, |place| place == Place::BeforeDone);
    add_faults(&mut parts, reply, call, |place| place == Place::AfterDone);
    parts
}

fn stream_parts(reply: &Reply, answer: &Answer, call: &ReceivedCall) -> Vec<Part> {
    let (pacing, shape, events) = (&answer.pacing, Shape::of(call), events(answer, call));
    let late = self::events(&Answer::new("late"), call);
    let mut is_first = true;
    let mut write = |event: &Event| shape.write(event, pacing, std::mem::take(&mut is_first));
    let mut parts = Vec::new();
    add_faults(&mut parts, reply, call, |place| place == Place::AfterHead);
    if !pacing.first_token_after.is_zero() {
        parts.push(Part::Fault(Fault::Pause(pacing.first_token_after)));
    }
    parts.extend(events.opening.iter().map(|event| Part::Bytes(write(event))));
    let pieces = events.content.iter().map(|event| (write(event), event.is_token)).collect();
    add_content(&mut parts, reply, call, pieces, pacing.between_tokens);
    parts.extend(events.closing.iter().map(|event| Part::Bytes(write(event))));
    add_faults(&mut parts, reply, call, |place| place == Place::BeforeDone);
    parts.extend(events.ending(pacing.ending, late).iter().map(|event| Part::Bytes(write(event))));
    parts.extend(shape.close().map(Part::Bytes));
    add_faults(&mut parts, reply, call, |place| place == Place::AfterDone);
    parts
}

fn add_faults(parts: &mut Vec<Part>, reply: &Reply, call: &ReceivedCall, is_here: impl Fn(Place) -> bool) {
    parts.extend(faults_at(reply, call, is_here).into_iter().map(Part::Fault));
}

/// Adds the pieces of the content, of which some are tokens, with what happens within and after each token. A place beyond the
/// last token is after the last.
fn add_content(
    parts: &mut Vec<Part>,
    reply: &Reply,
    call: &ReceivedCall,
    pieces: Vec<(Bytes, bool)>,
    between: Duration,
) {
    let count = pieces.iter().filter(|(_, is_token)| *is_token).count();
    let last = count.saturating_sub(1);
    let after = |done: usize| move |place| matches!(place, Place::AfterTokens(wanted) if wanted.min(count) == done);
    let within = |index: usize| move |place| matches!(place, Place::WithinToken(wanted) if wanted.min(last) == index);
    add_faults(parts, reply, call, after(0));
    let mut done = 0;
    for (bytes, is_token) in pieces {
        if !is_token {
            parts.push(Part::Bytes(bytes));
            continue;
        }
        if done > 0 && !between.is_zero() {
            parts.push(Part::Fault(Fault::Pause(between)));
        }
        let faults = faults_at(reply, call, within(done));
        parts.push(if faults.is_empty() { Part::Bytes(bytes) } else { Part::Broken(bytes, faults) });
        done += 1;
        add_faults(parts, reply, call, after(done));
    }
}

/// The events of an answer in the protocol of the call.
fn events(answer: &Answer, call: &ReceivedCall) -> Events {
    match call.protocol() {
        Protocol::OpenAi => completion::events(answer, call),
        Protocol::Anthropic => anthropic::events(answer, call),
        Protocol::Gemini => gemini::events(answer, call),
        Protocol::Ollama => ollama::events(answer, call),
    }
}

/// The whole answer in the protocol of the call.
fn whole_body(answer: &Answer, call: &ReceivedCall) -> Bytes {
    Bytes::from(match call.protocol() {
        Protocol::OpenAi if call.wants_embeddings() => answer.embeddings(call).to_string(),
        Protocol::OpenAi => answer.completion(call).to_string(),
        Protocol::Anthropic => anthropic::message(answer, call).to_string(),
        // Gemini's whole replies are meant for the eye.
        Protocol::Gemini => format!("{:#}\n", gemini::reply(answer, call)),
        Protocol::Ollama => ollama::reply(answer, call).to_string(),
    })
}
