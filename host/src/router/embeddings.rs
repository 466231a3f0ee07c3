//! Embeddings: a whole reply of another kind, from whichever target has the same model.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

use crate::clock::{Clock, Moment};
use crate::provider::{Vectors, decode_embeddings};
use crate::transport::ByteStream;
use crate::types::{EmbeddingRequest, Failure, NanoUsd, Observer, RequestId, TargetName, Usage};

use super::asked::Asked;
use super::attempt::{Line, Shape, read_whole};
use super::journey::Journey;
use super::limits::Limits;
use super::served::Served;
use super::{RouteError, Router};

/// The largest reply that is read: 2,048 vectors of 3,072 numbers, written out in full, are some 130 MiB.
const LARGEST_REPLY: usize = 160 << 20;

/// Embeddings, and how they came about.
#[derive(Debug, Clone)]
pub struct Embeddings {
    /// The request's name; its record can be asked for by it.
    pub id: RequestId,
    /// Who made them.
    pub target: Arc<TargetName>,
    /// Tokens, as the provider counted them.
    pub usage: Option<Usage>,
    /// What they cost, where the price is known.
    pub cost: Option<NanoUsd>,
    /// HTTP calls made for the request, the one that served included.
    pub attempts: u32,
    /// Which strategy decided.
    pub strategy: Arc<str>,
    /// From the request's start to the end of the reply.
    pub took: Duration,
    /// The reply as the provider sent it, byte for byte.
    pub body: Bytes,
}

/// A reply wanted as vectors.
struct Embedded;

#[derive(Deserialize)]
struct List {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: Option<usize>,
    embedding: Vec<f32>,
}

impl Embeddings {
    /// The vectors, in the order of the inputs.
    ///
    /// # Errors
    /// When they are not written as numbers: the request asked for `encoding_format: "base64"`, and [`Embeddings::body`] has them
    /// so.
    pub fn vectors(&self) -> Result<Vec<Vec<f32>>, serde_json::Error> {
        let mut list: List = serde_json::from_slice(&self.body)?;
        // A stable sort: those without a number stay where they are.
        list.data.sort_by_key(|item| item.index);
        Ok(list.data.into_iter().map(|item| item.embedding).collect())
    }
}

impl Shape for Embedded {
    const STREAMING: bool = false;
    type Received = Vectors;

    async fn receive(clock: &dyn Clock, limits: &Limits, line: Line, body: ByteStream) -> Result<Vectors, Failure> {
        let body = read_whole(clock, limits.first_token, body, LARGEST_REPLY).await?;
        decode_embeddings(&line.head(clock), &body, &line.reading)
    }

    fn began(_: &Vectors, now: Moment) -> Moment {
        now
    }
}

impl Router {
    /// Has texts embedded by one of the targets that have the model, and by no other model.
    ///
    /// # Errors
    /// When none of them can serve the request within its bounds; see [`RouteError`].
    pub async fn embed(
        self: &Arc<Self>,
        request: Arc<EmbeddingRequest>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Embeddings, RouteError> {
        let choice = self.choose_embedding(&request)?;
        let mut journey = self.set_off(Asked::Embeddings(request), Embedded::STREAMING, choice, observer);
        self.guard.begin(self.clock.now());
        match journey.travel::<Embedded>().await {
            Ok(served) => Ok(journey.arrive_with_vectors(served)),
            Err(error) => {
                journey.end_failed(&error);
                Err(error)
            }
        }
    }
}

impl Journey {
    /// Settles a reply with vectors.
    fn arrive_with_vectors(mut self, served: Served<Vectors>) -> Embeddings {
        let usage = served.received.usage;
        let target = Arc::clone(&served.target);
        let (Vectors { body, .. }, cost) = self.settle(served, usage);
        Embeddings {
            id: self.story.id(),
            target,
            usage,
            cost,
            attempts: self.story.attempts_made(),
            strategy: Arc::clone(&self.route.decider().name),
            took: self.story.elapsed(),
            body,
        }
    }
}
