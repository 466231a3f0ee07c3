//! Why an attempt that the strategy chose is not made.

use std::fmt;
use std::time::Duration;

use crate::guard::{Denied, NoPlace};
use crate::types::Standing;

/// Why an attempt the strategy chose is not made.
#[derive(Debug)]
pub(super) enum Refused {
    /// The request itself rules the target out.
    Unfit(Standing),
    /// The only key left has had its turn in this request.
    NoFreshKey,
    /// The guard does not admit it.
    Guard(Denied),
    /// It is at its limit, and there is no place in line.
    NoPlace(NoPlace),
    /// It is at its limit, and the request has waited in line so long.
    InVain(Duration),
}

impl Refused {
    /// How the target stands for the request, as a strategy is told.
    pub(super) fn standing(&self) -> Standing {
        match self {
            Self::Unfit(standing) => *standing,
            Self::NoFreshKey => Standing::Spent,
            Self::Guard(denied) => denied.standing(),
            Self::NoPlace(NoPlace::TooLate(wait)) => Denied::Limited(*wait).standing(),
            Self::NoPlace(NoPlace::Full(_)) | Self::InVain(_) => Standing::Limited(0),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfit(standing) => write!(f, "{} for this request", standing.name()),
            Self::NoFreshKey => f.write_str("its keys have had their turns"),
            Self::Guard(denied) => write!(f, "{denied}"),
            Self::NoPlace(no_place) => write!(f, "the operator's limit for it is used up: {no_place}"),
            Self::InVain(patience) => write!(f, "its turn did not come within {patience:.1?} in line"),
        }
    }
}
