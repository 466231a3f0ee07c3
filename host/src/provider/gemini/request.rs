//! A chat request in this protocol.

use bytes::Bytes;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::value::RawValue;

use super::contents::{self, Content, Contents, Part};
use super::generation::Generation;
use super::model::Model;
use crate::provider::call::{Call, Encoded};
use crate::provider::encode_error::EncodeError;
use crate::provider::wishes::{Tool, ToolChoice, Wishes};

/// Fields of Gemini's own that a caller may set.
const OWN_FIELDS: [&str; 3] = ["safetySettings", "safety_settings", "cachedContent"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Instruction<'a>>,
    contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tools<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_config: Option<Generation<'a>>,
    #[serde(flatten)]
    own: IndexMap<&'a str, &'a RawValue>,
}

#[derive(Serialize)]
struct Instruction<'a> {
    parts: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tools<'a> {
    function_declarations: Vec<Declaration<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'a> {
    function_calling_config: Calling<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Calling<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_function_names: Option<[&'a str; 1]>,
}

/// The body of a request.
pub(in crate::provider) fn encode(call: &Call<'_>) -> Result<Encoded, EncodeError> {
    let wishes = Wishes::read(call)?;
    if let Some(what) = unsupported(call, &wishes) {
        return Err(EncodeError::Unsupported(what));
    }
    let model = Model::of(call.model);
    let mut notes = Vec::new();
    let contents = Contents::of(call, model, &mut notes);
    let tools = declared(&wishes);
    let body = Body {
        system_instruction: (!contents.instructions.is_empty()).then_some(Instruction { parts: contents.instructions }),
        contents: contents.turns,
        tool_config: (!tools.is_empty()).then(|| ToolConfig::of(&wishes.tool_choice)),
        tools,
        generation_config: Generation::of(&wishes, model, &mut notes),
        own: own_fields(&wishes, &mut notes),
    };
    if wishes.parallel_tool_calls == Some(false) {
        notes.push("parallel_tool_calls is left out: Gemini calls as many tools at once as it likes".to_owned());
    }
    let reading = call.reading();
    // Writing texts, numbers and JSON that was read before cannot fail.
    let body = Bytes::from(serde_json::to_vec(&body).unwrap_or_default());
    Ok(Encoded { body, reading, notes })
}

/// What of a request could not be asked for.
pub(in crate::provider) fn unsupported(call: &Call<'_>, wishes: &Wishes<'_>) -> Option<String> {
    let calls_tools = !wishes.tools.is_empty() && wishes.tool_choice != ToolChoice::None;
    if let Some(what) = wishes.of_openai_alone() {
        return Some(what);
    }
    if wishes.wants_json() && calls_tools && !Model::of(call.model).joins_json_and_tools {
        return Some(format!("an answer in JSON together with tools, of {}", call.model));
    }
    contents::unsupported(call.dialogue)
}

fn declared<'a>(wishes: &'a Wishes<'_>) -> Vec<Tools<'a>> {
    // A model of an older generation refuses JSON beside tools even where it must not call them.
    let useless = wishes.tool_choice == ToolChoice::None && wishes.wants_json();
    if wishes.tools.is_empty() || useless {
        return Vec::new();
    }
    vec![Tools { function_declarations: wishes.tools.iter().map(Declaration::of).collect() }]
}

fn own_fields<'a>(wishes: &'a Wishes<'_>, notes: &mut Vec<String>) -> IndexMap<&'a str, &'a RawValue> {
    let mut own = IndexMap::new();
    for (name, value) in &wishes.foreign {
        match &**name {
            name if OWN_FIELDS.contains(&name) => {
                own.insert(name, &**value);
            }
            // Part of how the answer is made.
            "top_k" => {}
            name => notes.push(format!("{name} is left out: Gemini's protocol has no such field")),
        }
    }
    own
}

impl<'a> Declaration<'a> {
    fn of(tool: &'a Tool<'_>) -> Self {
        Self {
            name: &tool.name,
            description: tool.description.as_deref(),
            parameters_json_schema: tool.parameters.as_deref(),
        }
    }
}

impl<'a> ToolConfig<'a> {
    fn of(choice: &'a ToolChoice<'_>) -> Self {
        let (mode, allowed_function_names) = match choice {
            ToolChoice::Auto => ("AUTO", None),
            ToolChoice::None => ("NONE", None),
            ToolChoice::Required => ("ANY", None),
            ToolChoice::Named(name) => ("ANY", Some([&**name])),
        };
        Self { function_calling_config: Calling { mode, allowed_function_names } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Dialect, Dialogue};
    use crate::types::ChatRequest;

    /// Encodes for a provider named `gemini`: the body over several lines, and the notes.
    fn encoded(model: &str, body: &str) -> Result<String, EncodeError> {
        let request = ChatRequest::parse(body.as_bytes()).unwrap();
        let dialogue = Dialogue::read(request.messages()).unwrap();
        let dialect = Dialect::of("gemini", &"http://localhost".parse().unwrap());
        let call = Call {
            request: &request,
            dialogue: &dialogue,
            provider: "gemini",
            dialect,
            model,
            defaults: &[],
            stream: false,
            prefill: None,
        };
        let Encoded { body, notes, .. } = encode(&call)?;
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let parts: Vec<String> =
            value.as_object().unwrap().iter().map(|(name, part)| format!("{name}: {part}")).chain(notes).collect();
        Ok(parts.join("\n"))
    }

    fn unsupported(model: &str, body: &str) -> String {
        match encoded(model, body) {
            Err(EncodeError::Unsupported(what)) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn writes_instructions_apart_and_joins_turns_of_one_role() {
        let body = r#"{"messages":[
            {"role":"system","content":"Be brief."},
            {"role":"user","content":[{"type":"text","text":"What is it?"},
                {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},
                {"type":"image_url","image_url":{"url":"https://x.example/a/cat.JPG?size=2"}}]},
            {"role":"user","content":"h\u00e9?"},
            {"role":"assistant","content":"A cat."},
            {"role":"developer","content":"In English."},
            {"role":"user","content":"Sure?"}]}"#;

        insta::assert_snapshot!(encoded("gemini-2.5-flash", body).unwrap(), @r#"
        systemInstruction: {"parts":[{"text":"Be brief."},{"text":"In English."}]}
        contents: [{"role":"user","parts":[{"text":"What is it?"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}},{"fileData":{"mimeType":"image/jpeg","fileUri":"https://x.example/a/cat.JPG?size=2"}},{"text":"hé?"}]},{"role":"model","parts":[{"text":"A cat."}]},{"role":"user","parts":[{"text":"Sure?"}]}]
        "#);
    }

    #[test]
    fn writes_calls_and_results_with_the_signatures_of_its_own() {
        let body = r#"{"messages":[
            {"role":"user","content":"Look."},
            {"role":"assistant","content":"Looking.",
             "reasoning_details":[{"type":"reasoning.encrypted","data":"dGV4dA==","origin":"gemini"}],
             "tool_calls":[
                {"id":"1","type":"function","function":{"name":"look","arguments":"{\"b\":1.0,\"a\":[]}"},
                 "extra_content":{"google":{"thought_signature":"c2ln"},"backstop":{"origin":"gemini"}}},
                {"id":"2","type":"function","function":{"name":"list","arguments":""}},
                {"id":"3","type":"function","function":{"name":"run","arguments":"ls -l"}}]},
            {"role":"tool","tool_call_id":"1","content":"{\"seen\": true}"},
            {"role":"tool","tool_call_id":"2","content":"[1]"},
            {"role":"tool","tool_call_id":"9","content":"late"}]}"#;

        insta::assert_snapshot!(encoded("gemini-3-flash-preview", body).unwrap(), @r#"
        contents: [{"role":"user","parts":[{"text":"Look."}]},{"role":"model","parts":[{"text":"Looking.","thoughtSignature":"dGV4dA=="},{"functionCall":{"name":"look","args":{"b":1.0,"a":[]}},"thoughtSignature":"c2ln"},{"functionCall":{"name":"list","args":{}}},{"functionCall":{"name":"run","args":{"arguments":"ls -l"}}}]},{"role":"user","parts":[{"functionResponse":{"name":"look","response":{"seen":true}}},{"functionResponse":{"name":"list","response":{"result":"[1]"}}},{"functionResponse":{"name":"9","response":{"result":"late"}}}]}]
        arguments of an earlier tool call that are no JSON object are sent as a text within one
        "#);
    }

    #[test]
    fn stands_in_for_missing_signatures_of_the_current_turn_alone() {
        let call = |id: &str| {
            format!(
                r#"{{"role":"assistant","content":null,"tool_calls":[
                {{"id":"{id}a","type":"function","function":{{"name":"f","arguments":"{{}}"}},
                 "extra_content":{{"google":{{"thought_signature":"x"}},"backstop":{{"origin":"vertex"}}}}}},
                {{"id":"{id}b","type":"function","function":{{"name":"g","arguments":"{{}}"}}}}]}},
                {{"role":"tool","tool_call_id":"{id}a","content":"1"}},{{"role":"tool","tool_call_id":"{id}b","content":"2"}}"#
            )
        };
        let body = format!(
            r#"{{"messages":[{{"role":"user","content":"a"}},{},{{"role":"user","content":"b"}},{},{}]}}"#,
            call("1"),
            call("2"),
            call("3")
        );

        insta::assert_snapshot!(encoded("gemini-3-pro-preview", &body).unwrap(), @r#"
        contents: [{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}},{"functionCall":{"name":"g","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":"1"}}},{"functionResponse":{"name":"g","response":{"result":"2"}}},{"text":"b"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"name":"g","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":"1"}}},{"functionResponse":{"name":"g","response":{"result":"2"}}}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"name":"g","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":"1"}}},{"functionResponse":{"name":"g","response":{"result":"2"}}}]}]
        reasoning of an earlier answer is left out: another provider made it
        "#);
        assert!(!encoded("gemini-2.5-pro", &body).unwrap().contains("thoughtSignature"));
    }

    #[test]
    fn writes_tools_bounds_and_form() {
        let body = r#"{"messages":[{"role":"user","content":"hi"}],
            "tools":[{"type":"function","function":{"name":"add","description":"Adds.","strict":true,
                "parameters":{"type":"object","properties":{"b":{"type":"number"},"a":{"type":"number"}}}}},
                {"type":"function","function":{"name":"now"}}],
            "tool_choice":{"type":"function","function":{"name":"add"}},"parallel_tool_calls":false,
            "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},
            "temperature":0.50,"top_p":1,"top_k":40,"max_completion_tokens":99,"stop":["1","2","3","4","5","6"],
            "seed":7,"presence_penalty":0,"frequency_penalty":0.5,"reasoning_effort":"medium",
            "safety_settings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}],"cachedContent":"cachedContents/x",
            "logit_bias":{"1":2},"user":"u"}"#;

        insta::assert_snapshot!(encoded("gemini-3-flash", body).unwrap(), @r#"
        contents: [{"role":"user","parts":[{"text":"hi"}]}]
        tools: [{"functionDeclarations":[{"name":"add","description":"Adds.","parametersJsonSchema":{"type":"object","properties":{"b":{"type":"number"},"a":{"type":"number"}}}},{"name":"now"}]}]
        toolConfig: {"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["add"]}}
        generationConfig: {"temperature":0.5,"topP":1,"topK":40,"maxOutputTokens":99,"stopSequences":["1","2","3","4","5"],"seed":7,"frequencyPenalty":0.5,"responseMimeType":"application/json","responseJsonSchema":{"type":"object"},"thinkingConfig":{"thinkingLevel":"medium","includeThoughts":true}}
        safety_settings: [{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}]
        cachedContent: "cachedContents/x"
        all stop sequences but the first 5 are left out: Gemini takes no more
        logit_bias is left out: Gemini's protocol has no such field
        parallel_tool_calls is left out: Gemini calls as many tools at once as it likes
        "#);
    }

    #[test]
    fn asks_each_generation_to_think_in_its_own_way() {
        let thinking = |model: &str, effort: &str| {
            let body = format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],"reasoning_effort":"{effort}"}}"#);
            let encoded = encoded(model, &body).unwrap();
            format!("{model} {effort}: {}", encoded.lines().skip(1).collect::<Vec<_>>().join("; "))
        };
        let asked: Vec<String> =
            ["gemini-3-pro", "gemini-3.1-flash", "gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.0-flash"]
                .into_iter()
                .flat_map(|model| ["none", "low", "medium", "xhigh"].map(|effort| thinking(model, effort)))
                .collect();

        insta::assert_snapshot!(asked.join("\n"), @r#"
        gemini-3-pro none: generationConfig: {"thinkingConfig":{"thinkingLevel":"low"}}; the least thinking is asked for in place of none: the model always thinks
        gemini-3-pro low: generationConfig: {"thinkingConfig":{"thinkingLevel":"low","includeThoughts":true}}
        gemini-3-pro medium: generationConfig: {"thinkingConfig":{"thinkingLevel":"high","includeThoughts":true}}
        gemini-3-pro xhigh: generationConfig: {"thinkingConfig":{"thinkingLevel":"high","includeThoughts":true}}
        gemini-3.1-flash none: generationConfig: {"thinkingConfig":{"thinkingLevel":"low"}}; the least thinking is asked for in place of none: the model always thinks
        gemini-3.1-flash low: generationConfig: {"thinkingConfig":{"thinkingLevel":"low","includeThoughts":true}}
        gemini-3.1-flash medium: generationConfig: {"thinkingConfig":{"thinkingLevel":"medium","includeThoughts":true}}
        gemini-3.1-flash xhigh: generationConfig: {"thinkingConfig":{"thinkingLevel":"high","includeThoughts":true}}
        gemini-2.5-flash none: generationConfig: {"thinkingConfig":{"thinkingBudget":0}}
        gemini-2.5-flash low: generationConfig: {"thinkingConfig":{"thinkingBudget":1024,"includeThoughts":true}}
        gemini-2.5-flash medium: generationConfig: {"thinkingConfig":{"thinkingBudget":8192,"includeThoughts":true}}
        gemini-2.5-flash xhigh: generationConfig: {"thinkingConfig":{"thinkingBudget":24576,"includeThoughts":true}}
        gemini-2.5-pro none: generationConfig: {"thinkingConfig":{"thinkingBudget":128}}; the least thinking is asked for in place of none: the model always thinks
        gemini-2.5-pro low: generationConfig: {"thinkingConfig":{"thinkingBudget":1024,"includeThoughts":true}}
        gemini-2.5-pro medium: generationConfig: {"thinkingConfig":{"thinkingBudget":8192,"includeThoughts":true}}
        gemini-2.5-pro xhigh: generationConfig: {"thinkingConfig":{"thinkingBudget":24576,"includeThoughts":true}}
        gemini-2.0-flash none: reasoning_effort is left out: the model cannot be told how hard to think
        gemini-2.0-flash low: reasoning_effort is left out: the model cannot be told how hard to think
        gemini-2.0-flash medium: reasoning_effort is left out: the model cannot be told how hard to think
        gemini-2.0-flash xhigh: reasoning_effort is left out: the model cannot be told how hard to think
        "#);
    }

    #[test]
    fn says_what_it_cannot_be_asked_for() {
        let user = |part: &str| format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
        let image = |url: &str| user(&format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#));
        let with = |fields: &str| format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],{fields}}}"#);
        let json_and_tools =
            with(r#""response_format":{"type":"json_object"},"tools":[{"type":"function","function":{"name":"f"}}]"#);

        for (body, expected) in [
            (with(r#""n":2"#), "2 answers at once"),
            (with(r#""logprobs":true"#), "log-probabilities"),
            (with(r#""modalities":["text","audio"]"#), "an answer other than text"),
            (user(r#"{"type":"input_audio","input_audio":{}}"#), "content of type input_audio"),
            (image("http://x.example/a.png"), "an image by an address"),
            (image("https://x.example/a"), "an image by an address"),
            (image("file:///etc/passwd.png"), "an image by an address"),
            (json_and_tools.clone(), "an answer in JSON together with tools, of gemini-2.5-pro"),
        ] {
            let what = unsupported("gemini-2.5-pro", &body);
            assert!(what.starts_with(expected), "{what}");
        }
        assert!(encoded("gemini-3-pro", &json_and_tools).unwrap().contains("functionDeclarations"));
    }

    #[test]
    fn makes_a_question_of_instructions_alone() {
        let body = r#"{"messages":[{"role":"system","content":"Greet me."}]}"#;

        insta::assert_snapshot!(encoded("gemini-2.5-pro", body).unwrap(), @r#"contents: [{"role":"user","parts":[{"text":"Greet me."}]}]"#);
    }
}
