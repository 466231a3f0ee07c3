//! What the end-to-end tests share: scripted providers on sockets, simulated ones without, the real binary, and the
//! situations to put it in.

mod stage;
mod cli;
mod binary;
mod situations;
mod coverage;
pub mod simulated;

pub use binary::backstop_binary;
pub use cli::{Cli, CliRun};
pub use coverage::{Coverage, CoverageRow, TestName};
pub use situations::{Expected, Situation, situations};
pub use stage::Stage;
