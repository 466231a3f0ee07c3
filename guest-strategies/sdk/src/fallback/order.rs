//! The one thing in which the built-in strategies differ.

use crate::Candidate;

/// An order of candidates.
pub trait Order {
    /// What candidates are compared by: the least goes first, and ties go to the one declared first.
    type Rank: PartialOrd;

    /// The candidate's rank.
    fn rank(&self, candidate: &Candidate<'_>) -> Self::Rank;

    /// Why a candidate is chosen on the strength of its rank, in a few words for people.
    fn reason(&self, candidate: &Candidate<'_>) -> String;
}
