//! Powers beyond the question. Each has to be granted by the operator, under its own name; a component that uses none of
//! them asks for none.

pub mod content;
pub mod log;
pub mod state;
