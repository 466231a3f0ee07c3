//! Which day it is, in the time zone that budgets go by. Days only go forward.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The day and the month that costs count in.
///
/// A clock that is set back opens no day again: the day stays the latest one there was, until the clock has caught up. So each
/// cost counts in one day, and no day begins twice.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    today: Option<Date>,
    /// When the next day begins; before that there is nothing to look up.
    tomorrow: Timestamp,
}

/// What has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// Nothing.
    No,
    /// A day.
    Day,
    /// A month, and so a day.
    Month,
}

impl Calendar {
    /// A calendar of that zone on which no day has begun yet.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self { zone, today: None, tomorrow: Timestamp::MIN }
    }

    /// Turns to the day of a time, where that is a later one.
    pub fn turn(&mut self, wall: Timestamp) -> Turned {
        if wall < self.tomorrow {
            return Turned::No;
        }
        let day = self.date(wall);
        let before = self.today;
        let today = before.map_or(day, |before| before.max(day));
        self.today = Some(today);
        self.tomorrow = self.end_of(today);
        match before {
            Some(before) if before == today => Turned::No,
            Some(before) if month_of(before) == month_of(today) => Turned::Day,
            Some(_) | None => Turned::Month,
        }
    }

    /// Goes by another zone from now on. A day that has begun stays begun.
    pub fn move_to(&mut self, zone: TimeZone) {
        self.zone = zone;
        self.tomorrow = Timestamp::MIN;
    }

    /// The zone.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The date of a time in the zone.
    #[must_use]
    pub fn date(&self, wall: Timestamp) -> Date {
        wall.to_zoned(self.zone.clone()).date()
    }

    /// Today as a number: days since 1970.
    #[must_use]
    pub fn day(&self) -> i32 {
        day_of(self.today.unwrap_or(EPOCH))
    }

    /// This month as a number: months since the year 0.
    #[must_use]
    pub fn month(&self) -> i32 {
        month_of(self.today.unwrap_or(EPOCH))
    }

    fn end_of(&self, day: Date) -> Timestamp {
        let next = day.tomorrow().and_then(|next| next.to_zoned(self.zone.clone()));
        next.map_or(Timestamp::MAX, |next| next.timestamp())
    }
}

const EPOCH: Date = date(1970, 1, 1);

/// A date as a number: days since 1970.
#[must_use]
pub fn day_of(date: Date) -> i32 {
    i32::try_from(date.duration_since(EPOCH).as_hours() / 24).unwrap_or(0)
}

/// A month as a number: months since the year 0.
#[must_use]
pub(super) fn month_of(date: Date) -> i32 {
    i32::from(date.year()) * 12 + i32::from(date.month()) - 1
}

/// The date that [`day_of`] gives a number.
#[must_use]
pub fn date_of(day: i32) -> Date {
    EPOCH.saturating_add(SignedDuration::from_hours(i64::from(day) * 24))
}

/// The month of a day, both as numbers.
#[must_use]
pub fn month_of_day(day: i32) -> i32 {
    month_of(date_of(day))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn turns_at_midnight_of_its_own_zone() {
        let mut calendar = Calendar::new(zone("Asia/Tokyo"));

        let turned = ["2026-03-31T14:59:59Z", "2026-03-31T15:00:00Z", "2026-04-01T14:59:59Z", "2026-04-01T15:00:00Z"]
            .map(|wall| calendar.turn(time(wall)));

        assert_eq!(turned, [Turned::Month, Turned::Month, Turned::No, Turned::Day]);
        assert_eq!(date_of(calendar.day()), date(2026, 4, 2));
    }

    // R15
    #[test]
    fn has_a_short_and_a_long_day_where_the_clocks_are_changed() {
        let mut calendar = Calendar::new(zone("Europe/Berlin"));
        let mut turns = Vec::new();
        for wall in ["2026-03-28T23:30:00Z", "2026-10-24T22:30:00Z"] {
            let begin = time(wall);
            calendar.turn(begin);
            let turn =
                (0..60 * 26).find(|minute| calendar.turn(begin + SignedDuration::from_mins(*minute)) != Turned::No);
            turns.push(turn);
        }

        // 23 hours from 0:30 on the day they are put forward, 25 on the day they are put back.
        assert_eq!(turns, [Some(22 * 60 + 30), Some(24 * 60 + 30)]);
    }

    // R15
    #[test]
    fn begins_no_day_twice_for_a_clock_that_is_set_back() {
        let mut calendar = Calendar::new(TimeZone::UTC);
        calendar.turn(time("2026-03-31T00:30:00Z"));

        let back = calendar.turn(time("2026-03-30T23:30:00Z"));
        let again = calendar.turn(time("2026-03-31T00:10:00Z"));
        let ahead = calendar.turn(time("2026-04-01T01:30:00Z"));
        let corrected = calendar.turn(time("2026-03-31T00:31:00Z"));
        let midnight = calendar.turn(time("2026-04-01T00:00:00Z"));

        let turned = [back, again, ahead, corrected, midnight];
        assert_eq!(turned, [Turned::No, Turned::No, Turned::Month, Turned::No, Turned::No]);
    }

    #[test]
    fn goes_on_with_the_day_it_has_in_another_zone() {
        let mut calendar = Calendar::new(zone("Asia/Tokyo"));
        calendar.turn(time("2026-03-31T18:00:00Z"));

        calendar.move_to(zone("America/New_York"));

        assert_eq!(calendar.turn(time("2026-03-31T18:00:01Z")), Turned::No);
        assert_eq!(
            (date_of(calendar.day()), calendar.turn(time("2026-04-02T05:00:00Z"))),
            (date(2026, 4, 1), Turned::Day)
        );
    }

    proptest! {
        #[test]
        fn numbers_days_in_order(day in -1_000_000i32..1_000_000) {
            prop_assert_eq!(day_of(date_of(day)), day);
            prop_assert!(month_of_day(day) <= month_of_day(day + 1));
        }
    }
}
