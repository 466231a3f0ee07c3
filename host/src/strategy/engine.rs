//! The one wasmtime engine of the host, with the clock tick that ends calls fuel cannot measure.

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use wasmtime::{Config, Engine, WasmFeatures};

use super::LoadStrategyError;

/// How often the epoch advances.
const TICK: Duration = Duration::from_millis(50);

/// Ticks after which a call is ended: about a second of wall time. Fuel decides what is too slow; this is for the work inside
/// one instruction that fuel undercounts. It is wide because it counts the time a busy machine gives to others, too: at
/// 100 ms innocent calls were ended while two compilers ran beside them.
pub(super) const DEADLINE_TICKS: u64 = 20;

/// The engine, made when it is first asked for and kept for the life of the program.
pub(super) fn engine() -> Result<&'static Engine, LoadStrategyError> {
    static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
    let made = ENGINE.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref().map_err(|message| LoadStrategyError::Engine { message: message.clone() })
}

fn make() -> wasmtime::Result<Engine> {
    let engine = Engine::new(&config())?;
    let ticking = engine.weak();
    // The thread outlives every strategy: it wakes 20 times a second to add one, and asks for nothing else.
    thread::Builder::new().name("backstop-epoch".to_owned()).stack_size(64 * 1024).spawn(move || {
        while let Some(engine) = ticking.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(engine)
}

fn config() -> Config {
    let mut config = Config::new();
    config.consume_fuel(true).epoch_interruption(true);
    // A decision is replayed bit for bit, on another machine too: no instruction may give what the processor likes.
    config.cranelift_nan_canonicalization(true);
    // What no toolchain of ours emits by default stays out: each proposal is compiler code that hostile input could reach.
    // Multi-memory is not among them: without it wasmtime panics on components that hand strings to each other.
    let unused = WasmFeatures::SIMD | WasmFeatures::RELAXED_SIMD | WasmFeatures::MEMORY64 | WasmFeatures::THREADS;
    config.wasm_features(unused, false);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_one_engine_for_all() {
        let (first, second) = (engine().unwrap(), engine().unwrap());

        assert!(wasmtime::Engine::same(first, second));
    }
}
