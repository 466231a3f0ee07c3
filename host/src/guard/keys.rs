//! The keys of one provider: taken in turn, left out once the provider has rejected them.

use crate::types::FailureKind;

/// Which keys are in the rotation, and whose turn it is. Keys are places in the provider's list; it holds no secret.
#[derive(Debug, Clone)]
pub(super) struct KeyRing {
    rejected: Vec<Option<FailureKind>>,
    next: usize,
}

impl KeyRing {
    /// All keys in the rotation. A provider that needs no key has one place all the same.
    pub(super) fn new(keys: usize) -> Self {
        Self { rejected: vec![None; keys.max(1)], next: 0 }
    }

    /// The keys in the rotation, the one whose turn it is first.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = usize> {
        let places = self.rejected.len();
        let turns = (0..places).map(move |step| (self.next + step) % places);
        turns.filter(|key| matches!(self.rejected.get(*key), Some(None)))
    }

    /// The key was given to a request: the next one is whose turn it is.
    pub(super) fn taken(&mut self, key: usize) {
        self.next = (key + 1) % self.rejected.len();
    }

    /// Takes a key out of the rotation for all models; whether it was still in it.
    pub(super) fn reject(&mut self, key: usize, why: FailureKind) -> bool {
        match self.rejected.get_mut(key) {
            Some(place @ None) => {
                *place = Some(why);
                true
            }
            Some(Some(_)) | None => false,
        }
    }

    /// Takes all keys back into the rotation.
    pub(super) fn forgive(&mut self) {
        self.rejected.fill(None);
    }

    /// Why a key is out of the rotation, where it is.
    pub(super) fn rejection(&self, key: usize) -> Option<FailureKind> {
        self.rejected.get(key).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_keys_in_turn() {
        let mut ring = KeyRing::new(3);
        let mut taken = Vec::new();

        for _ in 0..4 {
            let key = ring.in_turn().next().unwrap();
            ring.taken(key);
            taken.push(key);
        }

        assert_eq!(taken, [0, 1, 2, 0]);
    }

    #[test]
    fn leaves_a_rejected_key_out_and_says_so_once() {
        let mut ring = KeyRing::new(2);

        assert!(ring.reject(0, FailureKind::Authentication));
        assert!(!ring.reject(0, FailureKind::Permission));

        assert_eq!(ring.in_turn().collect::<Vec<_>>(), [1]);
        assert_eq!(ring.rejection(0), Some(FailureKind::Authentication));
    }

    #[test]
    fn has_one_place_where_no_key_is_needed() {
        assert_eq!(KeyRing::new(0).in_turn().count(), 1);
    }
}
