//! Vectors for the texts of a call, in OpenAI's shape.

use backstop::scripted::{ReceivedCall, Reply};
use serde_json::{Value, json};

/// Whether a call asks for vectors.
pub(super) fn are_asked(call: &ReceivedCall) -> bool {
    call.path.split('?').next().is_some_and(|path| path.ends_with("/embeddings"))
}

/// A vector of three numbers for each input, the first of which is the input's place: as base64 where that is asked for.
pub(super) fn reply(call: &ReceivedCall) -> Reply {
    let input = &call.body["input"];
    // A list of numbers is one input, in tokens.
    let count = match input.as_array() {
        Some(list) if !list.first().is_some_and(Value::is_number) => list.len(),
        _ => 1,
    };
    let is_packed = call.body["encoding_format"] == "base64";
    let data = (0..count).map(|place| {
        let numbers = [u16::try_from(place).map_or(f32::MAX, f32::from), 0.5, -0.25];
        let embedding = if is_packed { json!(packed(numbers)) } else { json!(numbers) };
        json!({"object": "embedding", "index": place, "embedding": embedding})
    });
    let data: Vec<Value> = data.collect();
    let tokens = input.to_string().len() / 4;
    Reply::json(
        200,
        &json!({
            "object": "list", "data": data, "model": call.body["model"],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }),
    )
}

/// The numbers' bytes, the least first, in base64. Twelve bytes make sixteen characters, so that none is left over.
fn packed(numbers: [f32; 3]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let threes = bytes.chunks_exact(3).map(|three| three.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)));
    threes.flat_map(|sum| [18, 12, 6, 0].map(|shift| char::from(LETTERS[sum >> shift & 63]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_numbers_as_openai_does() {
        assert_eq!(packed([0.0, 0.5, -0.25]), "AAAAAAAAAD8AAIC+");
        assert_eq!(packed([1.0, 0.5, -0.25]), "AACAPwAAAD8AAIC+");
    }
}
