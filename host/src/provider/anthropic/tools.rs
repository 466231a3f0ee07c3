//! The tools a model may call, and whether it must.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::format::Held;
use super::schema::input_schema;
use crate::provider::dialogue::{Dialogue, Turn};
use crate::provider::wishes::{ToolChoice, Wishes};
use crate::types::Place;

/// A tool.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Tool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Cow<'a, RawValue>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a RawValue>,
}

/// Whether tools are to be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Choice<'a> {
    /// As the model likes.
    Auto {
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        disable_parallel_tool_use: bool,
    },
    /// At least one.
    Any {
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        disable_parallel_tool_use: bool,
    },
    /// This one.
    Tool {
        name: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        disable_parallel_tool_use: bool,
    },
    /// None of them.
    None,
}

/// The tools of a request, with the choice among them; no tools, no choice.
#[derive(Debug, Default)]
pub(super) struct Tools<'a> {
    pub list: Vec<Tool<'a>>,
    pub choice: Option<Choice<'a>>,
}

impl<'a> Tools<'a> {
    /// Reads them from the wishes.
    pub(super) fn of(wishes: &'a Wishes<'_>, held: &'a Held<'_>, dialogue: &'a Dialogue<'_>) -> Self {
        if let Held::ByTool { name, schema } = held {
            return Self {
                list: vec![Tool {
                    name,
                    description: Some("Gives the answer. Its arguments are the answer itself."),
                    input_schema: Cow::Borrowed(schema),
                    strict: false,
                    cache_control: None,
                }],
                choice: Some(Choice::Tool { name, disable_parallel_tool_use: true }),
            };
        }
        if wishes.tools.is_empty() {
            return Self::of_history(dialogue);
        }
        let list = wishes.tools.iter().enumerate().map(|(place, tool)| {
            let mark = wishes.unsaid.and_then(|unsaid| unsaid.marks.get(&Place::Tool(place)));
            Tool {
                name: &tool.name,
                description: tool.description.as_deref(),
                input_schema: input_schema(tool.parameters.as_deref()),
                strict: mark.is_some_and(|mark| mark.is_strict),
                cache_control: mark.and_then(|mark| mark.cache.as_deref()),
            }
        });
        Self { list: list.collect(), choice: choice(wishes) }
    }

    /// The tools that earlier answers called: Anthropic refuses calls of tools that the request does not describe.
    fn of_history(dialogue: &'a Dialogue<'_>) -> Self {
        let calls = dialogue.turns.iter().filter_map(|turn| match turn {
            Turn::Assistant(answer) => Some(&answer.calls),
            Turn::Instruction(_) | Turn::User(_) | Turn::Tool(_) => None,
        });
        let mut names: Vec<&str> = calls.flatten().map(|call| &*call.name).collect();
        names.sort_unstable();
        names.dedup();
        let tool = |name| Tool {
            name,
            description: None,
            input_schema: input_schema(None),
            strict: false,
            cache_control: None,
        };
        let list: Vec<Tool<'a>> = names.into_iter().map(tool).collect();
        Self { choice: (!list.is_empty()).then_some(Choice::None), list }
    }

    /// Whether the model must call one: it cannot think then.
    pub(super) fn is_forced(&self) -> bool {
        match self.choice {
            Some(Choice::Any { .. } | Choice::Tool { .. }) => true,
            Some(Choice::Auto { .. } | Choice::None) | None => false,
        }
    }
}

fn choice<'a>(wishes: &'a Wishes<'_>) -> Option<Choice<'a>> {
    let disable_parallel_tool_use = wishes.parallel_tool_calls == Some(false);
    match &wishes.tool_choice {
        ToolChoice::Auto if !disable_parallel_tool_use => None,
        ToolChoice::Auto => Some(Choice::Auto { disable_parallel_tool_use }),
        ToolChoice::None => Some(Choice::None),
        ToolChoice::Required => Some(Choice::Any { disable_parallel_tool_use }),
        ToolChoice::Named(name) => Some(Choice::Tool { name, disable_parallel_tool_use }),
    }
}
