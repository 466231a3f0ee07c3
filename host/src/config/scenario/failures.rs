//! How often calls fail, and in which way.

use crate::config::problem::{Fault, Read};
use crate::config::section::Section;
use crate::config::{units, value};
use crate::types::FailureKind;

/// The failures a simulated provider can be told to have, each by its name in a scenario.
pub const SIMULATED_FAILURES: [(&str, FailureKind); 10] = [
    ("rate_limited", FailureKind::RateLimited),
    ("quota_exhausted", FailureKind::QuotaExhausted),
    ("overloaded", FailureKind::Overloaded),
    ("server_error", FailureKind::ServerError),
    ("timeout", FailureKind::Timeout),
    ("connection", FailureKind::Connection),
    ("interrupted", FailureKind::Interrupted),
    ("malformed_reply", FailureKind::MalformedReply),
    ("authentication", FailureKind::Authentication),
    ("content_filtered", FailureKind::ContentFiltered),
];

/// The shares of calls that fail, by kind; together at most all of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Failures {
    shares: Vec<(FailureKind, f64)>,
}

impl Failures {
    /// Every call fails in this way.
    #[must_use]
    pub fn always(kind: FailureKind) -> Self {
        Self { shares: vec![(kind, 1.0)] }
    }

    /// How the call fails that this share of all calls comes before; `None` where it does not.
    #[must_use]
    pub fn at(&self, share: f64) -> Option<FailureKind> {
        let mut sum = 0.0;
        self.shares
            .iter()
            .find(|(_, of_kind)| {
                sum += of_kind;
                share < sum
            })
            .map(|(kind, _)| *kind)
    }
}

/// Reads the table of shares.
pub(super) fn read(section: &mut Section<'_, '_>, key: &'static str) -> Option<Failures> {
    let entry = section.entry(key)?;
    let mut table = section.open(entry)?;
    let mut failures = Failures::default();
    for (name, kind) in SIMULATED_FAILURES {
        failures.shares.extend(table.get(name, value::number(units::SHARE)).map(|share| (kind, share)));
    }
    table.finish();
    let sum: f64 = failures.shares.iter().map(|(_, share)| share).sum();
    if sum > 1.0 + 1e-9 {
        section.fault(
            entry,
            Fault::words(format!("more than all calls fail ({sum})"), "let the shares come to at most 1"),
        );
    }
    Some(failures)
}

/// Reads the name of one kind.
pub(super) fn kind(value: &toml::de::DeValue<'_>) -> Read<FailureKind> {
    let name = value::text(value)?;
    let found = SIMULATED_FAILURES.iter().find(|(known, _)| *known == name);
    let known = SIMULATED_FAILURES.map(|(known, _)| known);
    let mend = || crate::config::section::nearest_or_all(&name, &known);
    found.map(|(_, kind)| *kind).ok_or_else(|| Fault::words("no such failure", mend()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_each_kind_its_share() {
        let failures = Failures { shares: vec![(FailureKind::Overloaded, 0.25), (FailureKind::Timeout, 0.5)] };

        let met = [0.0, 0.2, 0.3, 0.7, 0.8, 0.99].map(|share| failures.at(share));

        let (overloaded, timeout) = (Some(FailureKind::Overloaded), Some(FailureKind::Timeout));
        assert_eq!(met, [overloaded, overloaded, timeout, timeout, None, None]);
        assert_eq!(Failures::always(FailureKind::Timeout).at(0.999_999), timeout);
    }
}
