//! `log`: a line in the host's log, of 300 characters at most and not many of them. Natively lines go nowhere.

/// For whoever looks for trouble in the strategy itself.
pub fn debug(text: &str) {
    backing::line(backing::Level::Debug, text);
}

/// For whoever runs it.
pub fn info(text: &str) {
    backing::line(backing::Level::Info, text);
}

/// For whoever has to do something about it.
pub fn warn(text: &str) {
    backing::line(backing::Level::Warn, text);
}

/// The host's own.
#[cfg(target_arch = "wasm32")]
mod backing {
    pub(super) use crate::guest::bindings::backstop::strategy::log::{Level, line};
}

/// Nobody reads it.
#[cfg(not(target_arch = "wasm32"))]
mod backing {
    pub(super) enum Level {
        Debug,
        Info,
        Warn,
    }

    pub(super) const fn line(_: Level, _: &str) {}
}
