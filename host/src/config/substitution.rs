//! Variables within addresses, so that a password need not stand in a file: `redis://:${REDIS_PASSWORD}@host`, `${REDIS_URL}`.

use percent_encoding::percent_decode_str;

use super::environment::{Environment, Found};
use super::problem::{Fault, Read};

/// The text of a variable where all that is written is `${NAME}`, else what is written.
pub(super) fn whole(text: &str, environment: &Environment) -> Read<String> {
    match variable(text.trim()) {
        Some(name) => value_of(name, environment),
        None => Ok(text.trim().to_owned()),
    }
}

/// The name in `${name}`, where a text is nothing else.
fn variable(text: &str) -> Option<&str> {
    text.strip_prefix("${")?.strip_suffix('}').filter(|name| !name.contains(['$', '{', '}']))
}

/// A part of an address without its percent-encoding, with the values of its variables.
pub(super) fn decoded(part: &str, environment: &Environment) -> Read<String> {
    let decoded = percent_decode_str(part).decode_utf8();
    let decoded = decoded.map_err(|_| Fault::words("not UTF-8", "write its bytes as UTF-8 with %, as in %C3%A4"))?;
    filled(&decoded, environment)
}

/// A text with the values of its variables.
fn filled(text: &str, environment: &Environment) -> Read<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        let (name, after) = behind.split_once('}').ok_or_else(|| Fault::words("has a ${ without }", "close it"))?;
        filled.push_str(before);
        filled.push_str(&value_of(name, environment)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn value_of(name: &str, environment: &Environment) -> Read<String> {
    match environment.find(name) {
        Some(Found::Text(text, _)) => Ok(text.to_owned()),
        Some(Found::NotUnicode(_)) => Err(Fault::words(format!("{name} is not UTF-8"), "set it to a text").secret()),
        None => {
            let mend = "set it in the environment or in .env, or write %24 for a dollar sign";
            Err(Fault::words(format!("the variable {name} is not set"), mend).secret())
        }
    }
}
