//! `by-task`: the targets the operator names for a task, for long requests and for short ones; then declared order.
//!
//! ```toml
//! [routes.default]
//! strategy = "by-task"
//! options = { tasks = { moderation = "groq", code = ["anthropic", "openai/gpt-4o"] }, long = "gemini", long_from = 20000 }
//! ```
//!
//! A request says what it is for in a label, `context` unless `label` names another one. Who is named is asked first and in that
//! order; when all of them have failed, everybody else is as good as with any other strategy.

use backstop_strategy::{
    Ask, Candidate, Decision, Fallback, FallbackOptions, OptionValue, Order, Roster, Strategy, Value, export, options,
};

options! {
    /// What `by-task` can be told.
    struct Options {
        /// The label that says what a request is for.
        label: String = "context".to_owned(),
        /// For each text of that label, who is asked first: a provider, a provider/model, or a list of them.
        tasks: Tasks = Tasks(Vec::new()),
        /// Who is asked first for long requests of no such task.
        long: Names = Names(Vec::new()),
        /// Input tokens from which a request is long.
        long_from: u32 = 8_000,
        /// Who is asked first for short requests of no such task.
        short: Names = Names(Vec::new()),
        /// Input tokens up to which a request is short.
        short_to: u32 = 200,
        ..fallback: FallbackOptions
    }
}

/// Providers and provider/models, the first to be asked first.
#[derive(Debug, Clone, PartialEq)]
struct Names(Vec<String>);

/// Who is asked first for what is neither.
static NOBODY: Names = Names(Vec::new());

/// Tasks with who is asked for them.
#[derive(Debug, Clone, PartialEq)]
struct Tasks(Vec<(String, Names)>);

/// Sends each kind of request where the operator wants it.
struct ByTask {
    options: Options,
    fallback: Fallback,
}

/// Those named for a request, and what it is.
struct Named<'a> {
    names: &'a Names,
    kind: &'a str,
}

export!(ByTask);

impl Strategy for ByTask {
    type Options = Options;

    fn configure(roster: &Roster, options: Options) -> Result<Self, String> {
        let of_tasks = options.tasks.0.iter().map(|(task, names)| (["tasks.", task].concat(), names));
        let of_lengths = [("long".to_owned(), &options.long), ("short".to_owned(), &options.short)];
        for (option, names) in of_tasks.chain(of_lengths) {
            for name in &names.0 {
                roster.find(name).map_err(|error| ["`", &option, "`: ", &error].concat())?;
            }
        }
        let fallback = Fallback::new(roster, options.fallback.clone())?;
        Ok(Self { options, fallback })
    }

    fn next(&self, ask: &Ask<'_>) -> Decision {
        self.fallback.decide(ask, &self.named_for(ask))
    }
}

impl ByTask {
    fn named_for<'a>(&'a self, ask: &Ask<'a>) -> Named<'a> {
        let Options { tasks, long, long_from, short, short_to, .. } = &self.options;
        let task = ask.question().label(&self.options.label);
        if let Some((task, names)) = tasks.0.iter().find(|(name, _)| Some(name.as_str()) == task) {
            return Named { names, kind: task };
        }
        match ask.input_tokens {
            tokens if tokens >= *long_from => Named { names: long, kind: "long requests" },
            tokens if tokens <= *short_to => Named { names: short, kind: "short requests" },
            _ => Named { names: &NOBODY, kind: "" },
        }
    }
}

impl Named<'_> {
    fn place(&self, candidate: &Candidate<'_>) -> Option<usize> {
        self.names.0.iter().position(|name| candidate.is_named(name))
    }
}

impl Order for Named<'_> {
    /// The place among those named; everybody else comes after them.
    type Rank = usize;

    fn rank(&self, candidate: &Candidate<'_>) -> usize {
        self.place(candidate).unwrap_or(usize::MAX)
    }

    fn reason(&self, candidate: &Candidate<'_>) -> String {
        match self.place(candidate) {
            Some(_) => ["named for ", self.kind].concat(),
            None => "next in declared order".to_owned(),
        }
    }
}

impl OptionValue for Names {
    const EXPECTED: &'static str = "a provider, a provider/model, or a list of them";
    const SCHEMA: &'static str = r#""anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]"#;

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(name) => Some(Self(vec![name.clone()])),
            Value::Array(names) => names.iter().map(String::read).collect::<Option<_>>().map(Self),
            _ => None,
        }
    }

    fn to_json(&self) -> String {
        Value::from(self.0.clone()).to_string()
    }
}

impl OptionValue for Tasks {
    const EXPECTED: &'static str = "a table, such as { moderation = \"groq\", code = [\"anthropic\", \"openai\"] }";
    const SCHEMA: &'static str = r#""type":"object","additionalProperties":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]}"#;

    fn read(value: &Value) -> Option<Self> {
        let task = |(task, names): (&String, &Value)| Some((task.clone(), Names::read(names)?));
        value.as_object()?.iter().map(task).collect::<Option<_>>().map(Self)
    }

    fn to_json(&self) -> String {
        self.0.iter().map(|(task, names)| (task.clone(), Value::from(names.0.clone()))).collect::<Value>().to_string()
    }
}

#[cfg(test)]
mod tests {
    use backstop_strategy::Failure;
    use backstop_strategy::testing::Situation;

    use super::ByTask;

    fn three() -> Situation {
        Situation::new().target("openai/gpt-4o").target("groq/llama").target("gemini/flash").options(
            r#"{"tasks": {"moderation": "groq", "code": ["gemini", "groq"]}, "long": "gemini", "short": ["groq"]}"#,
        )
    }

    #[test]
    fn asks_those_named_for_the_task_in_that_order_and_then_everybody_else() {
        let course = three().label("context", "code").course::<ByTask>(Failure::Timeout);

        assert_eq!(course, ["gemini/flash", "groq/llama", "openai/gpt-4o", "give up"]);
    }

    #[test]
    fn says_what_they_were_named_for() {
        let moderation = three().label("context", "moderation").input_tokens(9_000);

        assert_eq!(moderation.answer::<ByTask>(), "groq/llama (named for moderation)");
    }

    #[test]
    fn goes_by_length_where_there_is_no_such_task() {
        let of_length = |tokens| three().label("context", "chat").input_tokens(tokens).answer::<ByTask>();

        assert_eq!(of_length(8_000), "gemini/flash (named for long requests)");
        assert_eq!(of_length(200), "groq/llama (named for short requests)");
        assert_eq!(of_length(201), "openai/gpt-4o (next in declared order)");
    }

    #[test]
    fn goes_past_one_that_is_cooling_down() {
        let situation = Situation::new().target("a/x").cooling_down(900).target("b/x").label("kind", "quiz");
        let situation = situation.options(r#"{"label": "kind", "tasks": {"quiz": "a"}}"#);

        assert_eq!(situation.chosen::<ByTask>(), "b/x");
    }

    #[test]
    fn refuses_a_name_that_nobody_has() {
        let refused = |options| three().options(options).configure::<ByTask>().err().unwrap();

        assert_eq!(
            refused(r#"{"tasks": {"code": "grok"}}"#),
            "`tasks.code`: `grok` is no provider or provider/model of this route; did you mean `groq`?"
        );
        assert_eq!(
            refused(r#"{"long": 5}"#),
            "`long` is 5, but must be a provider, a provider/model, or a list of them"
        );
    }
}
