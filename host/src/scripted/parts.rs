//! The body of a reply in parts: what is sent, and what goes wrong in between. Framing comes later.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::answer::Pacing;
use super::reply::Content;
use super::{Answer, Ending, Fault, Place, ReceivedCall, Reply};

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
        Content::Answer(answer) => whole_parts(reply, Bytes::from(answer.completion(call).to_string())),
        Content::Fixed { body, .. } => whole_parts(reply, body.clone()),
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
pub(super) fn faults_at(reply: &Reply, is_here: impl Fn(Place) -> bool) -> Vec<Fault> {
    reply.faults.iter().filter(|(place, _)| is_here(*place)).map(|(_, fault)| fault.clone()).collect()
}

fn whole_parts(reply: &Reply, body: Bytes) -> Vec<Part> {
    let mut parts = Vec::new();
    add_faults(&mut parts, reply, |place| place == Place::AfterHead);
    add_tokens(&mut parts, reply, vec![body], Duration::ZERO);
    add_faults(&mut parts, reply, |place| place == Place::BeforeDone);
    add_faults(&mut parts, reply, |place| place == Place::AfterDone);
    parts
}

fn stream_parts(reply: &Reply, answer: &Answer, call: &ReceivedCall) -> Vec<Part> {
    let pacing = &answer.pacing;
    let mut parts = Vec::new();
    add_faults(&mut parts, reply, |place| place == Place::AfterHead);
    if !pacing.first_token_after.is_zero() {
        parts.push(Part::Fault(Fault::Pause(pacing.first_token_after)));
    }
    parts.push(Part::Bytes(event(&answer.opening_chunk(call), pacing)));
    let tokens = answer.content_chunks(call).iter().map(|chunk| event(chunk, pacing)).collect();
    add_tokens(&mut parts, reply, tokens, pacing.between_tokens);
    parts.extend(answer.closing_chunks(call).iter().map(|chunk| Part::Bytes(event(chunk, pacing))));
    add_faults(&mut parts, reply, |place| place == Place::BeforeDone);
    parts.extend(ending(answer, call).into_iter().map(Part::Bytes));
    add_faults(&mut parts, reply, |place| place == Place::AfterDone);
    parts
}

fn add_faults(parts: &mut Vec<Part>, reply: &Reply, is_here: impl Fn(Place) -> bool) {
    parts.extend(faults_at(reply, is_here).into_iter().map(Part::Fault));
}

/// Adds the tokens with what happens within and after each. A place beyond the last token is after the last.
fn add_tokens(parts: &mut Vec<Part>, reply: &Reply, tokens: Vec<Bytes>, between: Duration) {
    let count = tokens.len();
    let after = |done: usize| move |place| matches!(place, Place::AfterTokens(wanted) if wanted.min(count) == done);
    add_faults(parts, reply, after(0));
    for (index, token) in tokens.into_iter().enumerate() {
        if index > 0 && !between.is_zero() {
            parts.push(Part::Fault(Fault::Pause(between)));
        }
        let last = count.saturating_sub(1);
        let within = faults_at(reply, |place| matches!(place, Place::WithinToken(wanted) if wanted.min(last) == index));
        parts.push(if within.is_empty() { Part::Bytes(token) } else { Part::Broken(token, within) });
        add_faults(parts, reply, after(index + 1));
    }
}

fn ending(answer: &Answer, call: &ReceivedCall) -> Vec<Bytes> {
    let newline = answer.pacing.newline.as_str();
    let done = Bytes::from(format!("data: [DONE]{newline}{newline}"));
    match answer.pacing.ending {
        Ending::Done => vec![done],
        Ending::NoDone => Vec::new(),
        Ending::DoneTwice => vec![done.clone(), done],
        Ending::ContentAfterDone => {
            let more = Answer::new("late").content_chunks(call);
            std::iter::once(done).chain(more.iter().map(|chunk| event(chunk, &answer.pacing))).collect()
        }
    }
}

fn event(chunk: &Value, pacing: &Pacing) -> Bytes {
    let newline = pacing.newline.as_str();
    let comment = pacing.comment.as_ref().map(|text| format!(": {text}{newline}{newline}")).unwrap_or_default();
    Bytes::from(format!("{comment}data: {chunk}{newline}{newline}"))
}
