//! What an author writes.

use crate::{Ask, Decision, Options, Roster};

/// Decides which target a request goes to next.
///
/// The answer must depend on nothing but the question and what `configure` was told: instances come and go between any two
/// calls, and a recorded decision can be replayed. A request's own notes go into [`Decision::with_note`].
pub trait Strategy: Sized {
    /// What the operator may set; [`NoOptions`](crate::NoOptions) where that is nothing.
    type Options: Options;

    /// Prepares for a roster.
    ///
    /// # Errors
    /// Where the options make no sense: a sentence for the operator. The configuration is refused.
    fn configure(roster: &Roster, options: Self::Options) -> Result<Self, String>;

    /// Who is next? Asked for the first attempt, after each failure, and after each wait that did not end in an admission.
    fn next(&self, ask: &Ask<'_>) -> Decision;
}

/// What a strategy says of itself. [`export!`](crate::export!) takes it from the author's `Cargo.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The package's name.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// The package's description.
    pub summary: String,
    /// A JSON schema of the options; empty where it takes none.
    pub options_schema: String,
}
