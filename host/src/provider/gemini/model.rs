//! What the id of a model tells of it: models of different generations are asked differently.

/// What a model can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Model {
    /// How it is told to think.
    pub thinking: Thinking,
    /// It refuses a call of its own without the signature of the thought behind it.
    pub wants_signatures: bool,
    /// It answers in JSON also where it may call tools.
    pub joins_json_and_tools: bool,
}

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    /// It cannot be told.
    Unknown,
    /// By a budget of tokens.
    Budget {
        /// What the smallest budget is that it takes, in tokens.
        least: u32,
    },
    /// By a level.
    Level {
        /// Whether there is one between low and high.
        has_medium: bool,
    },
}

impl Model {
    /// Reads an id, with or without folders before it, such as `models/gemini-3-flash`.
    pub(super) fn of(id: &str) -> Self {
        let id = id.rsplit('/').next().unwrap_or(id);
        let third = Self {
            thinking: Thinking::Level { has_medium: !id.starts_with("gemini-3-pro") },
            wants_signatures: true,
            joins_json_and_tools: true,
        };
        let least = if id.contains("pro") { 128 } else { 0 };
        let second =
            Self { thinking: Thinking::Budget { least }, wants_signatures: false, joins_json_and_tools: false };
        match version(id) {
            Some((3.., _)) => third,
            Some((2, 5..)) => second,
            Some(_) => Self { thinking: Thinking::Unknown, ..second },
            // An alias such as gemini-flash-latest: every generation since 2.5 takes a budget.
            None if id.starts_with("gemini-") && id.ends_with("-latest") => second,
            None => Self { thinking: Thinking::Unknown, ..second },
        }
    }
}

fn version(id: &str) -> Option<(u32, u32)> {
    let version = id.strip_prefix("gemini-")?.split('-').next()?;
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_generations_apart() {
        for (id, thinking, signatures) in [
            ("gemini-3-pro-preview", Thinking::Level { has_medium: false }, true),
            ("models/gemini-3.1-flash", Thinking::Level { has_medium: true }, true),
            ("gemini-4-pro", Thinking::Level { has_medium: true }, true),
            ("gemini-2.5-flash", Thinking::Budget { least: 0 }, false),
            ("gemini-2.5-pro", Thinking::Budget { least: 128 }, false),
            ("gemini-flash-latest", Thinking::Budget { least: 0 }, false),
            ("gemini-2.0-flash", Thinking::Unknown, false),
            ("gemini-1.5-pro", Thinking::Unknown, false),
            ("gemma-3-27b-it", Thinking::Unknown, false),
            ("gemini-", Thinking::Unknown, false),
        ] {
            let model = Model::of(id);
            assert_eq!((model.thinking, model.wants_signatures), (thinking, signatures), "{id}");
        }
    }
}
