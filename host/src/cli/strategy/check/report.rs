//! What came of the whole check, in words and as JSON.

use std::time::Duration;

use backstop::config::{Power, Powers, SandboxConfig};
use backstop::strategy::{Inspection, ModuleKind};
use serde_json::{Value, json};

use super::super::super::paint::{Tone, paint, paint_words};
use super::super::super::table;
use super::finding::Finding;
use super::pace::Pace;

/// What came of the whole check.
pub(in super::super) struct Report {
    /// Its name, or its path.
    pub(super) strategy: String,
    pub(super) inspection: Inspection,
    /// What it was allowed.
    pub(super) sandbox: SandboxConfig,
    pub(super) granted: Powers,
    pub(super) findings: Vec<Finding>,
    pub(super) paces: Vec<Pace>,
}

impl Report {
    /// The same findings under another name.
    pub(in super::super) fn named(self, strategy: String) -> Self {
        Self { strategy, ..self }
    }

    /// What it has to be granted.
    pub(in super::super) fn powers(&self) -> Powers {
        self.inspection.powers
    }

    pub(super) fn passed(&self) -> bool {
        self.findings.iter().all(|finding| finding.fault.is_none())
    }

    pub(super) fn to_json(&self) -> Value {
        let Inspection { description, bytes, digest, imports, exports, compile_ms, .. } = &self.inspection;
        let findings = self.findings.iter().map(|finding| {
            json!({
                "situation": finding.situation, "answer": finding.answer, "reason": finding.reason, "problem": finding.fault,
            })
        });
        let times = self.paces.iter().map(|pace| {
            json!({
                "candidates": pace.candidates, "microseconds": (micros(pace.time) * 10.0).round() / 10.0,
                "fuel": pace.effort.fuel, "memory": pace.effort.memory,
            })
        });
        let powers = imports.iter().filter(|import| !is_types(import));
        let imports = powers.map(|import| json!({"name": import, "answered": self.is_answered(import)}));
        json!({
            "strategy": self.strategy, "passed": self.passed(),
            "name": description.as_ref().map(|description| &description.name),
            "version": description.as_ref().map(|description| &description.version),
            "bytes": bytes, "digest": digest, "compile_ms": compile_ms,
            "exports": exports, "imports": imports.collect::<Vec<_>>(),
            "situations": findings.collect::<Vec<_>>(), "decision_times": times.collect::<Vec<_>>(),
            "limits": {
                "fuel": self.sandbox.fuel, "memory": self.sandbox.memory, "bytes": self.sandbox.module_bytes,
                "compile_ms": self.sandbox.compile_time.as_secs_f64() * 1_000.0,
            },
        })
    }

    pub(super) fn in_words(&self) -> String {
        let mut situations = table::table(&["situation", "answer", "reason", ""]);
        for finding in &self.findings {
            let mark = finding.fault.as_ref().map_or_else(|| "ok".to_owned(), |fault| format!("problem: {fault}"));
            situations.add_row([&finding.situation, &finding.answer, &finding.reason, &mark]);
        }
        let situations = paint_words(&table::headed(&situations), &[("problem:", Tone::Bad)]);
        let mut paces = table::table(&["one decision among", "time", "fuel", "memory"]);
        for pace in &self.paces {
            paces.add_row([
                pace.candidates.to_string(),
                format!("{:.1} µs", micros(pace.time)),
                format!("{} of {}", pace.effort.fuel, self.sandbox.fuel),
                format!("{:.1} of {} MiB", mebibytes(pace.effort.memory), self.sandbox.memory >> 20),
            ]);
        }
        let problems = self.findings.iter().filter(|finding| finding.fault.is_some()).count();
        let verdict = match problems {
            0 => paint(Tone::Good, format_args!("{}: no problem found", self.strategy)),
            1 => paint(Tone::Bad, format_args!("{}: 1 problem found", self.strategy)),
            more => paint(Tone::Bad, format_args!("{}: {more} problems found", self.strategy)),
        };
        format!("{}\n{situations}\n\n{}\n{verdict}", self.facts(), table::headed(&paces))
    }

    /// What can be seen of it without asking it anything.
    fn facts(&self) -> String {
        let Inspection { kind, bytes, imports, exports, compile_ms, .. } = &self.inspection;
        let kind = match kind {
            ModuleKind::Component => "component",
            ModuleKind::CoreModule => "core module",
        };
        let compiled = compile_ms.map_or_else(|| "found compiled".to_owned(), |ms| format!("compiled in {ms:.0} ms"));
        let powers = imports.iter().filter(|import| !is_types(import)).map(|import| {
            let note = if self.is_answered(import) { "" } else { " (traps unless `wasi` is granted)" };
            format!("{import}{note}")
        });
        let powers: Vec<String> = powers.collect();
        let powers = if powers.is_empty() { "nothing".to_owned() } else { powers.join(", ") };
        format!("{kind} of {bytes} bytes, {compiled}\nexports {}\nimports {powers}\n", exports.join(", "))
    }

    /// Whether the host has an answer to an import; what it has none to was refused when it was loaded, but for WASI.
    fn is_answered(&self, import: &str) -> bool {
        self.granted.has(Power::Wasi) || !import.starts_with("wasi:")
    }
}

/// Types are no power.
fn is_types(import: &str) -> bool {
    import.starts_with("backstop:strategy/types@")
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "for people, to one decimal")]
fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use backstop::strategy::Effort;

    use super::*;

    fn report(fault: Option<&str>) -> Report {
        let finding = Finding {
            situation: "all ready".into(),
            answer: "target 0".into(),
            reason: "first".into(),
            fault: fault.map(str::to_owned),
        };
        let effort = Effort { fuel: 10_000, memory: 3 << 19 };
        Report {
            strategy: "mine.wasm".into(),
            inspection: Inspection {
                source: "mine.wasm".into(),
                description: None,
                kind: ModuleKind::Component,
                bytes: 12_345,
                digest: "ab".into(),
                authors: None,
                powers: Powers::NONE,
                imports: vec!["backstop:strategy/types@1.0.0".into(), "wasi:random/random@0.2.6".into()],
                exports: vec!["backstop:strategy/choose@1.0.0".into()],
                compile_ms: Some(12.4),
            },
            sandbox: SandboxConfig::default(),
            granted: Powers::NONE,
            findings: vec![finding],
            paces: vec![Pace { candidates: 8, time: Duration::from_nanos(1_800), effort, growth: 0 }],
        }
    }

    #[test]
    fn tells_what_it_is_what_it_answered_and_what_that_took() {
        let report = report(None);

        let text = anstream::adapter::strip_str(&report.in_words()).to_string();

        assert!(report.passed());
        let text: Vec<&str> = text.lines().map(str::trim_end).collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        component of 12345 bytes, compiled in 12 ms
        exports backstop:strategy/choose@1.0.0
        imports wasi:random/random@0.2.6 (traps unless `wasi` is granted)

         situation   answer     reason
        ────────────────────────────────────
         all ready   target 0   first    ok

         one decision among   time     fuel               memory
        ────────────────────────────────────────────────────────────────
         8                    1.8 µs   10000 of 5000000   1.5 of 16 MiB
        mine.wasm: no problem found
        ");
        assert_eq!(
            report.to_json()["decision_times"][0],
            json!({"candidates": 8, "microseconds": 1.8, "fuel": 10_000, "memory": 1_572_864})
        );
        assert_eq!(report.to_json()["imports"][0], json!({"name": "wasi:random/random@0.2.6", "answered": false}));
    }

    #[test]
    fn fails_what_has_a_problem() {
        let report = report(Some("holds while nothing is in flight"));

        let text = anstream::adapter::strip_str(&report.in_words()).to_string();

        assert!(!report.passed());
        assert!(text.ends_with("mine.wasm: 1 problem found"), "{text}");
        assert_eq!(report.to_json()["situations"][0]["problem"], "holds while nothing is in flight");
    }
}
