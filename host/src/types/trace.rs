//! Where a request stands in its caller's own trace: the header `traceparent` of W3C Trace Context.

/// The span a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace, never 0.
    pub trace: u128,
    /// The span within it, never 0.
    pub span: u64,
    /// Whether the caller records its own part.
    pub sampled: bool,
}

impl TraceParent {
    /// Reads the header's value; `None` where it is not in order, and is to be passed over.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let version = digits(parts.next()?, 2)?;
        let trace = digits(parts.next()?, 32).filter(|trace| *trace != 0)?;
        let span = digits(parts.next()?, 16).filter(|span| *span != 0)?;
        let flags = digits(parts.next()?, 2)?;
        // A later version may say more, this one may not, and 255 is none.
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        Some(Self { trace, span: u64::try_from(span).ok()?, sampled: flags & 1 == 1 })
    }
}

/// So many hexadecimal digits, in lower case as the format has them.
fn digits(text: &str, count: usize) -> Option<u128> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == count && text.bytes().all(is_digit)).then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_header_of_the_standard_and_passes_over_what_is_not_in_order() {
        let sound = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let parent = |sampled| TraceParent {
            trace: 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c,
            span: 0xb7ad_6b71_6920_3331,
            sampled,
        };

        assert_eq!(TraceParent::parse(sound), Some(parent(true)));
        assert_eq!(TraceParent::parse(&sound.replace("-01", "-00")), Some(parent(false)));
        assert_eq!(TraceParent::parse(&format!("01{}-more", &sound[2..])), Some(parent(true)));
        for broken in [
            "",
            "00",
            &sound.to_uppercase(),
            &sound.replace("00-", "ff-"),
            &format!("{sound}-more"),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-+7ad6b7169203331-01",
        ] {
            assert_eq!(TraceParent::parse(broken), None, "{broken}");
        }
    }
}
