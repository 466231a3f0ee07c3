//! The control: what a director asks of the providers while the performance runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use backstop::scripted::{ReceivedCall, Reply, Script, ScriptedProvider};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Behaviour, Casting};
use crate::Stage;

/// What the control knows beside the stage.
#[derive(Debug)]
pub(super) struct Control {
    stage: Arc<Stage>,
    cast: Vec<Casting>,
    roles: Mutex<HashMap<String, Role>>,
}

/// What a provider was told last.
#[derive(Debug, Clone)]
struct Role {
    replies: Vec<String>,
    /// The calls before it was told.
    forgotten: usize,
}

/// The body of an order to a provider.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    replies: Vec<String>,
}

impl Control {
    /// Listens on a free port. A scripted provider is all the HTTP server that is needed: its script answers by path.
    pub(super) async fn start(stage: Arc<Stage>, cast: Vec<Casting>) -> ScriptedProvider {
        let control = Self { stage, cast, roles: Mutex::new(HashMap::new()) };
        control.reset();
        ScriptedProvider::start(Script::by(move |call| control.answer(call))).await.expect("a free port on loopback")
    }

    fn answer(&self, call: &ReceivedCall) -> Reply {
        let path: Vec<&str> = call.path.trim_matches('/').split('/').collect();
        match (call.method.as_str(), path.as_slice()) {
            ("GET", ["providers"]) => Reply::json(200, &self.list()),
            ("POST", ["providers", name]) if self.has(name) => match self.direct(name, &call.body) {
                Ok(()) => Reply::json(200, &self.show(name)),
                Err(fault) => Reply::json(422, &json!({"error": fault})),
            },
            ("GET", ["providers", name, "calls"]) if self.has(name) => Reply::json(200, &self.calls(name)),
            ("POST", ["reset"]) => {
                self.reset();
                Reply::json(200, &self.list())
            }
            (method, _) => {
                Reply::json(404, &json!({"error": format!("there is no {method} {}; --help says what is", call.path)}))
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.cast.iter().any(|casting| casting.name == name)
    }

    fn direct(&self, name: &str, body: &Value) -> Result<(), String> {
        let order = Order::deserialize(body).map_err(|error| error.to_string())?;
        if order.replies.is_empty() {
            return Err("there must be one reply at least".to_owned());
        }
        let behaviours = order.replies.iter().map(|text| text.parse()).collect::<Result<Vec<Behaviour>, _>>();
        self.give(name, &behaviours.map_err(|error| error.to_string())?, order.replies);
        Ok(())
    }

    fn reset(&self) {
        for Casting { name, replies, .. } in &self.cast {
            self.give(name, replies, replies.iter().map(Behaviour::to_string).collect());
        }
    }

    fn give(&self, name: &str, behaviours: &[Behaviour], replies: Vec<String>) {
        let provider = self.stage.provider(name);
        provider.set_script(super::replies::script(behaviours));
        let role = Role { replies, forgotten: provider.call_count() };
        self.roles.lock().expect("nobody panics with it").insert(name.to_owned(), role);
    }

    fn role(&self, name: &str) -> Role {
        self.roles.lock().expect("nobody panics with it")[name].clone()
    }

    fn list(&self) -> Value {
        let shown: Vec<Value> = self.cast.iter().map(|casting| self.show(&casting.name)).collect();
        json!({"providers": shown})
    }

    fn show(&self, name: &str) -> Value {
        let (role, provider) = (self.role(name), self.stage.provider(name));
        json!({
            "name": name,
            "kind": self.cast.iter().find(|casting| casting.name == name).map(|casting| &casting.kind),
            "replies": role.replies,
            "calls": provider.call_count() - role.forgotten,
            "disconnects": provider.disconnects(),
        })
    }

    fn calls(&self, name: &str) -> Value {
        let forgotten = self.role(name).forgotten;
        let calls = self.stage.provider(name).calls();
        let calls: Vec<Value> = calls.iter().filter(|call| call.number > forgotten).map(written).collect();
        json!({"calls": calls})
    }
}

fn written(call: &ReceivedCall) -> Value {
    let headers = call.headers.iter().filter_map(|(name, value)| Some((name.to_string(), json!(value.to_str().ok()?))));
    json!({
        "method": call.method,
        "path": call.path,
        "headers": headers.collect::<Map<_, _>>(),
        "body": call.body,
    })
}
