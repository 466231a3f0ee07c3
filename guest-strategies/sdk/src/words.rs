//! Numbers as people read them, without the weight of the standard formatter.

/// A length: `250 ms`, `2.5 s`, `3 min`.
pub(crate) fn length(ms: u32) -> String {
    let mut text = String::new();
    match ms {
        0..1_000 => {
            push_number(&mut text, u64::from(ms));
            text.push_str(" ms");
        }
        1_000..120_000 => {
            let tenths = ms.div_ceil(100);
            push_number(&mut text, u64::from(tenths / 10));
            text.push('.');
            push_number(&mut text, u64::from(tenths % 10));
            text.push_str(" s");
        }
        _ => {
            push_number(&mut text, u64::from(ms.div_ceil(60_000)));
            text.push_str(" min");
        }
    }
    text
}

/// An amount of US dollars to the millionth, without idle zeros beyond the cent: `$0.0004`, `$1.50`.
#[must_use]
pub fn dollars(amount: f64) -> String {
    const MILLION: u64 = 1_000_000;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from f64 saturates")]
    let millionths = (amount * MILLION as f64 + 0.5) as u64;
    let mut text = String::from("$");
    push_number(&mut text, millionths / MILLION);
    text.push('.');
    let mut digits = millionths % MILLION + MILLION;
    while digits >= 1_000 && digits.is_multiple_of(10) {
        digits /= 10;
    }
    let start = text.len();
    push_number(&mut text, digits);
    // The leading 1 only kept the zeros after the point.
    text.remove(start);
    text
}

/// Adds a whole number.
pub(crate) fn push_number(text: &mut String, number: u64) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

#[cfg(test)]
mod tests {
    use super::{dollars, length};

    #[test]
    fn writes_lengths_in_the_unit_that_fits() {
        let written: Vec<String> = [0, 250, 1_000, 1_950, 2_000, 59_999, 120_000, u32::MAX].map(length).into();

        assert_eq!(written, ["0 ms", "250 ms", "1.0 s", "2.0 s", "2.0 s", "60.0 s", "2 min", "71583 min"]);
    }

    #[test]
    fn writes_dollars_to_the_millionth_without_idle_zeros() {
        let written: Vec<String> = [0.0, 0.0004, 0.000_001, 1.5, 12.345_678, 0.01, -1.0, f64::NAN].map(dollars).into();

        assert_eq!(written, ["$0.00", "$0.0004", "$0.000001", "$1.50", "$12.345678", "$0.01", "$0.00", "$0.00"]);
    }
}
