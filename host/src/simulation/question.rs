//! What requests ask: each says in words how long it is and how long an answer it wants, so that a provider can tell.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::scenario::{AskAgain, Traffic};
use crate::random::Random;
use crate::types::ChatRequest;
use crate::{Backstop, RouteError};

/// Different sizes that requests of one kind have: each stands for an equal share of its distribution.
const SIZES: u32 = 64;

/// What the first message begins with.
const WANTS: &[u8] = b"Answer in ";

/// The words between the two numbers.
const IS: &str = " tokens what is asked in ";

/// Bytes that host and providers take for a token.
const BYTES_PER_TOKEN: usize = 3;

/// The requests that one kind of traffic is made of.
pub(super) struct Questions {
    sizes: Vec<ChatRequest>,
    streaming: f64,
    again: AskAgain,
    random: Random,
}

/// One request as its caller has it.
pub(super) struct Question {
    request: ChatRequest,
    is_streaming: bool,
    again: AskAgain,
}

/// The tokens of a question and of the answer it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) input: u32,
    pub(super) output: u32,
}

impl Questions {
    /// The requests of one kind of traffic.
    pub(super) fn of(traffic: &Traffic, seeds: &Random) -> Self {
        let random = Random::seeded(seeds.next());
        let share = |place: u32| (f64::from(place) + 0.5) / f64::from(SIZES);
        // Long questions go with long answers as often as with short ones.
        let mut places: Vec<u32> = (0..SIZES).collect();
        shuffle(&mut places, &random);
        let sizes = (0..SIZES).zip(places).map(|(input, output)| Size {
            input: traffic.input_tokens.count(share(input)),
            output: traffic.output_tokens.count(share(output)).min(traffic.max_tokens.unwrap_or(u32::MAX)),
        });
        Self {
            sizes: sizes.map(|size| request(traffic, size)).collect(),
            streaming: traffic.streaming,
            again: traffic.again,
            random,
        }
    }

    /// The next request.
    pub(super) fn next(&self) -> Option<Question> {
        let place = usize::try_from(self.random.next() % u64::from(SIZES)).unwrap_or(0);
        let is_streaming = self.random.share() < self.streaming;
        let request = self.sizes.get(place)?.clone();
        Some(Question { request, is_streaming, again: self.again })
    }
}

impl Question {
    /// Asks, and asks again where nobody answers, as often as its caller does. Tells whether the caller got an answer
    /// in the end.
    pub(super) async fn ask(self, backstop: Backstop, clock: Arc<dyn Clock>) -> bool {
        let Self { request, is_streaming, again } = self;
        for _ in 0..again.times {
            if once(&backstop, request.clone(), is_streaming).await.is_ok() {
                return true;
            }
            clock.sleep_until(clock.now() + again.after).await;
        }
        once(&backstop, request, is_streaming).await.is_ok()
    }
}

/// Nobody has answered, or not in full. The record says why.
struct Unanswered;

async fn once(backstop: &Backstop, request: ChatRequest, is_streaming: bool) -> Result<(), Unanswered> {
    let unanswered = |_: RouteError| Unanswered;
    if !is_streaming {
        return backstop.chat(request).await.map(|_| ()).map_err(unanswered);
    }
    let mut stream = backstop.stream(request).await.map_err(unanswered)?;
    while let Some(chunk) = stream.next().await {
        chunk.map_err(|_| Unanswered)?;
    }
    Ok(())
}

fn request(traffic: &Traffic, size: Size) -> ChatRequest {
    let said = format!("{}{}{IS}{}: ", String::from_utf8_lossy(WANTS), size.output, size.input);
    let length = (size.input as usize).saturating_mul(BYTES_PER_TOKEN);
    let padding = "x".repeat(length.saturating_sub(said.len()));
    let mut request = ChatRequest::ask(&(said + &padding));
    for (name, text) in &traffic.labels {
        request = request.with_label(name, text);
    }
    request = match traffic.max_tokens {
        Some(most) => request.with_field("max_tokens", &most),
        None => request,
    };
    match traffic.deadline {
        Some(deadline) => request.with_deadline(deadline),
        None => request,
    }
}

impl Size {
    /// Reads what a request says of itself; `None` where it says nothing of the kind.
    pub(super) fn told(body: &[u8]) -> Option<Self> {
        let at = memchr::memmem::find(body, WANTS)?;
        let (output, rest) = number(body.get(at + WANTS.len()..)?)?;
        let (input, _) = number(rest.strip_prefix(IS.as_bytes())?)?;
        Some(Self { input, output })
    }
}

/// A number, and what stands behind it.
fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(digits)?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

fn shuffle(places: &mut [u32], random: &Random) {
    for last in (1..places.len()).rev() {
        let other = usize::try_from(random.next() % (last as u64 + 1)).unwrap_or(0);
        places.swap(last, other);
    }
}
