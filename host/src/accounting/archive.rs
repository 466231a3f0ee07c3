//! Where what strategies note outlives the process.

use std::sync::Arc;

/// A key, and its value unless it was removed.
pub type Change = (String, Option<Vec<u8>>);

/// Whose notes they are: a strategy's on a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NotebookName {
    /// The route.
    pub route: Arc<str>,
    /// The strategy, as the configuration names it.
    pub strategy: Arc<str>,
}

/// Keeps what strategies note.
pub trait Archive: Send + Sync {
    /// What was kept of a notebook, once, when it is opened. Blocks: not for a thread that serves requests.
    fn entries(&self, name: &NotebookName) -> Vec<(String, Vec<u8>)>;

    /// Takes note that a notebook has changed and is to be read as soon as may be. Returns at once; `false` where it is not
    /// taken, now or for good.
    fn changed(&self, notebook: Arc<dyn Changes>) -> bool;
}

/// A notebook with changes that are not in the archive yet.
pub trait Changes: Send + Sync {
    /// Whose it is.
    fn name(&self) -> &NotebookName;

    /// Hands over what has changed since the last time.
    fn take(&self) -> Vec<Change>;
}
