//! Days and dates of the Gregorian calendar.

/// Seconds of a day, without leap seconds.
pub(super) const DAY: i64 = 86_400;

/// Days of 400 years, after which the calendar repeats.
const ERA: i64 = 146_097;

/// The days from 1970-01-01 to a date. The month counts from 1; what is outside of a month runs over into the next.
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    era * ERA + year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// The year of a day.
pub(super) fn year(day: i64) -> i64 {
    let guess = 1970 + (day * 400).div_euclid(ERA);
    // The mean year is at most a day or two off.
    if days(guess + 1, 1, 1) <= day {
        guess + 1
    } else if days(guess, 1, 1) > day {
        guess - 1
    } else {
        guess
    }
}

pub(super) const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// 0 is Sunday.
pub(super) const fn weekday(day: i64) -> i64 {
    (day + 4).rem_euclid(7)
}

/// How many days a month has.
pub(super) const fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_one_by_one() {
        let mut expected = days(1583, 1, 1);
        for year_now in 1583..=2800 {
            for month in 1..=12 {
                for day in 1..=length(year_now, month) {
                    assert_eq!((days(year_now, month, day), year(expected)), (expected, year_now));
                    expected += 1;
                }
            }
        }
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2026, 11, 24), 20_781);
        assert_eq!(weekday(days(2026, 11, 24)), 2);
        assert_eq!(weekday(days(1969, 12, 27)), 6);
    }
}
