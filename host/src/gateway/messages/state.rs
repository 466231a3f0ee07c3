//! What only a provider itself understands of its thoughts, put where Anthropic's clients keep such things: into the signature of
//! a thought, or into a thought that nobody may read. They send both back untouched, and so it comes home with its origin.

use serde_json::{Map, Value, json};

/// Begins every text that was written here. What begins otherwise was signed for a conversation that Backstop has not seen.
const MARK: &str = "backstop:";

/// One item of `reasoning_details`, as the hub has it.
pub(super) type Detail = Map<String, Value>;

/// What stands in a message for the thoughts of an earlier answer.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Recalled {
    /// Thoughts in words that need no proof.
    pub(super) reasoning: String,
    /// Thoughts that go back to the provider that made them.
    pub(super) details: Vec<Detail>,
    /// What belongs to single calls of tools: the call's id, and its `extra_content`.
    pub(super) of_calls: Vec<(String, Value)>,
}

/// The words of a thought that may be read, be there any or not.
pub(super) fn words(detail: &Detail) -> Option<&str> {
    let words = detail.get("text").and_then(Value::as_str);
    match (words, detail.contains_key("data"), detail.contains_key("signature")) {
        (_, true, _) | (None, _, false) => None,
        (words, false, _) => Some(words.unwrap_or_default()),
    }
}

/// The signature of a thought; its words stand beside it.
pub(super) fn signature(detail: &Detail) -> String {
    let mut detail = detail.clone();
    detail.shift_remove("text");
    format!("{MARK}{}", Value::Object(detail))
}

/// The data of a thought that nobody may read.
pub(super) fn sealed(detail: &Detail) -> String {
    format!("{MARK}{}", Value::Object(detail.clone()))
}

/// The data that keeps what belongs to a call of a tool.
pub(super) fn of_call(id: &str, extra: &Value) -> String {
    format!("{MARK}{}", json!({"call": id, "extra_content": extra}))
}

impl Recalled {
    /// Takes a thought back.
    pub(super) fn thought(&mut self, words: &str, signature: &str) {
        match unpack(signature) {
            // Words of a provider that gives no proof of them and takes none back.
            Some(detail) if !proves(&detail) => {}
            Some(mut detail) => {
                detail.insert("text".to_owned(), json!(words));
                self.details.push(detail);
            }
            None if signature.is_empty() => self.reasoning.push_str(words),
            // Signed for somebody else: the record will say that it went nowhere.
            None => self.details.push(Detail::from_iter([("origin".to_owned(), json!(""))])),
        }
    }

    /// Takes a thought back that nobody may read.
    pub(super) fn sealed(&mut self, data: &str) {
        let Some(mut detail) = unpack(data) else { return self.thought("", data) };
        match (detail.shift_remove("call"), detail.shift_remove("extra_content")) {
            (Some(Value::String(id)), Some(extra)) => self.of_calls.push((id, extra)),
            _ => self.details.push(detail),
        }
    }
}

fn unpack(text: &str) -> Option<Detail> {
    serde_json::from_str(text.strip_prefix(MARK)?).ok()
}

/// Whether there is more to it than whose it is.
fn proves(detail: &Detail) -> bool {
    detail.keys().any(|name| name != "origin")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(value: Value) -> Detail {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn brings_a_thought_home_as_it_was() {
        let thought =
            detail(json!({"type": "reasoning.text", "signature": "s:{}\"", "origin": "claude", "text": "Hm."}));
        let hidden = detail(json!({"type": "reasoning.encrypted", "data": "d", "origin": "claude", "index": 1}));
        let mut recalled = Recalled::default();

        recalled.thought("Hm.", &signature(&thought));
        recalled.sealed(&sealed(&hidden));

        assert_eq!(recalled, Recalled { details: vec![thought, hidden], ..Recalled::default() });
    }

    #[test]
    fn brings_home_what_belongs_to_a_call() {
        let extra = json!({"google": {"thought_signature": "s"}, "backstop": {"origin": "gemini"}});
        let mut recalled = Recalled::default();

        recalled.sealed(&of_call("call_1", &extra));

        assert_eq!(recalled, Recalled { of_calls: vec![("call_1".to_owned(), extra)], ..Recalled::default() });
    }

    #[test]
    fn tells_thoughts_without_proof_from_those_of_others() {
        let mut recalled = Recalled::default();

        recalled.thought("Plain.", "");
        recalled.thought("Of Gemini.", &signature(&detail(json!({"origin": "gemini"}))));
        recalled.thought("Signed elsewhere.", "EqQBCkYIBxgC");
        recalled.sealed("EmwKAhgBEgy3");

        let foreign = detail(json!({"origin": ""}));
        let details = vec![foreign.clone(), foreign];
        assert_eq!(recalled, Recalled { reasoning: "Plain.".to_owned(), details, of_calls: Vec::new() });
    }
}
