//! The stage with its cast, the gateway in front of it and the control beside it.

use std::sync::Arc;
use std::time::Duration;

use backstop::scripted::ScriptedProvider;
use serde_json::{Map, Value, json};

use super::control::Control;
use super::{Casting, Flags};
use crate::{Served, Stage};

/// What runs until its director has had enough.
#[derive(Debug)]
pub struct Performance {
    stage: Arc<Stage>,
    served: Served,
    control: ScriptedProvider,
    runs: Vec<String>,
    cast: Vec<Casting>,
}

impl Performance {
    /// Starts everything.
    ///
    /// # Errors
    /// Where a run before it does not end well, with what it said.
    ///
    /// # Panics
    /// Where the gateway does not start.
    pub async fn start(flags: Flags) -> Result<Self, String> {
        let stage = Arc::new(stage_of(&flags).await);
        let mut runs = Vec::new();
        for run in &flags.runs {
            let end = stage.backstop(run.iter().map(String::as_str)).run().await;
            if end.code != Some(0) {
                return Err(format!("backstop {} has failed: {}{}", run.join(" "), end.stdout, end.stderr));
            }
            runs.push(end.stdout);
        }
        let served = Served::start(&stage).await;
        let control = Control::start(Arc::clone(&stage), flags.cast.clone()).await;
        Ok(Self { stage, served, control, runs, cast: flags.cast })
    }

    /// The line that says where everything is.
    #[must_use]
    pub fn announcement(&self) -> Value {
        let providers = self.cast.iter().map(|Casting { name, .. }| {
            let address = self.stage.provider(name).root_url().to_string();
            (name.clone(), json!(address.trim_end_matches('/')))
        });
        json!({
            "gateway": format!("http://{}", self.served.address()),
            "control": self.control.root_url().as_str().trim_end_matches('/'),
            "home": self.stage.home(),
            "providers": providers.collect::<Map<_, _>>(),
            "runs": self.runs,
        })
    }

    /// Has the gateway end, with or without its requests: whether it ended well, and its log.
    pub async fn end(mut self) -> (bool, String) {
        // The second signal ends what still runs: nobody listens any more. One that comes before the first was heard is none.
        while !self.served.has_ended() {
            self.served.signal("TERM");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (code, log) = self.served.ended().await;
        (code == Some(0), log)
    }
}

async fn stage_of(flags: &Flags) -> Stage {
    let scripts = flags.cast.iter().map(|casting| (casting.name.as_str(), super::replies::script(&casting.replies)));
    let mut stage = Stage::new(scripts).await.with_settings(&flags.settings.join("\n"));
    for Casting { name, kind, settings, .. } in &flags.cast {
        stage = stage.with_kind(name, kind).with_provider_settings(name, &settings.join("\n"));
    }
    if let Some(route) = &flags.route {
        stage = stage.with_route(route);
    }
    if flags.is_patient { stage.with_patience() } else { stage }
}
