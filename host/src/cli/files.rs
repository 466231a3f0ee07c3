//! How many files the process may have open; a connection is one.

/// Raises the limit as far as the system lets it, and tells how far that is.
#[cfg(unix)]
pub(super) fn raise_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // Where the system does not let it, the limit stays what it was.
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = if raised.is_ok() { maximum } else { current };
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

/// There is no such limit.
#[cfg(not(unix))]
pub(super) fn raise_limit() -> usize {
    usize::MAX
}
