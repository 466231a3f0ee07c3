//! What a strategy may have beyond its question, and who was granted it.

use std::fmt;

use serde::{Serialize, Serializer};

use super::route::StrategyRef;

/// A power that the operator grants by name. Each but the last is an interface of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Power {
    /// To be told what became of each attempt.
    Observe,
    /// To remember from one request to the next.
    State,
    /// To read the messages of the request under decision.
    Content,
    /// To write lines into the host's log.
    Log,
    /// To have `wasi:*` imports answered, with nothing behind them but the question's own clock and entropy.
    Wasi,
}

/// A few powers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Powers(u8);

/// Who was granted what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants(Vec<(StrategyRef, Powers)>);

impl Power {
    /// All powers, in the order they are listed.
    pub const ALL: [Self; 5] = [Self::Observe, Self::State, Self::Content, Self::Log, Self::Wasi];

    /// Its name in the configuration, and that of its interface.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::State => "state",
            Self::Content => "content",
            Self::Log => "log",
            Self::Wasi => "wasi",
        }
    }

    /// The power that goes by a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|power| power.name() == name)
    }
}

impl Powers {
    /// None.
    pub const NONE: Self = Self(0);

    /// Whether a power is among them.
    #[must_use]
    pub fn has(self, power: Power) -> bool {
        self.0 & (1 << power as u8) != 0
    }

    /// These and another.
    #[must_use]
    pub fn with(self, power: Power) -> Self {
        Self(self.0 | (1 << power as u8))
    }

    /// These and others.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Power> {
        Power::ALL.into_iter().filter(move |power| self.has(*power))
    }
}

/// As the configuration lists them: `["observe", "state"]`.
impl fmt::Display for Powers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(Power::name)).finish()
    }
}

impl Serialize for Powers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Power::name))
    }
}

impl FromIterator<Power> for Powers {
    fn from_iter<I: IntoIterator<Item = Power>>(powers: I) -> Self {
        powers.into_iter().fold(Self::NONE, Self::with)
    }
}

impl Grants {
    /// Grants a strategy powers, beside those it was granted before.
    pub fn grant(&mut self, strategy: StrategyRef, powers: Powers) {
        self.0.push((strategy, powers));
    }

    /// Each grant, in the order they were made.
    pub fn iter(&self) -> impl Iterator<Item = (&StrategyRef, Powers)> {
        self.0.iter().map(|(strategy, powers)| (strategy, *powers))
    }

    /// What a strategy was granted. Of a file it is the file that counts, by whatever path it is named.
    #[must_use]
    pub fn of(&self, strategy: &StrategyRef) -> Powers {
        let granted = self.0.iter().filter(|(other, _)| other.is_same(strategy));
        granted.fold(Powers::NONE, |powers, (_, granted)| powers.and(*granted))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn grants_what_was_named_and_nothing_else() {
        let mut grants = Grants::default();
        grants.grant(StrategyRef::BuiltIn("smart"), Powers::NONE.with(Power::Log));
        grants.grant(StrategyRef::BuiltIn("smart"), Powers::NONE.with(Power::State));

        let powers: Vec<_> = grants.of(&StrategyRef::BuiltIn("smart")).iter().collect();

        assert_eq!(powers, [Power::State, Power::Log]);
        assert_eq!(grants.of(&StrategyRef::BuiltIn("cost")), Powers::NONE);
    }

    #[test]
    fn knows_a_file_by_whatever_path_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mine.wasm"), "").unwrap();
        fs::create_dir(folder.path().join("more")).unwrap();
        let mut grants = Grants::default();
        grants.grant(StrategyRef::File(folder.path().join("mine.wasm")), Powers::NONE.with(Power::Content));

        let of = |path: &str| grants.of(&StrategyRef::File(folder.path().join(path)));

        assert!(of("more/../mine.wasm").has(Power::Content));
        assert_eq!(of("yours.wasm"), Powers::NONE);
    }

    #[test]
    fn understands_every_name() {
        assert_eq!(Power::ALL.map(|power| Power::parse(power.name())), Power::ALL.map(Some));
        assert_eq!(Power::parse("network"), None);
    }
}
