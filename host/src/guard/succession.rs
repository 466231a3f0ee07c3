//! A guard that takes over from another: a changed configuration makes nobody forget what still holds.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::provider::Provider;
use super::{Guard, locked};
use crate::config::ApiKey;
use crate::types::{TargetId, TargetName};

impl Guard {
    /// Takes over from the guard of the configuration before: cooldowns, breakers, health, limits and what is spent.
    ///
    /// A provider whose settings are the same is shared with the old guard, so that requests still under way there count here,
    /// too; of one whose keys, models or limits have changed, each key's rests at each model are taken over, and what was used of
    /// limits that are the same. Rejected keys and unknown models get another chance: somebody may have mended them.
    #[must_use]
    pub fn succeeding(mut self, old: &Self) -> Self {
        for new in &mut self.providers {
            let Some(before) = old.providers.iter().find(|before| before.name == new.name) else { continue };
            if new.is_same(before) {
                before.book().give_another_chance();
                *new = Arc::clone(before);
                continue;
            }
            if new.rules.base_url == before.rules.base_url {
                new.inherit(before);
            }
            before.book().give_up_parts();
        }
        let limits = self.coffer.budget().clone();
        self.coffer = Arc::clone(&old.coffer);
        let mut budget = old.coffer.budget();
        budget.take_limits(&limits);
        self.provider_budgets = self.providers.iter().map(|provider| budget.provider(&provider.name)).collect();
        drop(budget);
        self.inherit_preference(old);
        self
    }

    fn inherit_preference(&self, old: &Self) {
        let before = locked(&old.preference).clone();
        let mut preference = locked(&self.preference);
        for (place, name) in self.routes.iter().enumerate() {
            let Some((target, until)) = old.route(name).and_then(|place| before.of_route(place)) else { continue };
            let name = old.targets.get(target.index()).map(|target| &target.name);
            if let Some(target) = name.and_then(|name| self.target_named(name)) {
                preference.prefer(place, target, until);
            }
        }
        let Some((provider, until)) = before.forced_last() else { return };
        let name = old.providers.get(provider).map(|provider| &provider.name);
        let place = self.providers.iter().position(|provider| Some(&provider.name) == name);
        place.into_iter().for_each(|place| preference.force(place, until));
    }

    pub(super) fn target_named(&self, name: &TargetName) -> Option<TargetId> {
        self.targets.iter().find(|target| *target.name == *name).map(|target| target.id)
    }
}

impl Provider {
    /// Whether nothing of it has changed that its book depends on.
    fn is_same(&self, other: &Self) -> bool {
        let same_keys = self.keys.len() == other.keys.len()
            && self.keys.iter().zip(&other.keys).all(|(one, other)| is_same_key(one, other));
        same_keys && self.rules == other.rules && self.access == other.access && self.models == other.models
    }

    fn inherit(&self, old: &Self) {
        let (mut book, before) = (self.book(), old.book());
        book.health = before.health.clone();
        // A provider does not forget what it was asked because somebody has changed something else about it.
        if self.rules.limits == old.rules.limits {
            book.take_over_limits(&before);
        }
        for (model, name) in self.models.iter().enumerate() {
            let Some(model_before) = old.models.iter().position(|before| before == name) else { continue };
            if let (Some(new), Some(before)) = (book.models.get_mut(model), before.models.get(model_before)) {
                new.health = before.health.clone();
                if self.rules.limits_of_models.get(model) == old.rules.limits_of_models.get(model_before) {
                    new.take_over_limits(before);
                }
            }
            for (place, key) in self.keys.iter().enumerate() {
                let Some(place_before) = old.keys.iter().position(|before| is_same_key(key, before)) else { continue };
                if let (Some(new), Some(before)) =
                    (book.slot_mut(model, place), before.slot(model_before, place_before))
                {
                    new.inherit(before);
                }
            }
            let has_no_key = self.keys.is_empty() && old.keys.is_empty();
            if let (true, Some(new), Some(before)) = (has_no_key, book.slot_mut(model, 0), before.slot(model_before, 0))
            {
                new.inherit(before);
            }
        }
    }
}

fn is_same_key(one: &ApiKey, other: &ApiKey) -> bool {
    one.name == other.name && one.secret.expose_secret() == other.secret.expose_secret()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::clock::Moment;
    use crate::config::{BudgetConfig, Config, ProviderConfig};
    use crate::guard::payer::Spender;
    use crate::guard::{Claim, ProviderState};
    use crate::types::{FailureKind, NanoUsd};

    const NOW: Moment = Moment::START;
    const WALL: Timestamp = Timestamp::UNIX_EPOCH;

    fn provider() -> ProviderConfig {
        ProviderConfig::openai_compatible("http://127.0.0.1:1/v1".parse().unwrap())
            .with_key("K", "sk-1")
            .with_model("m")
    }

    fn config(providers: &[(&str, ProviderConfig)]) -> Config {
        let mut config = Config::new();
        config.providers.extend(providers.iter().map(|(name, provider)| ((*name).to_owned(), provider.clone())));
        config
    }

    fn states(guard: &Guard) -> Vec<(String, &'static str)> {
        let providers = guard.status(NOW, WALL).into_iter();
        providers.map(|status| (status.provider.to_string(), status.state.words())).collect()
    }

    #[test]
    fn keeps_the_rests_of_providers_that_stay() {
        let old = Guard::new(&config(&[("a", provider()), ("b", provider()), ("c", provider())]));
        for place in 0..3 {
            old.report_failure(place, FailureKind::RateLimited, NOW, WALL);
        }
        let more = provider().with_model("other");
        let elsewhere = ProviderConfig::openai_compatible("http://127.0.0.1:2/v1".parse().unwrap());
        let elsewhere = elsewhere.with_key("K", "sk-1").with_model("m");

        let new = Guard::new(&config(&[("c", elsewhere), ("b", more), ("a", provider()), ("d", provider())]));
        let new = new.succeeding(&old);

        let expected = [("c", "available"), ("b", "available"), ("a", "rate limited"), ("d", "available")];
        assert_eq!(states(&new), expected.map(|(name, state)| (name.to_owned(), state)));
        let models = &new.status(NOW, WALL)[1].models;
        let of_b: Vec<_> = models.iter().map(|model| model.state.words()).collect();
        assert_eq!(of_b, ["rate limited", "available"]);
    }

    #[test]
    fn waits_for_no_probe_of_the_guard_before() {
        let old = Guard::new(&config(&[("a", provider())]));
        let mut limited = provider();
        limited.limits.rpm = Some(5);
        (0..5).for_each(|_| old.report_failure(0, FailureKind::ServerError, NOW, WALL));
        let later = NOW + Duration::from_secs(6);
        old.providers[0].book().slot_mut(0, 0).unwrap().enter();
        assert_eq!(old.status(later, WALL)[0].state, ProviderState::Probing);

        let new = Guard::new(&config(&[("a", limited)])).succeeding(&old);

        assert_eq!(new.status(later, WALL)[0].state, ProviderState::Available, "the next request probes");
    }

    #[test]
    fn goes_on_counting_what_was_asked_of_a_provider_that_has_another_model_now() {
        let mut limited = provider();
        limited.limits.rpm = Some(1);
        limited.limits.concurrent = Some(1);
        let old = Arc::new(Guard::new(&config(&[("a", limited.clone())])));
        let _under_way = old.admit(TargetId(0), &Claim::default(), NOW, WALL).unwrap().dispatch(NOW);

        let new = Guard::new(&config(&[("a", limited.with_model("other"))])).succeeding(&old);

        let wait = |seconds| {
            let now = NOW + Duration::from_secs(seconds);
            new.view(TargetId(1), &Claim::default(), now, WALL).0.standing.wait_ms()
        };
        assert_eq!([wait(1), wait(60)], [Some(59_000), Some(0)]);
    }

    #[test]
    fn gives_rejected_keys_another_chance() {
        let old = Guard::new(&config(&[("a", provider())]));
        old.providers[0].book().keys.reject(0, FailureKind::Authentication);
        assert_eq!(states(&old)[0].1, "rejected");

        let new = Guard::new(&config(&[("a", provider())])).succeeding(&old);

        assert_eq!(states(&new)[0].1, "available");
    }

    #[test]
    fn goes_on_counting_what_is_spent_under_the_new_limits() {
        let budget = |dollars: u64| {
            let daily = Some(NanoUsd::from_nanos(dollars * 1_000_000_000));
            Config { budget: BudgetConfig { daily, ..BudgetConfig::default() }, ..config(&[("a", provider())]) }
        };
        let old = Guard::new(&budget(5));
        let spender = Spender::default();
        let spent = old.coffer.budget().reserve(spender, NanoUsd::DOLLAR, NanoUsd::ZERO, WALL).unwrap();

        let new = Guard::new(&budget(9)).succeeding(&old);
        let reserved = new.budgets(WALL)[0].reserved;
        old.coffer.void(spent);

        let status = new.budgets(WALL)[0];
        assert_eq!(reserved, NanoUsd::DOLLAR);
        assert_eq!((status.limit, status.reserved), (NanoUsd::from_nanos(9_000_000_000), NanoUsd::ZERO));
    }

    #[test]
    fn goes_on_preferring_and_forcing() {
        let old = Guard::new(&config(&[("a", provider()), ("b", provider())]));
        old.prefer("default", TargetId(1), Duration::from_secs(60), NOW);
        old.force(1, NOW + Duration::from_secs(60));

        let new = Guard::new(&config(&[("b", provider()), ("a", provider())])).succeeding(&old);

        assert_eq!((new.preferred("default", NOW), new.forced(NOW)), (Some(TargetId(0)), Some(0)));
    }
}
