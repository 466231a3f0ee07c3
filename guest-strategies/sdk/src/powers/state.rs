//! `state`: what is remembered from one request to the next.
//!
//! All instances of a strategy on a route share it, and it outlives reloads and restarts. Natively it is a map of the thread's, so
//! that tests need no host; [`testing::forget`](crate::testing::forget) empties it.

/// Why a value was not kept. What was there before is there still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The key is empty or longer than 128 bytes.
    BadKey,
    /// The value is longer than 4,096 bytes.
    LongValue,
    /// There is no room for another key (1,024), or for so many more bytes (256 KiB in all).
    Full,
}

/// The value of a key.
#[must_use]
pub fn get(key: &str) -> Option<Vec<u8>> {
    backing::get(key)
}

/// Sets a key.
///
/// # Errors
/// Where key or value are beyond their bounds.
pub fn set(key: &str, value: &[u8]) -> Result<(), Refusal> {
    backing::set(key, value)
}

/// Sets a key if its value is what was expected (`None`: there is none), and says whether it did. For writers in `next`, where
/// several instances are at work at once.
///
/// # Errors
/// Where key or value are beyond their bounds.
pub fn swap(key: &str, expected: Option<&[u8]>, value: &[u8]) -> Result<bool, Refusal> {
    backing::swap(key, expected, value)
}

/// Removes a key.
pub fn remove(key: &str) {
    backing::remove(key);
}

/// All keys, in the order of their bytes.
#[must_use]
pub fn keys() -> Vec<String> {
    backing::keys()
}

/// A row of numbers that was kept under a key; zeros where there is none.
#[must_use]
pub fn numbers<const N: usize>(key: &str) -> [f64; N] {
    let bytes = get(key).unwrap_or_default();
    let mut numbers = [0.0; N];
    if bytes.len() == N * 8 {
        let kept = bytes.chunks_exact(8).filter_map(|bytes| bytes.try_into().ok().map(f64::from_le_bytes));
        numbers.iter_mut().zip(kept).for_each(|(number, kept)| *number = kept);
    }
    numbers
}

/// Keeps a row of numbers under a key.
///
/// # Errors
/// As [`set`].
pub fn set_numbers(key: &str, numbers: &[f64]) -> Result<(), Refusal> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    set(key, &bytes)
}

/// The host's own.
#[cfg(target_arch = "wasm32")]
mod backing {
    use crate::guest::bindings::backstop::strategy::state;

    use super::Refusal;

    pub(super) use state::{get, keys, remove};

    pub(super) fn set(key: &str, value: &[u8]) -> Result<(), Refusal> {
        state::set(key, value).map_err(Refusal::from)
    }

    pub(super) fn swap(key: &str, expected: Option<&[u8]>, value: &[u8]) -> Result<bool, Refusal> {
        state::swap(key, expected, value).map_err(Refusal::from)
    }

    impl From<state::Refusal> for Refusal {
        fn from(refusal: state::Refusal) -> Self {
            match refusal {
                state::Refusal::BadKey => Self::BadKey,
                state::Refusal::LongValue => Self::LongValue,
                state::Refusal::Full => Self::Full,
            }
        }
    }
}

/// A map of the thread's, with the host's bounds for a single key and value.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod backing {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::Refusal;

    thread_local! {
        static KEPT: RefCell<BTreeMap<String, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
    }

    pub(super) fn get(key: &str) -> Option<Vec<u8>> {
        KEPT.with_borrow(|kept| kept.get(key).cloned())
    }

    pub(super) fn set(key: &str, value: &[u8]) -> Result<(), Refusal> {
        if key.is_empty() || key.len() > 128 {
            return Err(Refusal::BadKey);
        }
        if value.len() > 4_096 {
            return Err(Refusal::LongValue);
        }
        KEPT.with_borrow_mut(|kept| kept.insert(key.to_owned(), value.to_owned()));
        Ok(())
    }

    pub(super) fn swap(key: &str, expected: Option<&[u8]>, value: &[u8]) -> Result<bool, Refusal> {
        if get(key).as_deref() != expected {
            return Ok(false);
        }
        set(key, value).map(|()| true)
    }

    pub(super) fn remove(key: &str) {
        KEPT.with_borrow_mut(|kept| kept.remove(key));
    }

    pub(super) fn keys() -> Vec<String> {
        KEPT.with_borrow(|kept| kept.keys().cloned().collect())
    }

    pub(crate) fn forget() {
        KEPT.with_borrow_mut(BTreeMap::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::{Refusal, get, keys, numbers, remove, set, set_numbers, swap};

    #[test]
    fn keeps_rows_of_numbers_and_takes_what_is_none_for_zeros() {
        set_numbers("a", &[1.5, -2.0]).unwrap();
        set("b", b"not numbers").unwrap();

        assert_eq!(numbers("a"), [1.5, -2.0]);
        assert_eq!((numbers::<3>("a"), numbers::<2>("b"), numbers::<1>("c")), ([0.0; 3], [0.0; 2], [0.0]));
    }

    #[test]
    fn behaves_natively_as_the_host_does() {
        assert_eq!(set("", b""), Err(Refusal::BadKey));
        assert_eq!(swap("d", None, b"1"), Ok(true));
        assert_eq!(swap("d", None, b"2"), Ok(false));
        assert_eq!((get("d"), keys().contains(&"d".to_owned())), (Some(b"1".to_vec()), true));
        remove("d");
        assert_eq!(get("d"), None);
    }
}
