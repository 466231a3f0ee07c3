//! What the doctor found, in words and as JSON.

use std::fmt::Write;

use backstop::guard::{ProviderState, ProviderStatus};
use serde_json::{Value, json};

use super::super::narrator::Length;
use super::super::paint::{STATE_TONES, Tone, paint, paint_words};
use super::super::status::state_in_words;
use super::super::table;
use super::examination::Examination;

/// Everything that was found.
pub(super) struct Report {
    pub(super) statuses: Vec<ProviderStatus>,
    pub(super) examined: Vec<Examination>,
    pub(super) rate_limit: Option<RateLimit>,
    /// The ledger that several instances share.
    pub(super) ledger: Option<Sought>,
    /// The store that they share.
    pub(super) shared_store: Option<Sought>,
}

/// A server that several instances share, and whether it answers.
pub(super) struct Sought {
    pub(super) address: String,
    /// Why it cannot be used.
    pub(super) fault: Option<String>,
}

/// What followed from a rate limit that was reported from outside.
pub(super) struct RateLimit {
    pub(super) provider: String,
    pub(super) before: ProviderState,
    pub(super) after: ProviderState,
    pub(super) restored: ProviderState,
    /// Who answered in the meantime; `None` where nobody was asked.
    pub(super) instead: Option<String>,
}

impl Report {
    /// A provider that answered; where nobody was asked, one that could be.
    pub(super) fn working_provider(&self) -> Option<String> {
        let answered = self.examined.iter().find(|one| one.answered()).map(|one| one.provider.clone());
        answered.or_else(|| self.usable_providers().next().filter(|_| self.examined.is_empty()).map(str::to_owned))
    }

    /// The providers that can be asked.
    pub(super) fn usable_providers(&self) -> impl Iterator<Item = &str> {
        let usable = self.statuses.iter().filter(|status| match status.state {
            ProviderState::NotInitialised { .. } | ProviderState::SwitchedOff | ProviderState::Rejected { .. } => false,
            ProviderState::Available
            | ProviderState::RateLimited { .. }
            | ProviderState::TemporarilyDisabled { .. }
            | ProviderState::Probing
            | ProviderState::OutOfQuota { .. } => true,
        });
        usable.map(|status| &*status.provider)
    }

    pub(super) fn in_words(&self) -> String {
        let mut text = format!("{}\n{}\n", paint(Tone::Strong, "Providers"), self.providers());
        if !self.examined.is_empty() {
            let _ = writeln!(text, "\n{}\n{}", paint(Tone::Strong, "A tiny question to each"), self.answers());
        }
        if let Some(limit) = &self.rate_limit {
            let _ = writeln!(text, "\n{}\n{}", paint(Tone::Strong, "A simulated rate limit"), limit.in_words());
        }
        for (title, sought) in [("The shared ledger", &self.ledger), ("The shared store", &self.shared_store)] {
            if let Some(sought) = sought {
                let _ = writeln!(text, "\n{}\n{}", paint(Tone::Strong, title), sought.in_words());
            }
        }
        text
    }

    fn providers(&self) -> String {
        let mut table = table::table(&["provider", "state"]);
        for status in &self.statuses {
            table.add_row([status.provider.to_string(), state_in_words(&status.state)]);
        }
        paint_words(&table::headed(&table), &STATE_TONES)
    }

    fn answers(&self) -> String {
        let mut table = table::table(&["target", "result", "what to do"]);
        for one in &self.examined {
            let target = format!("{}/{}", one.provider, one.model);
            match &one.result {
                Ok(took) => table.add_row([target, format!("answered in {}", Length(*took)), String::new()]),
                Err(complaint) => table.add_row([target, complaint.what.clone(), complaint.mend.clone()]),
            };
        }
        paint_words(&table::headed(&table), &[("answered in", Tone::Good)])
    }

    pub(super) fn to_json(&self) -> Value {
        let providers = self.statuses.iter().map(|status| {
            json!({
                "provider": &*status.provider, "state": status.state.words(), "detail": state_in_words(&status.state),
            })
        });
        let targets = self.examined.iter().map(|one| {
            let (took, complaint) = match &one.result {
                Ok(took) => (Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)), None),
                Err(complaint) => (None, Some(complaint)),
            };
            json!({
                "provider": one.provider, "model": one.model, "answered": one.answered(), "took_ms": took,
                "error": complaint.map(|complaint| &complaint.what), "mend": complaint.map(|complaint| &complaint.mend),
            })
        });
        json!({
            "providers": providers.collect::<Vec<_>>(),
            "targets": targets.collect::<Vec<_>>(),
            "rate_limit": self.rate_limit.as_ref().map(RateLimit::to_json),
            "ledger": self.ledger.as_ref().map(Sought::to_json),
            "shared_store": self.shared_store.as_ref().map(Sought::to_json),
        })
    }
}

impl Sought {
    fn in_words(&self) -> String {
        match &self.fault {
            Some(fault) => paint(Tone::Bad, fault),
            None => format!("{} {}", self.address, paint(Tone::Good, "answers")),
        }
    }

    fn to_json(&self) -> Value {
        json!({"address": self.address, "fault": self.fault})
    }
}

impl RateLimit {
    fn in_words(&self) -> String {
        let states = [&self.before, &self.after, &self.restored].map(state_in_words);
        let [before, after, restored] = states.map(|state| paint_words(&state, &STATE_TONES));
        let instead = match &self.instead {
            Some(who) => format!("asked again meanwhile, {who} answers"),
            None => "nobody was asked meanwhile".to_owned(),
        };
        format!("{}: {before}, after a rate limit {after}; {instead}; after a success {restored}", self.provider)
    }

    fn to_json(&self) -> Value {
        json!({
            "provider": self.provider, "before": self.before.words(), "after": self.after.words(),
            "restored": self.restored.words(), "instead": self.instead,
        })
    }
}
