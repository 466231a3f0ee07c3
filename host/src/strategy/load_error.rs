//! Why a strategy was not loaded, each with the line of configuration or the build flag that mends it.

use std::io;
use std::time::Duration;

use thiserror::Error;

#[cfg(feature = "oci")]
use super::RegistryError;
use super::{BUILT_IN, StrategyFault, plain_text};

/// What lets in a component that carries an interpreter: one line in place of four.
const FOR_INTERPRETERS: &str = "; with an interpreter in it (Python, JavaScript), set `sandbox.interpreters = true`";

/// Why a strategy was not loaded. The caller says which strategy and which route; sizes are in bytes.
#[derive(Debug, Error)]
pub enum LoadStrategyError {
    /// No built-in strategy has that name.
    #[error("no built-in strategy is called `{name}`: there are {}; a file is named with its path", BUILT_IN.join(", "))]
    NotBuiltIn {
        /// The name asked for.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read {path}: {source} (`strategy` of the route names a path from the working directory)")]
    Unreadable {
        /// The path of the configuration.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// It is in a registry, from which it does not come.
    #[cfg(feature = "oci")]
    #[error(transparent)]
    Registry(Box<RegistryError>),
    /// It is in a registry, and this program has no word with those.
    #[cfg(not(feature = "oci"))]
    #[error(
        "it is in a registry, and this program was built without the feature `oci`: build it with it, or name a file"
    )]
    NoRegistries,
    /// Another component than the one the configuration names.
    #[error(
        "its digest is sha256:{found}, and the route is pinned to sha256:{expected}: put that file back, or have `backstop strategy pin` write down this one"
    )]
    Unpinned {
        /// The digest in the configuration.
        expected: String,
        /// The digest of the file.
        found: String,
    },
    /// Nothing is in the file.
    #[error("the file is empty: build the strategy again")]
    Empty,
    /// WebAssembly in its text form.
    #[error("the file is WebAssembly text: `wasm-tools parse FILE -o FILE.wasm` makes the binary of it")]
    Text,
    /// Anything that is not WebAssembly.
    #[error("the file is not WebAssembly (it does not begin with `\\0asm`): name the `.wasm` that the build made")]
    NotWasm,
    /// The end is missing.
    #[error("the file is cut off: it ends in the middle of a section at byte {offset}; copy or build it again")]
    Truncated {
        /// Where its end was noticed.
        offset: usize,
    },
    /// Broken in another way than cut off.
    #[error("the file is damaged: {message}; build it again with a current toolchain")]
    Malformed {
        /// What the parser says.
        message: String,
    },
    /// More bytes than a module may have.
    #[error(
        "the file has {bytes} bytes, and may have {limit}: build it with `opt-level = \"s\"` and `strip = true`, or set `sandbox.module_mib`{FOR_INTERPRETERS}"
    )]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The most allowed.
        limit: usize,
    },
    /// A shape that would keep the compiler busy.
    #[error("it has {found} {what}, and may have {limit}: it would keep the compiler busy for too long")]
    TooComplex {
        /// What there is too much of.
        what: &'static str,
        /// How many.
        found: usize,
        /// The most allowed.
        limit: usize,
    },
    /// Memory shared between threads.
    #[error(
        "it declares a shared memory, and strategies have no threads: build it without `-C target-feature=+atomics` (`-pthread`)"
    )]
    SharedMemory,
    /// Memory with 64-bit addresses.
    #[error("it declares a 64-bit memory: build it for wasm32")]
    Memory64,
    /// More memory at the start than it may have at all.
    #[error(
        "it starts with {bytes} bytes of memory, and may have {limit}: link it with `-zstack-size=65536`, or set `sandbox.memory_mib`{FOR_INTERPRETERS}"
    )]
    LargeMemory {
        /// What it declares.
        bytes: u64,
        /// The most allowed.
        limit: usize,
    },
    /// A core module that nothing says the types of.
    #[error(
        "it is a plain core module, not a strategy: write it with the SDK (`backstop strategy new`) or with wit-bindgen's `strategy` world, which puts the types into the module"
    )]
    PlainModule,
    /// A core module for an operating system.
    #[error(
        "it is a core module that imports `{import}`: build it for wasm32-unknown-unknown, or make it a component with `wasm-tools component new --adapt`"
    )]
    Preview1 {
        /// The module it imports from.
        import: String,
    },
    /// A core module that does not fit the types it carries.
    #[error("its core module cannot be made a component: {message}; build it with the wit-bindgen of the current SDK")]
    NotEncodable {
        /// What the encoder says.
        message: String,
    },
    /// A component that is something else.
    #[error(
        "it exports {exports}, not `backstop:strategy/choose@1.0.0`: its world must say `export backstop:strategy/choose@1.0.0;`"
    )]
    MissingExport {
        /// What it does export.
        exports: String,
    },
    /// A strategy for another version of the contract.
    #[error("it exports `{found}`, and this host speaks version 1: build it with the `wit/` of this release")]
    WrongVersion {
        /// What it exports.
        found: String,
    },
    /// A `choose` of another package.
    #[error(
        "it exports `{found}`, which belongs to another package: its world must say `export backstop:strategy/choose@1.0.0;`"
    )]
    WrongPackage {
        /// What it exports.
        found: String,
    },
    /// An export of the right name and another type.
    #[error("its exports are not the contract's: {message}; build it with the `wit/` of this release, unchanged")]
    WrongType {
        /// Where the types part.
        message: String,
    },
    /// Something it wants that no strategy gets.
    #[error(
        "it imports `{import}`, which no strategy gets: leave that import out of its world (there are the powers `state`, `content` and `log`, and `wasi:*`, which traps unless it is granted)"
    )]
    UnlistedImport {
        /// The import.
        import: String,
    },
    /// A power it asks for, and was not granted.
    #[error("it {verb} `{interface}`, a power that it was not granted: write `{line}` under `[sandbox.grants]`")]
    NotGranted {
        /// `imports` or `exports`.
        verb: &'static str,
        /// The interface.
        interface: String,
        /// The line of the configuration that grants all it asks for.
        line: String,
    },
    /// An import of the right name and another type.
    #[error(
        "its imports cannot be linked: {message}; build it with the `wit/` of this release, and with WASI 0.2 or without WASI"
    )]
    WrongImport {
        /// What does not fit.
        message: String,
    },
    /// The compiler took too long.
    #[error(
        "it took longer than {limit:?} to compile: make it smaller, or set `sandbox.compile_time`{FOR_INTERPRETERS}"
    )]
    CompilesTooSlowly {
        /// The time allowed.
        limit: Duration,
    },
    /// Earlier modules that took too long still keep the compiler busy.
    #[error("the compiler is still busy with strategies that took too long: try again later")]
    CompilerBusy,
    /// The compiler gave up.
    #[error("the compiler failed on it: build it with another toolchain version, and report it with the file")]
    CompilerPanicked,
    /// Not valid, or of a kind that is switched off.
    #[error("it does not compile: {message}; build it without SIMD, threads and 64-bit memory")]
    NotCompilable {
        /// What the compiler says.
        message: String,
    },
    /// The engine itself could not be made.
    #[error("the WebAssembly engine cannot start here: {message}")]
    Engine {
        /// What wasmtime says.
        message: String,
    },
    /// Its start, or its description of itself, failed.
    #[error("it fails when it is started: {fault}{}", room_for(fault))]
    FailsAtStart {
        /// How.
        fault: StrategyFault,
    },
    /// The schema of its options cannot be read.
    #[error("its description's `options-schema` is not JSON: {message}")]
    BadSchema {
        /// Where it stops being JSON.
        message: String,
    },
    /// An option it does not have.
    #[error("it has no option `{option}`{}", suggestion(.nearest.as_deref(), .known))]
    UnknownOption {
        /// The option of the configuration.
        option: String,
        /// The option that may have been meant.
        nearest: Option<String>,
        /// All options there are.
        known: Vec<String>,
    },
    /// It does not take its options.
    #[error("it refuses its options: {message} (`options` of the route)")]
    Refused {
        /// The guest's own words.
        message: String,
    },
    /// It was configured, and could not answer the first question.
    #[error("it fails at its first question: {fault}")]
    FailsAtFirstQuestion {
        /// How.
        fault: StrategyFault,
    },
}

/// What is too large is so wherever it comes from.
#[cfg(feature = "oci")]
impl From<RegistryError> for LoadStrategyError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::TooLarge { bytes, limit } => Self::TooLarge { bytes, limit },
            other => Self::Registry(Box::new(other)),
        }
    }
}

impl LoadStrategyError {
    /// A guest's refusal of its options, in its own words made fit to be shown.
    pub(super) fn refused(message: &str) -> Self {
        Self::Refused { message: plain_text::tidy(message, 500) }
    }
}

/// Whom more room would help.
fn room_for(fault: &StrategyFault) -> &'static str {
    if matches!(fault, StrategyFault::OutOfFuel { .. }) { FOR_INTERPRETERS } else { "" }
}

fn suggestion(nearest: Option<&str>, known: &[String]) -> String {
    match nearest {
        Some(nearest) => format!(": did you mean `{nearest}`?"),
        None if known.is_empty() => ": it takes none".to_owned(),
        None => format!(": it takes {}", known.join(", ")),
    }
}
