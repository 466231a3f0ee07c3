//! The load: so many requests at once until all have been made, each of them measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use backstop::client::Backstop;
use backstop::clock::{Clock, SystemClock};
use backstop::router::RouteError;
use backstop::types::{ChatRequest, NanoUsd, Purse, RequestId};
use tokio::task::JoinSet;

/// How much is to be asked, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) requests: u32,
    pub(super) concurrency: u32,
    pub(super) streaming: bool,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    /// Who answered; the word for the error where nobody did.
    pub(super) answered_by: Result<String, String>,
    pub(super) took: Duration,
    /// From the start to the first token, of streams.
    pub(super) first_token: Option<Duration>,
    /// HTTP calls.
    pub(super) attempts: u32,
    /// Whether more than one target was tried.
    pub(super) failed_over: bool,
    pub(super) cost: NanoUsd,
}

/// What a request brought.
struct Brought {
    id: Option<RequestId>,
    answered_by: Result<String, String>,
    first_token: Option<Duration>,
    attempts: u32,
}

impl Load {
    /// Puts it on a backstop; the samples, and how long it took in all.
    ///
    /// # Errors
    /// When a flag names what is not there: no request would be any different.
    pub(super) async fn put_on(
        self,
        backstop: &Backstop,
        asked: &ChatRequest,
    ) -> anyhow::Result<(Vec<Sample>, Duration)> {
        backstop.worst_cases(asked)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let left = Arc::new(AtomicU32::new(self.requests));
        let began = clock.now();
        let mut crew = JoinSet::new();
        for _ in 0..self.concurrency.min(self.requests) {
            let (backstop, asked, clock, left) =
                (backstop.clone(), asked.clone(), Arc::clone(&clock), Arc::clone(&left));
            crew.spawn(async move {
                let mut samples = Vec::new();
                while take_one(&left) {
                    samples.push(self.sample(&backstop, &asked, &*clock).await);
                }
                samples
            });
        }
        let mut samples = Vec::new();
        while let Some(done) = crew.join_next().await {
            samples.extend(done?);
        }
        Ok((samples, clock.now().since(began)))
    }

    async fn sample(self, backstop: &Backstop, asked: &ChatRequest, clock: &dyn Clock) -> Sample {
        let purse = Arc::new(Purse::unlimited());
        let request = asked.clone().with_purse(&purse);
        let began = clock.now();
        let brought = match self.streaming {
            true => stream(backstop, request, clock).await,
            false => whole(backstop, request).await,
        };
        let took = clock.now().since(began);
        let Brought { id, answered_by, first_token, attempts } = brought;
        let record = id.and_then(|id| backstop.explain(id));
        let failed_over = record.is_some_and(|record| record.failed_over());
        Sample { answered_by, took, first_token, attempts, failed_over, cost: purse.spent() }
    }
}

async fn whole(backstop: &Backstop, request: ChatRequest) -> Brought {
    match backstop.chat(request).await {
        Ok(answer) => Brought {
            id: Some(answer.id),
            answered_by: answer.target.map(|target| target.provider.to_string()).ok_or_else(|| "degraded".to_owned()),
            first_token: None,
            attempts: answer.attempts,
        },
        Err(error) => Brought::nothing(&error),
    }
}

async fn stream(backstop: &Backstop, request: ChatRequest, clock: &dyn Clock) -> Brought {
    let began = clock.now();
    let mut stream = match backstop.stream(request).await {
        Ok(stream) => stream,
        Err(error) => return Brought::nothing(&error),
    };
    let first_token = Some(clock.now().since(began));
    let mut broken = None;
    while let Some(piece) = stream.next().await {
        broken = piece.err().map(|_| "stream_interrupted".to_owned());
    }
    let by = stream.target.as_ref().map(|target| target.provider.to_string());
    let answered_by = match broken {
        Some(broken) => Err(broken),
        None => by.ok_or_else(|| "degraded".to_owned()),
    };
    Brought { id: Some(stream.id), answered_by, first_token, attempts: stream.attempts }
}

impl Brought {
    fn nothing(error: &RouteError) -> Self {
        let body = error.to_json();
        let code = body.pointer("/error/code").and_then(|code| code.as_str()).unwrap_or("failed");
        let attempts = u32::try_from(error.attempts().len()).unwrap_or(u32::MAX);
        Self { id: error.id(), answered_by: Err(code.to_owned()), first_token: None, attempts }
    }
}

/// Whether there is another request to make.
fn take_one(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}
