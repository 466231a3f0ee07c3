//! What the stage's command line says.

use super::Behaviour;

/// The cast, and how the gateway is set up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flags {
    /// The providers in declared order.
    pub cast: Vec<Casting>,
    /// The table `[routes.default]`, where it is not the stage's own.
    pub route: Option<String>,
    /// Further tables of the configuration.
    pub settings: Vec<String>,
    /// Runs of `backstop` before it serves.
    pub runs: Vec<Vec<String>>,
    /// Whether providers may take as long as they like.
    pub is_patient: bool,
}

/// A provider and what it does to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Casting {
    /// Its name in the configuration.
    pub name: String,
    /// The protocol it speaks.
    pub kind: String,
    /// Further lines of its table.
    pub settings: Vec<String>,
    /// What it does with the first call, the second, and so on; the last for ever.
    pub replies: Vec<Behaviour>,
}

/// What the flags mean.
pub const HELP: &str = r#"Scripted providers on loopback, and the real `backstop serve` in front of them, for tests in other languages.

usage: stage --provider NAME[:KIND] [--reply NAME=BEHAVIOUR]… [more flags]

  --provider NAME[:KIND]           a provider, in declared order, with one model, NAME-model; KIND is openai (the default),
                                   anthropic, gemini or ollama
  --with NAME=TOML                 a further line of a provider's own table, such as 'alpha=priority = 3'; may be given again
  --reply NAME=BEHAVIOUR           what a provider does with a call; given again: with the next call; the last for ever.
                                   A provider without any answers
  --route TOML                     the lines of [routes.default], in place of the strategy smart with short waits
  --settings TOML                  further tables of backstop.toml, such as '[budget]
                                   daily_usd = "1"'; may be given again
  --run ARGUMENTS                  runs `backstop ARGUMENTS` before it serves; may be given again
  --patient                        providers may take 600 s, in place of 700 ms, to their first token and from one to the next

Behaviours (TEXT is the same for all providers unless given, so that one can go on where another broke off):
  answer[:TEXT]          slow:MS[:TEXT]          paced:MS[:TEXT] (each token so long after the one before)
  json[:TEXT]            JSON as text, or as arguments of the tool that the request insists on
  tools[:ARGUMENTS]      calls the first tool on offer; answers `The tool said: …` when it has the result
  STATUS[:MESSAGE]       an error, 400 to 599             429[:SECONDS]     with retry-after
  quota                  429, the account is empty        context           400, the request is too long
  reset, silence         before anything is said
  cut:TOKENS[:TEXT]      resets the connection after so many tokens of a stream
  end:TOKENS[:TEXT]      ends the stream there in good order, without finish reason or [DONE]
  stall:TOKENS[:TEXT]    says nothing more              error:TOKENS[:TEXT]     an error event
Calls for embeddings get vectors in place of an answer.

It prints one line of JSON and then serves until its standard input closes or SIGTERM or SIGINT comes:
  {"gateway":"http://127.0.0.1:…","control":"http://127.0.0.1:…","home":"…","providers":{NAME:ADDRESS},"runs":[STDOUT…]}
`home` is the folder Backstop runs in. The gateway's log goes to standard error when it has ended.

The control speaks JSON:
  GET  /providers             {"providers":[{"name","kind","replies":[…],"calls":3,"disconnects":0}]}
  POST /providers/NAME        {"replies":["500","answer"]}: what it does from its next call on; its calls so far are forgotten
  GET  /providers/NAME/calls  {"calls":[{"method","path","headers":{…},"body"}]}
  POST /reset                 every provider does again what the command line says, and the calls are forgotten

Where the variable BACKSTOP_BINARY names a binary, that is run; else cargo is asked to build it."#;

impl Flags {
    /// Reads the flags.
    ///
    /// # Errors
    /// The first one that is wrong, in words for whoever gave it.
    pub fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut flags = Self::default();
        while let Some(flag) = given.next() {
            let mut value = || given.next().ok_or(format!("{flag} lacks its value"));
            match flag.as_str() {
                "--provider" => flags.cast.push(casting(&value()?)?),
                "--reply" => {
                    let value = value()?;
                    let (casting, behaviour) = flags.casting(&flag, &value)?;
                    casting.replies.push(behaviour.parse().map_err(|error| format!("{flag} {value}: {error}"))?);
                }
                "--with" => {
                    let value = value()?;
                    let (casting, line) = flags.casting(&flag, &value)?;
                    casting.settings.push(line.to_owned());
                }
                "--route" => flags.route = Some(value()?),
                "--settings" => flags.settings.push(value()?),
                "--run" => flags.runs.push(value()?.split_whitespace().map(str::to_owned).collect()),
                "--patient" => flags.is_patient = true,
                _ => return Err(format!("no such flag: {flag}")),
            }
        }
        for casting in flags.cast.iter_mut().filter(|casting| casting.replies.is_empty()) {
            casting.replies.push("answer".parse().map_err(|error| format!("{error}"))?);
        }
        if flags.cast.is_empty() { Err("there is no --provider".to_owned()) } else { Ok(flags) }
    }

    /// The provider that `NAME=…` names, and what follows.
    fn casting<'a>(&mut self, flag: &str, text: &'a str) -> Result<(&mut Casting, &'a str), String> {
        let (name, rest) = text.split_once('=').ok_or(format!("{flag} {text}: not NAME=…"))?;
        let casting = self.cast.iter_mut().find(|casting| casting.name == name);
        Ok((casting.ok_or(format!("{flag} {text}: there is no --provider {name} before it"))?, rest))
    }
}

fn casting(text: &str) -> Result<Casting, String> {
    let (name, kind) = text.split_once(':').unwrap_or((text, "openai"));
    if name.is_empty() {
        return Err(format!("--provider {text}: it lacks a name"));
    }
    if !["openai", "anthropic", "gemini", "ollama"].contains(&kind) {
        return Err(format!("--provider {text}: `{kind}` is none of openai, anthropic, gemini, ollama"));
    }
    Ok(Casting { kind: kind.to_owned(), name: name.to_owned(), settings: Vec::new(), replies: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(flags: &[&str]) -> Result<Flags, String> {
        Flags::parse(flags.iter().map(|flag| (*flag).to_owned()))
    }

    #[test]
    fn casts_providers_in_order() {
        let flags = parsed(&[
            "--provider",
            "a",
            "--provider",
            "b:anthropic",
            "--reply",
            "b=500",
            "--reply",
            "b=answer:hi",
            "--with",
            "b=priority = 3",
        ]);

        let casting = |name: &str, kind: &str, settings: &[&str], replies: &[&str]| Casting {
            name: name.to_owned(),
            kind: kind.to_owned(),
            settings: settings.iter().map(|line| (*line).to_owned()).collect(),
            replies: replies.iter().map(|reply| reply.parse().unwrap()).collect(),
        };
        let (a, b) = (
            casting("a", "openai", &[], &["answer"]),
            casting("b", "anthropic", &["priority = 3"], &["500", "answer:hi"]),
        );
        assert_eq!(flags.unwrap().cast, [a, b]);
    }

    #[test]
    fn says_which_flag_is_wrong() {
        for (flags, fault) in [
            (&[][..], "there is no --provider"),
            (&["--provider", "a:grpc"], "--provider a:grpc: `grpc` is none of openai, anthropic, gemini, ollama"),
            (&["--provider", "a", "--reply", "b=500"], "--reply b=500: there is no --provider b before it"),
            (&["--provider", "a", "--reply", "a=5"], "--reply a=5: `5` is no behaviour; --help lists them"),
            (&["--route"], "--route lacks its value"),
        ] {
            assert_eq!(parsed(flags).unwrap_err(), fault);
        }
    }
}
