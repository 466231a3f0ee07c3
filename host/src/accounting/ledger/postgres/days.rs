//! Which days may be spent of: a day begins once for all processes, however their clocks differ.

use jiff::civil::Date;

use crate::accounting::{Account, Window, date_of, day_of, month_of_day};

/// How long the day before may still be lent, for those whose clocks are a little late: 5 minutes.
const GRACE_SECONDS: i64 = 300;

/// The latest day that has begun, and what the database's own clock says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Days {
    /// Days since 1970, in the budgets' time zone.
    pub(super) latest: i32,
    /// How long ago it began for whoever came first.
    pub(super) seconds: i64,
    /// Today in UTC. In no time zone is it more than a day later.
    pub(super) utc: i32,
}

/// Whether an account's period may be lent of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may.
    Open,
    /// It may, and begins this day.
    Begins(i32),
    /// It is over.
    Over,
    /// It lies further ahead than any time zone: the clock of whoever asks is wrong.
    Ahead,
}

impl Days {
    pub(super) fn standing(self, account: &Account) -> Standing {
        let (period, latest, furthest, first) = match account.window {
            Window::Day => (account.period, self.latest, self.utc.saturating_add(1), account.period),
            Window::Month => {
                let month = |day| month_of_day(day);
                (account.period, month(self.latest), month(self.utc.saturating_add(1)), first_of(account.period))
            }
        };
        if period == latest || (period.checked_add(1) == Some(latest) && self.seconds < GRACE_SECONDS) {
            Standing::Open
        } else if period < latest {
            Standing::Over
        } else if period > furthest {
            Standing::Ahead
        } else {
            Standing::Begins(first)
        }
    }
}

/// The first day of a month, both as numbers.
fn first_of(month: i32) -> i32 {
    let (year, month) = (i16::try_from(month.div_euclid(12)), i8::try_from(month.rem_euclid(12) + 1));
    let date = year.ok().zip(month.ok()).and_then(|(year, month)| Date::new(year, month, 1).ok());
    date.map_or_else(|| day_of(date_of(0)), day_of)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::accounting::Scope;

    fn account(window: Window, period: i32) -> Account {
        Account { scope: Scope::Everything, window, period }
    }

    fn days(seconds: i64) -> Days {
        let day = day_of(date(2026, 3, 1));
        Days { latest: day, seconds, utc: day }
    }

    // R15
    #[test]
    fn lends_of_no_day_that_is_over_but_for_a_little_while() {
        let day = |back: i32, seconds| days(seconds).standing(&account(Window::Day, days(0).latest - back));

        assert_eq!(
            [day(0, 0), day(1, 299), day(1, 300), day(2, 0)],
            [Standing::Open, Standing::Open, Standing::Over, Standing::Over]
        );
    }

    // R15
    #[test]
    fn begins_no_day_that_is_nowhere_yet() {
        let today = days(0).latest;
        let day = |ahead: i32| days(9_999).standing(&account(Window::Day, today + ahead));

        assert_eq!([day(1), day(2)], [Standing::Begins(today + 1), Standing::Ahead]);
    }

    #[test]
    fn counts_months_in_the_same_way() {
        let march = month_of_day(days(0).latest);
        let month = |ahead: i32, seconds| days(seconds).standing(&account(Window::Month, march + ahead));

        assert_eq!(
            [month(0, 0), month(-1, 10), month(-1, 400), month(1, 0)],
            [Standing::Open, Standing::Open, Standing::Over, Standing::Ahead]
        );
        let february = Days { latest: days(0).latest - 1, ..days(0) };
        assert_eq!(
            february.standing(&account(Window::Month, march)),
            Standing::Begins(days(0).latest),
            "a month begins with its first day"
        );
    }
}
