//! What a decision took of what a guest may take.

/// What a decision took. Fuel is the same on every machine, and for the same question to the same strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Effort {
    /// Units of fuel that were used up (`sandbox.fuel`).
    pub fuel: u64,
    /// Bytes of memory the instance holds (`sandbox.memory_mib`).
    pub memory: usize,
}
