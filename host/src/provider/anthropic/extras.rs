//! Fields that Anthropic's protocol has and OpenAI's has not: a caller who writes them means them.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use crate::provider::call::Call;
use crate::provider::json::pick_from;
use crate::provider::wishes::Wishes;

/// Those that pass as they are.
const PASSED: [&str; 3] = ["cache_control", "container", "context_management"];

/// The fields of a request that are Anthropic's own.
#[derive(Debug, Default)]
pub(super) struct Extras<'a> {
    /// `thinking`, in place of an effort.
    pub thinking: Option<&'a RawValue>,
    /// `output_config`, to which ours is added.
    pub output_config: Option<&'a RawValue>,
    /// `top_k`.
    pub top_k: Option<&'a RawValue>,
    /// What passes as it is.
    pub passed: IndexMap<&'a str, Cow<'a, RawValue>>,
}

impl<'a> Extras<'a> {
    /// Reads them, and notes what Anthropic has no field for.
    pub(super) fn of(call: &Call<'a>, wishes: &'a Wishes<'a>, notes: &mut Vec<String>) -> Self {
        let mut extras = Self::default();
        for (name, value) in wishes.unsaid.into_iter().flat_map(|unsaid| &unsaid.fields) {
            match name.as_str() {
                "thinking" => extras.thinking = Some(value),
                "output_config" => extras.output_config = Some(value),
                "top_k" => extras.top_k = Some(value),
                name => {
                    extras.passed.insert(name, Cow::Borrowed(value));
                }
            }
        }
        for (name, value) in &wishes.foreign {
            match &**name {
                "thinking" => extras.thinking = Some(value),
                "output_config" => extras.output_config = Some(value),
                "top_k" => extras.top_k = Some(value),
                name if PASSED.contains(&name) => {
                    extras.passed.insert(name, Cow::Borrowed(value));
                }
                name => notes.push(left_out(name)),
            }
        }
        for (name, value) in [
            ("seed", &wishes.seed),
            ("presence_penalty", &wishes.presence_penalty),
            ("frequency_penalty", &wishes.frequency_penalty),
        ] {
            if value.is_some() {
                notes.push(left_out(name));
            }
        }
        extras.add_namesakes(call);
        extras
    }

    /// OpenAI has `metadata` and `service_tier` too, of another meaning: they pass where they can only be meant for Anthropic.
    fn add_namesakes(&mut self, call: &Call<'a>) {
        for (name, value) in call.fields() {
            match &*name {
                "metadata" if names_user(&value) => self.passed.insert("metadata", value),
                "service_tier" if value.get() == "\"standard_only\"" => self.passed.insert("service_tier", value),
                _ => None,
            };
        }
    }
}

fn names_user(metadata: &RawValue) -> bool {
    let [user] = pick_from(metadata, ["user_id"]);
    user.is_some()
}

fn left_out(name: &str) -> String {
    format!("{name} is left out: Anthropic has none")
}
