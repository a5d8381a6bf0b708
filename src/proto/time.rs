//! Time as an argument.

use std::ops::Add;
use std::time::Duration;

/// A moment on the node's monotonic clock: microseconds since the node started. Whoever drives a machine supplies it;
/// tests let it jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The start of the node.
    pub const ZERO: Self = Self(0);

    /// The moment `micros` microseconds after the start.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The moment `millis` milliseconds after the start.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Microseconds since the start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Milliseconds since the start, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1000
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(after.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// A moment as the protocol writes it, `YYYY-MM-DD HH:MM:SS`: milliseconds since 1970, moved by so many seconds east of UTC.
pub fn date_time(wall_ms: i64, utc_offset: i32) -> String {
    let seconds = wall_ms.div_euclid(1000).saturating_add(i64::from(utc_offset));
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// Milliseconds since 1970 at the beginning of a day `YYYY-MM-DD`, in a time so many seconds east of UTC. `None`: it is no day.
pub fn day_start(date: &str, utc_offset: i32) -> Option<i64> {
    let mut parts = date.splitn(3, '-').map(|part| {
        let digits = !part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse::<i64>().ok()).flatten()
    });
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days(year, month, day);
    (civil(days) == (year, month, day)).then(|| (days * 86_400 - i64::from(utc_offset)) * 1000)
}

/// Days since 1970-01-01 as year, month and day of the Gregorian calendar. Years begin in March here, so that the leap day
/// is the last.
fn civil(days: i64) -> (i64, i64, i64) {
    let from_march = days + 719_468;
    let (era, of_era) = (from_march.div_euclid(146_097), from_march.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_people_read_them() {
        assert_eq!(date_time(0, 0), "1970-01-01 00:00:00");
        assert_eq!(date_time(951_782_399_999, 0), "2000-02-28 23:59:59");
        assert_eq!(date_time(951_782_400_000, 0), "2000-02-29 00:00:00");
        assert_eq!(date_time(1_795_305_600_000, 10_800), "2026-11-22 03:00:00");
        assert_eq!(date_time(-1, 0), "1969-12-31 23:59:59");
    }

    #[test]
    fn a_day_is_found_again_and_no_day_is_none() {
        for days in (-800_000..800_000).step_by(97) {
            let (year, month, day) = civil(days);
            assert_eq!(super::days(year, month, day), days);
        }
        assert_eq!(day_start("2026-11-22", 10_800), Some(1_795_305_600_000 - 10_800_000));
        for wrong in ["", "2026", "2026-11", "2026-02-29", "2026-13-01", "2026-1-", "x", "-1-1-1", "2026-11-22-1"] {
            assert_eq!(day_start(wrong, 0), None, "{wrong}");
        }
    }
}
