//! What a model can be asked for, as far as its id tells.

/// A model, by what its id says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Model {
    /// Such as (4, 5) of `claude-sonnet-4-5-20250929`; `None` of an id that is not Claude's.
    version: Option<(u32, u32)>,
    family: Family,
}

/// The size of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Opus,
    /// Sonnet, Haiku and whatever else there is.
    Other,
}

/// How a model is asked to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is not.
    Never,
    /// Up to so many tokens.
    Budget,
    /// As it sees fit, under an effort.
    Adaptive,
}

impl Model {
    /// Reads an id such as `claude-3-5-sonnet-20241022`, `anthropic/claude-opus-4.1` or `us.anthropic.claude-sonnet-4-v1:0`.
    pub(super) fn of(id: &str) -> Self {
        let id = id.to_ascii_lowercase();
        let after = id.split_once("claude").map_or("", |(_, after)| after);
        let words: Vec<&str> = after.split(|letter: char| !letter.is_ascii_alphanumeric()).collect();
        // A longer number is a date.
        let number = |word: &&str| if word.len() <= 2 { word.parse::<u32>().ok() } else { None };
        let major = words.iter().position(|word| number(word).is_some());
        let version = major.and_then(|place| {
            let minor = words.get(place + 1).and_then(number).unwrap_or(0);
            Some((words.get(place).and_then(number)?, minor))
        });
        let family = if words.contains(&"opus") { Family::Opus } else { Family::Other };
        Self { version, family }
    }

    /// How it is asked to think.
    pub(super) fn mode(self) -> Mode {
        match self.version {
            Some(version) if version >= (4, 6) => Mode::Adaptive,
            Some(version) if version >= (3, 7) => Mode::Budget,
            Some(_) | None => Mode::Never,
        }
    }

    /// Whether it takes a kind of thinking in Anthropic's words. What is not Claude is taken to.
    pub(super) fn takes_thinking(self, kind: Option<&str>) -> bool {
        let Some(version) = self.version else { return true };
        match kind {
            Some("enabled") => ((3, 7)..(4, 7)).contains(&version),
            Some("adaptive") => version >= (4, 6),
            Some(_) | None => version >= (3, 7),
        }
    }

    /// Whether it goes on with an answer that has begun.
    pub(super) fn goes_on(self) -> bool {
        self.version.is_some_and(|version| version < (4, 6))
    }

    /// Whether it is known to refuse a conversation that ends with an answer.
    pub(super) fn refuses_begun_answers(self) -> bool {
        self.version.is_some_and(|version| version >= (4, 6))
    }

    /// Whether it can be held to a schema without the detour of a tool.
    pub(super) fn keeps_to_schemas(self) -> bool {
        let since = if self.family == Family::Opus { (4, 1) } else { (4, 5) };
        self.version.is_some_and(|version| version >= since)
    }

    /// Whether it takes thoughts of earlier turns back. What is not Claude and signs its thoughts is taken to.
    pub(super) fn takes_thoughts(self) -> bool {
        self.version.is_none_or(|version| version >= (3, 7))
    }

    /// Whether it takes `temperature`, `top_p` and `top_k`.
    pub(super) fn takes_sampling(self) -> bool {
        self.version.is_none_or(|version| version < (4, 7))
    }

    /// Whether it refuses `temperature` beside `top_p`.
    pub(super) fn takes_one_sampler(self) -> bool {
        self.version.is_some_and(|version| version >= (4, 1))
    }

    /// The most output tokens it can be asked for, where that is known.
    pub(super) fn most_output(self) -> Option<u64> {
        match self.version? {
            version if version >= (4, 6) => None,
            version if version < (3, 5) => Some(4_096),
            version if version < (3, 7) => Some(8_192),
            version if self.family == Family::Opus && version < (4, 5) => Some(32_000),
            _ => Some(64_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_from_every_spelling_of_an_id() {
        for (id, version) in [
            ("claude-3-5-sonnet-20241022", Some((3, 5))),
            ("claude-3-7-sonnet-latest", Some((3, 7))),
            ("claude-3-haiku-20240307", Some((3, 0))),
            ("claude-2.1", Some((2, 1))),
            ("claude-instant-1.2", Some((1, 2))),
            ("claude-opus-4-20250514", Some((4, 0))),
            ("claude-4-opus-20250514", Some((4, 0))),
            ("claude-sonnet-4-5-20250929", Some((4, 5))),
            ("claude-haiku-4-5@20251001", Some((4, 5))),
            ("anthropic/Claude-Opus-4.1", Some((4, 1))),
            ("us.anthropic.claude-sonnet-4-20250514-v1:0", Some((4, 0))),
            ("claude-opus-4-6", Some((4, 6))),
            ("claude-sonnet-5", Some((5, 0))),
            ("claude-sonnet", None),
            ("MiniMax-M2.5", None),
            ("", None),
        ] {
            assert_eq!(Model::of(id).version, version, "{id}");
        }
    }

    #[test]
    fn knows_what_each_generation_takes() {
        let old = Model::of("claude-3-5-sonnet-20241022");
        let middle = Model::of("claude-sonnet-4-5");
        let new = Model::of("claude-opus-4-7");
        let foreign = Model::of("MiniMax-M2");

        let modes = [old, middle, new, foreign].map(Model::mode);
        assert_eq!(modes, [Mode::Never, Mode::Budget, Mode::Adaptive, Mode::Never]);
        assert_eq!([old, middle, new, foreign].map(Model::goes_on), [true, true, false, false]);
        assert_eq!([old, middle, new, foreign].map(Model::takes_sampling), [true, true, false, true]);
        assert_eq!([old, middle, new, foreign].map(Model::keeps_to_schemas), [false, true, true, false]);
        assert!(Model::of("claude-opus-4-1").keeps_to_schemas() && !Model::of("claude-sonnet-4").keeps_to_schemas());
    }
}
