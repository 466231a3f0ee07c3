//! Why PostgreSQL does not do what it is asked, in words that say what mends it.

use std::error::Error as _;
use std::io;

use thiserror::Error;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// What PostgreSQL, or the way to it, said.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{words}{mend}")]
pub struct PostgresFault {
    kind: Kind,
    words: String,
    /// What mends it, where that is known; begins with a semicolon.
    mend: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It cannot be reached or has no time: that may pass by itself.
    Away,
    /// The same in the middle of a commit: nobody knows whether the change was made.
    Doubtful,
    /// It refuses until somebody has changed something there; then it goes on.
    Refused,
    /// Nobody knows what is on its disk, or the tables are not those that were there.
    Broken,
}

impl PostgresFault {
    /// It cannot be reached.
    pub(super) fn away(words: impl Into<String>) -> Self {
        Self { kind: Kind::Away, words: words.into(), mend: "" }
    }

    /// It refuses, and this mends it; `mend` begins with a semicolon.
    pub(super) fn refused(words: impl Into<String>, mend: &'static str) -> Self {
        Self { kind: Kind::Refused, words: words.into(), mend }
    }

    /// Somebody has changed what is there.
    pub(super) fn broken(words: impl Into<String>) -> Self {
        Self { kind: Kind::Broken, words: words.into(), mend: "" }
    }

    /// What the client library says.
    pub(super) fn of(error: &Error) -> Self {
        if let Some(refused) = error.as_db_error() {
            let (kind, mend) = sorted(refused.code());
            return Self { kind, words: format!("{} ({})", refused.message(), refused.code().code()), mend };
        }
        let words = match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        let is_away = error.is_closed() || error.source().is_some_and(|cause| cause.is::<io::Error>());
        if words.contains("certificate") {
            let mend = "; have the system trust its certificate, or write sslmode=disable where the network is trusted";
            return Self { kind: Kind::Refused, words, mend };
        }
        if words.contains("does not support TLS") {
            return Self { kind: Kind::Refused, words, mend: "; turn `ssl` on there, or leave sslmode out" };
        }
        if words.contains("password missing") {
            return Self { kind: Kind::Refused, words, mend: "; put the password into store.ledger" };
        }
        let kind = if is_away || words.contains("error connecting") { Kind::Away } else { Kind::Broken };
        Self { kind, words, mend: "" }
    }

    /// The same, where it happened in the middle of a commit.
    pub(super) fn in_doubt(self) -> Self {
        Self { kind: Kind::Doubtful, ..self }
    }

    /// Whether the same may be tried again.
    pub(in crate::accounting::ledger) fn may_pass(&self) -> bool {
        self.kind != Kind::Broken
    }

    /// Whether it could not be reached, or was too busy.
    pub(in crate::accounting::ledger) fn is_away(&self) -> bool {
        matches!(self.kind, Kind::Away | Kind::Doubtful)
    }

    /// Whether nobody knows if the change was made.
    pub(in crate::accounting::ledger) fn is_doubtful(&self) -> bool {
        self.kind == Kind::Doubtful
    }
}

/// What a state of PostgreSQL's means to us.
fn sorted(state: &SqlState) -> (Kind, &'static str) {
    match state.code() {
        "28P01" | "28000" => {
            (Kind::Refused, "; set another user or password in store.ledger, or let them in by pg_hba.conf")
        }
        "3D000" => (Kind::Refused, "; create it with `createdb`, or name another one in store.ledger"),
        "42501" => (
            Kind::Refused,
            "; grant the user CREATE and USAGE on the schema, or have the tables' owner in store.ledger",
        ),
        "3F000" => (Kind::Refused, "; create the schema that the user's search_path names"),
        "25006" => (Kind::Refused, "; name the primary server in store.ledger, and not one that only reads"),
        "53300" => (Kind::Away, "; raise max_connections there"),
        "53100" => (Kind::Away, "; make room on its disk"),
        // A lock or a statement that took too long, a conflict with another transaction.
        "55P03" | "57014" | "40001" | "40P01" | "25P03" | "57P05" => (Kind::Away, ""),
        // It stops, or starts, or its connection broke.
        code if code.starts_with("57P") || code.starts_with("08") || code.starts_with("53") => (Kind::Away, ""),
        _ => (Kind::Broken, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_may_pass_from_what_somebody_has_to_look_after() {
        let kind = |code: &str| sorted(&SqlState::from_code(code)).0;

        assert_eq!(["57P01", "57P03", "53300", "55P03", "08006"].map(kind), [Kind::Away; 5]);
        assert_eq!(["28P01", "3D000", "42501", "25006"].map(kind), [Kind::Refused; 4]);
        assert_eq!(["42P01", "XX001", "58030", "23505"].map(kind), [Kind::Broken; 4]);
    }

    #[test]
    fn is_in_doubt_only_in_the_middle_of_a_commit() {
        let away = PostgresFault::away("connection closed");

        assert!(away.is_away() && !away.is_doubtful());
        assert!(away.clone().in_doubt().is_doubtful() && away.in_doubt().may_pass());
    }
}
