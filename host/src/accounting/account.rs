//! What money is counted against: somebody's day, or somebody's month.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Whose spending is counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Everybody's.
    Everything,
    /// That of a route, by its name.
    Route(Arc<str>),
    /// That at a provider, by its name.
    Provider(Arc<str>),
    /// That of a key of the gateway's, by its name.
    Key(Arc<str>),
    /// That of requests with a label, written `name=text`.
    Label(Arc<str>),
}

/// How long spending is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Window {
    /// A day in the budgets' time zone.
    Day,
    /// A month there.
    Month,
}

/// One window of one scope.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account {
    /// Whose.
    pub scope: Scope,
    /// How long.
    pub window: Window,
    /// Which: days since 1970, or months since the year 0.
    pub period: i32,
}

impl Scope {
    /// Reads what [`fmt::Display`] shows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Some((kind, name)) = text.split_once(':') else {
            return (text == "everything").then_some(Self::Everything);
        };
        match kind {
            "route" => Some(Self::Route(name.into())),
            "provider" => Some(Self::Provider(name.into())),
            "key" => Some(Self::Key(name.into())),
            "label" => Some(Self::Label(name.into())),
            _ => None,
        }
    }
}

impl Window {
    /// The window in a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// Reads what [`Window::name`] says.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Day, Self::Month].into_iter().find(|window| window.name() == name)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Route(name) => write!(f, "route:{name}"),
            Self::Provider(name) => write!(f, "provider:{name}"),
            Self::Key(name) => write!(f, "key:{name}"),
            Self::Label(name) => write!(f, "label:{name}"),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.scope, self.window.name(), self.period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let scopes = [
            Scope::Everything,
            Scope::Route("a".into()),
            Scope::Provider("b".into()),
            Scope::Key("ci: nightly".into()),
            Scope::Label("team=search:2".into()),
        ];

        let again = scopes.clone().map(|scope| Scope::parse(&scope.to_string()));

        assert_eq!(again, scopes.map(Some));
        assert_eq!([Scope::parse("everybody"), Scope::parse("user:x")], [None, None]);
    }
}
