//! A target's place in a route's roster.

use std::sync::Arc;

use crate::guard::Target;
use crate::types::{RosterTarget, TargetId, TargetName, Verdict};

/// One target of a roster.
#[derive(Debug, Clone)]
pub struct Seat {
    /// Which target.
    pub target: TargetId,
    /// Its name.
    pub name: Arc<TargetName>,
    /// What the strategy is told of it.
    pub roster: RosterTarget,
    /// Which of its provider's models in this roster it is, from 1, and how many there are.
    pub model_of: (u32, u32),
}

/// Seats targets in the given order and counts each provider's models.
#[must_use]
pub fn seat<'t>(targets: impl IntoIterator<Item = &'t Target>) -> Vec<Seat> {
    let mut seats: Vec<Seat> = Vec::new();
    for target in targets {
        let name = Arc::clone(&target.name);
        let before = seats.iter().filter(|seat| seat.name.provider == name.provider).count();
        let place = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
        for seat in seats.iter_mut().filter(|seat| seat.name.provider == name.provider) {
            seat.model_of.1 = place;
        }
        seats.push(Seat { target: target.id, name, roster: target.roster.clone(), model_of: (place, place) });
    }
    seats
}

/// A verdict in words: `attempt groq/llama-3.1-8b-instant`, `give up`.
pub(super) fn in_words(verdict: Verdict, roster: &[Seat]) -> String {
    match verdict {
        Verdict::Attempt(plan) => match roster.get(plan.target as usize) {
            Some(seat) => format!("attempt {}", seat.name),
            None => format!("attempt target {}", plan.target),
        },
        Verdict::Hold => "hold".to_owned(),
        Verdict::GiveUp => "give up".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ProviderConfig};
    use crate::guard::targets;

    use super::*;

    #[test]
    fn counts_the_models_of_each_provider() {
        let provider = || ProviderConfig::openai_compatible("http://127.0.0.1:1/v1".parse().unwrap());
        let mut config = Config::new();
        config.providers.insert("a".to_owned(), provider().with_model("x").with_model("z"));
        config.providers.insert("b".to_owned(), provider().with_model("y"));

        let seats = seat(&targets(&config));

        let places: Vec<_> = seats.iter().map(|seat| seat.model_of).collect();
        assert_eq!(places, [(1, 2), (2, 2), (1, 1)]);
    }
}
