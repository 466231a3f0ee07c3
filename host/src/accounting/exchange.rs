//! Several instances that tell each other what their strategies note.

use std::sync::Arc;

use super::archive::{Change, NotebookName};

/// Tells other instances what is noted in a notebook, and the notebook what they note.
pub trait Exchange: Send + Sync {
    /// Has a notebook share its pages from now on. Blocks until it has what others noted before, a second at most.
    fn join(&self, notebook: Arc<dyn SharedPages>);
}

/// A notebook in which other instances write, too. Of two who write the same key at about the same time, the one that is heard later
/// has it.
pub trait SharedPages: Send + Sync {
    /// Whose it is.
    fn name(&self) -> &NotebookName;

    /// Hands over what was changed here and not told to others yet.
    fn untold(&self) -> Vec<Change>;

    /// Others were not told of these after all.
    fn keep(&self, untold: Vec<Change>);

    /// Takes what others have changed. What was changed here meanwhile stays: it will be told.
    fn hear(self: Arc<Self>, changes: Vec<Change>);

    /// Takes all that others have: what is not among it is not there any more, but for what was changed here meanwhile.
    fn hear_all(self: Arc<Self>, entries: Vec<Change>);

    /// Whoever keeps it for all has nothing of it: all is to be told.
    fn tell_all(&self);
}
