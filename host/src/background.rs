//! Threads that nobody waits for give way to those that answer requests.

/// Steps of niceness.
#[cfg(all(target_os = "linux", feature = "store"))]
const STEPS: i32 = 10;

/// Has the calling thread give way to others: on a machine that is busy it runs in smaller portions, and a request is not held up by the
/// milliseconds that it takes to write many others down. For what may be late, such as records, and for nothing that a request
/// waits for. Where the system does not let it, or has no niceness of single threads, everything is as before.
pub(crate) fn give_way() {
    #[cfg(all(target_os = "linux", feature = "store"))]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), STEPS);
}
