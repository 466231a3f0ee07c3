//! A stage that another program directs: a test in Python, in JavaScript, in a browser.

mod behaviour;
mod replies;
mod embeddings;
mod flags;
mod control;
mod performance;

pub use behaviour::{Act, Behaviour, BehaviourError};
pub use flags::{Casting, Flags, HELP};
pub use performance::Performance;
