//! Threads that nobody waits for give way to those that answer requests.

/// Has the calling thread give way to others, by so many steps of niceness: on a machine that is busy it runs in smaller portions, and
/// a request is not held up by the milliseconds that it takes to write many others down. Where the system does not let it, or has no
/// niceness of single threads, everything is as before.
pub(crate) fn give_way(steps: i32) {
    #[cfg(all(target_os = "linux", feature = "store"))]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), steps);
    #[cfg(not(all(target_os = "linux", feature = "store")))]
    let _ = steps;
}

/// For what is written for later, such as records: it may be late.
pub(crate) const FOR_LATER: i32 = 10;

/// For what requests will want before long, such as the ledger.
#[cfg(feature = "store")]
pub(crate) const FOR_SOON: i32 = 5;
