//! The ways to misbehave.

use backstop_strategy::{OptionValue, Value};

/// A way to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Traps.
    Trap,
    /// Never answers.
    Loop,
    /// Overflows the stack.
    Recurse,
    /// Takes memory until there is none.
    GrowMemory,
    /// Names a target that is not there.
    OutOfRange,
    /// Leaves a note one byte too long.
    LongNote,
    /// Leaves a note of a million bytes.
    HugeNote,
    /// Gives a reason of a million bytes.
    HugeReason,
    /// Gives a reason that would take over a terminal.
    AnsiReason,
    /// Gives a reason that is no text.
    NotUtf8,
    /// Gives a reason that lies outside its memory.
    WildPointer,
    /// Leaves a note that lies outside its memory.
    WildNote,
    /// Wants to wait for `delay`, 49 days unless it says otherwise: the longest there is.
    LongDelay,
    /// Wants to wait a millisecond longer than there is time.
    PastDeadline,
    /// Allows an attempt no time.
    NoTime,
    /// Wants a second attempt at the same moment as the first.
    HedgeAtOnce,
    /// Holds where there is nothing to hold on to.
    HoldForever,
    /// Gives up at once.
    AlwaysGiveUp,
    /// Always chooses the first target, whatever became of it.
    AlwaysFirst,
    /// Always chooses the last target, whatever became of it.
    AlwaysLast,
    /// Chooses one that is not ready.
    NeverReady,
    /// Chooses the one that has just failed.
    SameAgain,
    /// Answers the same question differently each time.
    DifferentEachCall,
    /// Looks through its whole memory for a text, and tells as its reason whether it is there.
    Spy,
    /// Refuses its options.
    ConfigureError,
    /// Refuses its options in a million bytes.
    ConfigureHugeError,
    /// Traps on being configured.
    ConfigureTrap,
    /// Never finishes being configured.
    ConfigureLoop,
    /// Takes memory on being configured until there is none.
    ConfigureGrow,
}

impl Mode {
    /// All of them, by name.
    pub(crate) const ALL: [(&str, Self); 29] = [
        ("trap", Self::Trap),
        ("loop", Self::Loop),
        ("recurse", Self::Recurse),
        ("grow-memory", Self::GrowMemory),
        ("out-of-range", Self::OutOfRange),
        ("long-note", Self::LongNote),
        ("huge-note", Self::HugeNote),
        ("huge-reason", Self::HugeReason),
        ("ansi-reason", Self::AnsiReason),
        ("not-utf8", Self::NotUtf8),
        ("wild-pointer", Self::WildPointer),
        ("wild-note", Self::WildNote),
        ("long-delay", Self::LongDelay),
        ("past-deadline", Self::PastDeadline),
        ("no-time", Self::NoTime),
        ("hedge-at-once", Self::HedgeAtOnce),
        ("hold-forever", Self::HoldForever),
        ("always-give-up", Self::AlwaysGiveUp),
        ("always-first", Self::AlwaysFirst),
        ("always-last", Self::AlwaysLast),
        ("never-ready", Self::NeverReady),
        ("same-again", Self::SameAgain),
        ("different-each-call", Self::DifferentEachCall),
        ("spy", Self::Spy),
        ("configure-error", Self::ConfigureError),
        ("configure-huge-error", Self::ConfigureHugeError),
        ("configure-trap", Self::ConfigureTrap),
        ("configure-loop", Self::ConfigureLoop),
        ("configure-grow", Self::ConfigureGrow),
    ];
}

impl OptionValue for Mode {
    const EXPECTED: &'static str = "one of the modes in its schema";
    const SCHEMA: &'static str = r#""enum":["trap","loop","recurse","grow-memory","out-of-range","long-note","huge-note","huge-reason","ansi-reason","not-utf8","wild-pointer","wild-note","long-delay","past-deadline","no-time","hedge-at-once","hold-forever","always-give-up","always-first","always-last","never-ready","same-again","different-each-call","spy","configure-error","configure-huge-error","configure-trap","configure-loop","configure-grow"]"#;

    fn read(value: &Value) -> Option<Self> {
        Self::ALL.into_iter().find(|(name, _)| Some(*name) == value.as_str()).map(|(_, mode)| mode)
    }

    fn to_json(&self) -> String {
        let name = Self::ALL.into_iter().find(|(_, mode)| mode == self).map_or("", |(name, _)| name);
        Value::from(name).to_string()
    }
}

/// A text that is none.
#[allow(unsafe_code, reason = "this is what the host must withstand")]
pub(crate) fn not_utf8() -> String {
    // SAFETY: there is none, and the bytes go nowhere but to the host, which looks at them.
    unsafe { String::from_utf8_unchecked(vec![0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80]) }
}

/// A text of nearly 4 GiB, of which all but the beginning lies outside the memory.
#[cfg(target_arch = "wasm32")]
pub(crate) fn wild_text() -> String {
    #[allow(unsafe_code, reason = "this is what the host must withstand")]
    // SAFETY: there is none, as above.
    unsafe {
        String::from_utf8_unchecked(wild_bytes())
    }
}

/// The same as bytes.
#[cfg(target_arch = "wasm32")]
pub(crate) fn wild_bytes() -> Vec<u8> {
    let length = usize::MAX >> 1;
    #[allow(unsafe_code, reason = "this is what the host must withstand")]
    // SAFETY: there is none, as above.
    unsafe {
        Vec::from_raw_parts(std::ptr::without_provenance_mut(length), length, length)
    }
}

/// Natively there is no border to violate.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn wild_text() -> String {
    String::new()
}

/// Natively there is no border to violate.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn wild_bytes() -> Vec<u8> {
    Vec::new()
}
