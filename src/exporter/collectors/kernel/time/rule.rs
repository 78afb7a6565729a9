//! Rules of time zones: `CET-1CEST,M3.5.0,M10.5.0/3`. Source: tzset(3), RFC 9636 section 3.3.

use super::super::date::{DAY, days, is_leap, length, weekday, year};
use super::zone::Offset;

/// Summer time as the United States have it, for rules that name a summer time and no dates.
const DATES: &[u8] = b",M3.2.0,M11.1.0";

/// What a rule says of a time; none if it is no rule.
pub(super) fn offset(rule: &[u8], now: i64) -> Option<Offset<'_>> {
    let mut reader = Reader { rest: rule };
    let name = reader.name()?;
    let standard = Offset { name, seconds: -reader.hours(24)? };
    if reader.rest.is_empty() {
        return Some(standard);
    }
    let name = reader.name()?;
    let seconds = match reader.rest {
        [] | [b',', ..] => standard.seconds + 3600,
        _ => -reader.hours(24)?,
    };
    let summer = Offset { name, seconds };
    if reader.rest.is_empty() {
        reader.rest = DATES;
    }
    let [begin, end] = [reader.change()?, reader.change()?];
    if !reader.rest.is_empty() {
        return None;
    }
    let year = year(now.saturating_add(standard.seconds).div_euclid(DAY).clamp(-FAR, FAR));
    let begin = begin.seconds(year) - standard.seconds;
    let end = end.seconds(year) - summer.seconds;
    let is_summer = if begin < end { (begin..end).contains(&now) } else { !(end..begin).contains(&now) };
    Some(if is_summer { summer } else { standard })
}

/// Days that are too far away for calendars.
const FAR: i64 = 400_000_000;

/// When in a year the clocks change.
struct Change {
    day: Day,
    /// Seconds after midnight.
    time: i64,
}

enum Day {
    /// 1 to 365; the leap day is never counted.
    WithoutLeap(i64),
    /// 0 to 365.
    WithLeap(i64),
    /// The weekday, 0 for Sunday, of a week, 5 for the last, of a month.
    Weekday { month: i64, week: i64, day: i64 },
}

impl Change {
    /// Local time as if it were UTC.
    fn seconds(&self, year: i64) -> i64 {
        let first = days(year, 1, 1);
        let day = match self.day {
            Day::WithoutLeap(day) if is_leap(year) && day >= 60 => first + day,
            Day::WithoutLeap(day) => first + day - 1,
            Day::WithLeap(day) => first + day,
            Day::Weekday { month, week, day } => {
                let first = days(year, month, 1);
                let mut date = (day - weekday(first)).rem_euclid(7) + (week - 1) * 7;
                if date >= length(year, month) {
                    date -= 7;
                }
                first + date
            }
        };
        day * DAY + self.time
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn skip(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    /// `CET` or `<+01>`.
    fn name(&mut self) -> Option<&'a [u8]> {
        let quoted = self.skip(b'<').is_some();
        let fits = |byte: &u8| {
            byte.is_ascii_alphabetic() || quoted && (byte.is_ascii_digit() || matches!(byte, b'+' | b'-'))
        };
        let end = self.rest.iter().position(|byte| !fits(byte)).unwrap_or(self.rest.len());
        let name = self.take(end).filter(|name| name.len() >= 3)?;
        if quoted {
            self.skip(b'>')?;
        }
        Some(name)
    }

    fn number(&mut self, most: i64) -> Option<i64> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = self.take(digits).filter(|digits| (1..=3).contains(&digits.len()))?;
        let number = digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
        (number <= most).then_some(number)
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    fn hours(&mut self, most: i64) -> Option<i64> {
        let negative = self.skip(b'-').is_some();
        if !negative {
            self.skip(b'+');
        }
        let mut seconds = self.number(most)? * 3600;
        for unit in [60, 1] {
            if self.skip(b':').is_none() {
                break;
            }
            seconds += self.number(59)? * unit;
        }
        Some(if negative { -seconds } else { seconds })
    }

    /// `,M3.5.0/2`, `,J60`, `,59/-1`.
    fn change(&mut self) -> Option<Change> {
        self.skip(b',')?;
        let day = if self.skip(b'M').is_some() {
            let month = self.number(12).filter(|month| *month > 0)?;
            self.skip(b'.')?;
            let week = self.number(5).filter(|week| *week > 0)?;
            self.skip(b'.')?;
            Day::Weekday { month, week, day: self.number(6)? }
        } else if self.skip(b'J').is_some() {
            Day::WithoutLeap(self.number(365).filter(|day| *day > 0)?)
        } else {
            Day::WithLeap(self.number(365)?)
        };
        let time = if self.skip(b'/').is_some() { self.hours(167)? } else { 2 * 3600 };
        Some(Change { day, time })
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn shown(rule: &str, now: i64) -> Option<(&str, i64)> {
        offset(rule.as_bytes(), now)
            .map(|offset| (core::str::from_utf8(offset.name).unwrap(), offset.seconds))
    }

    #[test]
    fn rules_without_summer_time() {
        assert_eq!(shown("UTC0", 0), Some(("UTC", 0)));
        assert_eq!(shown("<+0545>-5:45", 0), Some(("+0545", 20_700)));
        assert_eq!(shown("ABC+1:02:03", 0), Some(("ABC", -3723)));
    }

    #[test]
    fn clocks_change_to_the_second() {
        // Europe: 2026-03-29 01:00 UTC to 2026-10-25 01:00 UTC.
        let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
        for (now, expected) in [
            (1_774_745_999, ("CET", 3600)),
            (1_774_746_000, ("CEST", 7200)),
            (1_792_889_999, ("CEST", 7200)),
            (1_792_890_000, ("CET", 3600)),
        ] {
            assert_eq!(shown(berlin, now), Some(expected), "{now}");
        }
        // The south: 2026-04-04 16:00 UTC back, 2026-10-03 16:00 UTC forth.
        let sydney = "AEST-10AEDT,M10.1.0,M4.1.0/3";
        for (now, expected) in [
            (1_775_318_399, ("AEDT", 39_600)),
            (1_775_318_400, ("AEST", 36_000)),
            (1_791_043_199, ("AEST", 36_000)),
            (1_791_043_200, ("AEDT", 39_600)),
        ] {
            assert_eq!(shown(sydney, now), Some(expected), "{now}");
        }
        // Without dates: 2026-03-08 07:00 UTC to 2026-11-01 06:00 UTC.
        for (now, expected) in
            [(1_772_953_199, "EST"), (1_772_953_200, "EDT"), (1_793_512_799, "EDT"), (1_793_512_800, "EST")]
        {
            assert_eq!(shown("EST5EDT", now).unwrap().0, expected, "{now}");
        }
    }

    #[test]
    fn days_of_the_year() {
        // The first of March of a leap year: 60 either way, as J does not count the leap day and the other counts from 0.
        let at = |rule| shown(rule, days(2024, 3, 1) * DAY).unwrap().0;
        assert_eq!((at("AAA0BBB,J60/0,J61/1"), at("AAA0BBB,60/0,61/1")), ("BBB", "BBB"));
        assert_eq!((at("AAA0BBB,J59/0,J60/1"), at("AAA0BBB,59/0,60/1")), ("AAA", "AAA"));
        assert_eq!((at("AAA0BBB,J61/0,J62/1"), at("AAA0BBB,61/0,62/1")), ("AAA", "AAA"));
        // Greenland: the time may be before midnight.
        assert_eq!(shown("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1_774_746_000), Some(("-01", -3600)));
        assert_eq!(shown("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1_774_745_999), Some(("-02", -7200)));
    }

    #[test]
    fn what_is_no_rule() {
        for rule in [
            "",
            "U",
            "UT0",
            "UTC",
            "UTC25",
            "UTC0x",
            "<UTC0",
            "CET-1CEST,M3.5.0",
            "CET-1CEST,M13.5.0,M10.5.0",
            "CET-1CEST,M0.5.0,M1.1.0",
            "CET-1CEST,M3.6.0,M10.5.0",
            "CET-1CEST,J0,J5",
            "CET-1CEST,366,5",
            "CET-1CEST,1,2,3",
            "CET-1CEST,1/168,2",
            "CET0001",
        ] {
            assert_eq!(shown(rule, 0), None, "{rule}");
        }
    }

    proptest! {
        #[test]
        fn any_rule_is_survived(bytes: Vec<u8>, rule in "[A-C]{3}-?[0-9:]{1,3}([A-C]{3}(,[MJ]?[0-9./-]{1,6}){0,2})?", now: i64) {
            offset(&bytes, now);
            offset(rule.as_bytes(), now);
        }
    }
}
