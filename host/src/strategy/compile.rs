//! From a module's bytes to machine code: on a thread of its own, for a limited time, with a panic of the compiler caught.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use wasmtime::Engine;
use wasmtime::component::Component;
use wit_component::ComponentEncoder;

use super::{LoadStrategyError, plain_text};

/// The compiler recurses with the nesting of the code it is given.
const STACK_BYTES: usize = 16 << 20;

/// Compilations that outlived their time limit and are still running. A thread cannot be stopped, so with this many of
/// them no other is begun: whoever feeds the host slow modules gets a refusal, not its processors.
const MOST_ABANDONED: usize = 4;
static ABANDONED: AtomicUsize = AtomicUsize::new(0);

/// Longest message kept of the compiler, in characters.
const MESSAGE_CHARS: usize = 500;

/// Compiles a component. Blocks for `limit` at most; never to be called from a request.
pub(super) fn compile(engine: &Engine, bytes: Arc<[u8]>, limit: Duration) -> Result<Component, LoadStrategyError> {
    let engine = engine.clone();
    within(limit, move || {
        Component::from_binary(&engine, &bytes)
            .map_err(|error| LoadStrategyError::NotCompilable { message: told(&format!("{error:#}")) })
    })
}

/// Makes a component of a core module that carries its types. Blocks for `limit` at most.
pub(super) fn encode(module: Arc<[u8]>, limit: Duration) -> Result<Arc<[u8]>, LoadStrategyError> {
    within(limit, move || {
        let encoded = ComponentEncoder::default().module(&module).and_then(|mut encoder| encoder.encode());
        encoded.map(Arc::from).map_err(|error| LoadStrategyError::NotEncodable { message: told(&format!("{error:#}")) })
    })
}

fn told(message: &str) -> String {
    plain_text::tidy(message, MESSAGE_CHARS)
}

/// Runs the work on a thread of its own and waits for it so long. The thread is the panic guard: a panic ends it, and
/// is seen here as a result that never came.
fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, LoadStrategyError> + Send + 'static,
) -> Result<T, LoadStrategyError> {
    if ABANDONED.load(Ordering::Relaxed) >= MOST_ABANDONED {
        return Err(LoadStrategyError::CompilerBusy);
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    let worker = thread::Builder::new().name("backstop-compile".to_owned()).stack_size(STACK_BYTES);
    let started = worker.spawn(move || drop(sender.send(work())));
    let running = started.map_err(|error| LoadStrategyError::Engine { message: error.to_string() })?;
    match receiver.recv_timeout(limit) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(LoadStrategyError::CompilerPanicked),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            abandon(running);
            Err(LoadStrategyError::CompilesTooSlowly { limit })
        }
    }
}

/// Counts a running compilation among the abandoned ones until it ends.
fn abandon(running: thread::JoinHandle<()>) {
    ABANDONED.fetch_add(1, Ordering::Relaxed);
    let watch = move || {
        drop(running.join());
        ABANDONED.fetch_sub(1, Ordering::Relaxed);
    };
    if thread::Builder::new().name("backstop-compile-end".to_owned()).spawn(watch).is_err() {
        // Without the watching thread nobody will know when it ends: better one too few counted than one forever.
        ABANDONED.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_work_that_takes_too_long_and_takes_new_work_once_that_ended() {
        let (release, released) = mpsc::channel::<()>();
        let endless = within(Duration::from_millis(1), move || {
            let _ = released.recv();
            Ok(())
        });
        assert!(matches!(endless, Err(LoadStrategyError::CompilesTooSlowly { .. })));

        drop(release);
        let next = within(Duration::from_secs(60), || Ok(7));

        assert_eq!(next.unwrap(), 7);
    }

    #[test]
    fn catches_a_panic_of_the_compiler() {
        let panicked = within(Duration::from_secs(60), || -> Result<(), _> { panic!("a bug in the compiler") });

        assert!(matches!(panicked, Err(LoadStrategyError::CompilerPanicked)));
    }
}
