//! What the end-to-end tests share: scripted providers on sockets, simulated ones without, the real binary, and the
//! situations to put it in.

mod stage;
pub mod pair;
mod cli;
mod compilers;
mod binary;
mod book;
mod clocks;
mod situations;
mod coverage;
mod snapshot;
mod heard;
mod http_reply;
mod load;
mod question;
mod redis;
mod registry;
mod served;
#[cfg(unix)]
mod postgres;
pub mod key_timing;
mod exposition;
mod protobuf;
mod collector;
pub mod directed;
pub mod drawn;
pub mod pouring;
pub mod simulated;
pub mod replay;

pub use binary::backstop_binary;
pub use book::{Chapter, Step, book, chapters, is_as_shown};
pub use cli::{Cli, CliRun};
pub use clocks::{clock_of, zone_at_noon};
pub use collector::{CollectedMessage, Collector, Manner};
pub use compilers::{COMPILERS_PATIENCE, compilers_path};
pub use coverage::{Coverage, CoverageRow, TestName};
pub use exposition::Exposition;
pub use heard::{Heard, HeardCall, HeardResult};
pub use http_reply::{HttpReply, exchange, post};
pub use load::{Answered, Load};
pub use pair::Pair;
#[cfg(unix)]
pub use postgres::{Postgres, Sync};
pub use protobuf::Wire;
pub use question::LONG_QUESTION;
pub use redis::Redis;
pub use registry::Registry;
pub use served::Served;
pub use situations::{Expected, Situation, situations};
pub use snapshot::Snapshot;
pub use stage::Stage;
