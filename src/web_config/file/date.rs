//! Which texts YAML 1.1 takes for a point in time, as far as the reference does.

/// Whether the text is a date, or a date and a time.
pub(super) fn is_timestamp(text: &str) -> bool {
    let Some(rest) = date(text) else { return false };
    match rest.as_bytes().first() {
        None => true,
        Some(b'T' | b't') => time(&rest[1..]).is_some_and(is_zone),
        Some(b' ') => time(rest.trim_start_matches(' ')).is_some_and(str::is_empty),
        Some(_) => false,
    }
}

/// What stands behind `year-month-day`.
fn date(text: &str) -> Option<&str> {
    let (year, rest) = text.split_at_checked(4)?;
    let year: u32 = year.bytes().all(|byte| byte.is_ascii_digit()).then(|| year.parse().ok())??;
    let (month, rest) = part(rest.strip_prefix('-')?)?;
    let (day, rest) = part(rest.strip_prefix('-')?)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=days).contains(&day).then_some(rest)
}

/// One or two digits.
fn part(text: &str) -> Option<(u32, &str)> {
    let length = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(length);
    Some((digits.parse().ok()?, rest))
}

/// What stands behind `hour:minute:second`.
fn time(text: &str) -> Option<&str> {
    let (hour, rest) = part(text)?;
    let (minute, rest) = part(rest.strip_prefix(':')?)?;
    let (second, rest) = part(rest.strip_prefix(':')?)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    match rest.strip_prefix(['.', ',']) {
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 { Some(rest) } else { Some(&fraction[digits..]) }
        }
        None => Some(rest),
    }
}

/// `Z`, or hours and minutes with a sign.
fn is_zone(text: &str) -> bool {
    let two = |digits: &str| digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_offset = |text: &str| match text.strip_prefix(['+', '-']).and_then(|text| text.split_once(':')) {
        Some((hour, minute)) => two(hour) && two(minute) && hour <= "24" && minute <= "60",
        None => false,
    };
    text == "Z" || is_offset(text)
}

#[cfg(test)]
mod tests {
    use super::is_timestamp;

    #[test]
    fn dates_and_times() {
        for text in [
            "2001-1-2",
            "2001-12-14t21:59:43.10-05:00",
            "2001-12-14T21:59:43Z",
            "2001-12-14 21:59:43.10",
            "2024-02-29",
        ] {
            assert!(is_timestamp(text), "{text}");
        }
        for text in [
            "2001",
            "2001-1",
            "2001-13-1",
            "2001-2-29",
            "2001-1-2x",
            "01-1-2",
            "2001-12-14 21:59:43 Z",
            "2001-1-2T1:2:3",
        ] {
            assert!(!is_timestamp(text), "{text}");
        }
    }
}
