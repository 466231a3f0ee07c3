//! Recorded exchanges with real providers, replayed: a server says what was recorded, the real binary asks it, and what
//! comes out is held against an independent reading of the record.

mod exchange;
mod base64;
mod request;
mod server;
mod events;
mod expected;
mod run;
mod outcome;
mod explained;
mod table;

pub use exchange::{Api, Choice, Exchange, Expect, Kind};
pub use outcome::Outcome;
pub use run::run;
pub use table::{Row, Table};
