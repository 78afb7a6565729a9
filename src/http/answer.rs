//! The method table: what a method and a target are answered with.

/// The kinds of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 200 with the metrics.
    Metrics,
    /// 200 with nothing: browsers ask for an icon.
    Empty,
    /// 200 with the allowed methods.
    Options,
    /// 405 with the allowed methods.
    NotAllowed,
}

impl Answer {
    /// Methods are case-sensitive (RFC 9110 §9.1). Every path is the metrics path, as in the reference.
    pub(crate) fn to(method: &[u8], target: &[u8]) -> Self {
        match method {
            b"GET" if is_favicon(target) => Self::Empty,
            b"GET" => Self::Metrics,
            b"OPTIONS" => Self::Options,
            _ => Self::NotAllowed,
        }
    }

    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::NotAllowed => 405,
            _ => 200,
        }
    }
}

/// What stands after the first `?` of a request target.
pub(crate) fn query(target: &[u8]) -> &[u8] {
    match target.iter().position(|byte| *byte == b'?') {
        Some(at) => &target[at + 1..],
        None => b"",
    }
}

/// Leading slashes collapse before the path is decoded, and nothing else is normalised.
fn is_favicon(target: &[u8]) -> bool {
    let Some(mut rest) = target.strip_prefix(b"/") else { return false };
    while let Some(more) = rest.strip_prefix(b"/") {
        rest = more;
    }
    let path = rest.split(|byte| *byte == b'?').next().unwrap_or_default();
    decoded(path).eq(*b"favicon.ico")
}

/// Percent-decodes; what only looks like an escape stays as it is.
pub(crate) fn decoded(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let byte = *text.get(at)?;
        at += 1;
        match (byte, hex(text.get(at)), hex(text.get(at + 1))) {
            (b'%', Some(high), Some(low)) => {
                at += 2;
                Some(high << 4 | low)
            }
            _ => Some(byte),
        }
    })
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    char::from(*byte?).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn favicon_is_told_by_the_decoded_path() {
        for target in [
            "/favicon.ico",
            "/favicon.ico?x",
            "/favicon.ico?name[]=a",
            "/%66avicon.ico",
            "/favicon%2Eico",
            "//favicon.ico",
            "////favicon.ico",
        ] {
            assert_eq!(Answer::to(b"GET", target.as_bytes()), Answer::Empty, "{target}");
        }
    }

    #[test]
    fn every_other_path_is_metrics() {
        for target in [
            "/favicon.ico/",
            "/FAVICON.ICO",
            "/favicon.ico;x",
            "/favicon.ico#x",
            "/%2Ffavicon.ico",
            "http://h/favicon.ico",
            "favicon.ico",
            "/favicon.ic",
            "/favicon.ico%",
            "/",
            "/metrics",
            "/a/b",
            "*",
            "metrics",
            "/..",
            "/%00",
            "/%zz",
            "",
        ] {
            assert_eq!(Answer::to(b"GET", target.as_bytes()), Answer::Metrics, "{target}");
        }
        assert_eq!(Answer::to(b"GET", b"/\xff"), Answer::Metrics);
    }

    #[test]
    fn methods_are_case_sensitive() {
        for target in [&b"/"[..], b"*", b"/favicon.ico"] {
            assert_eq!(Answer::to(b"OPTIONS", target), Answer::Options);
            for method in [&b"HEAD"[..], b"POST", b"get", b"options", b"CONNECT", b"TRACE", b"X\0", b""] {
                assert_eq!(Answer::to(method, target), Answer::NotAllowed);
            }
        }
    }

    #[test]
    fn the_query_begins_at_the_first_question_mark() {
        assert_eq!(query(b"/metrics?a=b?c"), b"a=b?c");
        assert_eq!(query(b"http://h/?x"), b"x");
        assert_eq!(query(b"/metrics"), b"");
    }
}
