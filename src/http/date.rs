//! The `Date` header: IMF-fixdate (RFC 9110 §5.6.7), rendered once a second.

const SAMPLE: [u8; 29] = *b"Thu, 01 Jan 1970 00:00:00 GMT";

/// The text of the current second.
#[derive(Clone, Debug)]
pub(crate) struct Date {
    seconds: u64,
    text: [u8; 29],
}

impl Date {
    pub(crate) const fn new() -> Self {
        Self { seconds: 0, text: SAMPLE }
    }

    /// The text for this time, in seconds since 1970.
    pub(crate) fn at(&mut self, seconds: u64) -> &[u8; 29] {
        if seconds != self.seconds {
            // Four digits of year end with 9999.
            self.seconds = seconds;
            self.text = render(seconds.min(253_402_300_799));
        }
        &self.text
    }
}

#[cold]
fn render(seconds: u64) -> [u8; 29] {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // The civil calendar, counted in eras of 400 years from 1 March of year 0 (H. Hinnant, "chrono-compatible
    // low-level date algorithms").
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month < 2);

    let mut text = SAMPLE;
    let name = |names: &[u8], index: u64| {
        let at = 3 * index as usize;
        [names[at], names[at + 1], names[at + 2]]
    };
    text[..3].copy_from_slice(&name(b"ThuFriSatSunMonTueWed", days % 7));
    text[8..11].copy_from_slice(&name(b"JanFebMarAprMayJunJulAugSepOctNovDec", month));
    for (at, value) in [
        (5, day),
        (12, year / 100),
        (14, year % 100),
        (17, second / 3_600),
        (20, second / 60 % 60),
        (23, second % 60),
    ] {
        text[at] = b'0' + (value / 10) as u8;
        text[at + 1] = b'0' + (value % 10) as u8;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(seconds: u64) -> std::string::String {
        std::string::String::from_utf8(Date::new().at(seconds).to_vec()).unwrap()
    }

    #[test]
    fn dates_are_those_of_date_1() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (1_709_251_200, "Fri, 01 Mar 2024 00:00:00 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(shown(seconds), text);
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let (mut day, mut month, mut year) = (1, 0, 1970);
        for days in 0..100_000 {
            let text = shown(days * 86_400 + 3_661);
            let month_name = &"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * month..3 * month + 3];
            assert_eq!(text[5..], std::format!("{day:02} {month_name} {year} 01:01:01 GMT"));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month];
            day += 1;
            if day > length {
                (day, month) = (1, month + 1);
            }
            if month == 12 {
                (month, year) = (0, year + 1);
            }
        }
    }
}
