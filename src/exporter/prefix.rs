//! The path below which everything is served, for programs behind a proxy. `--web.route-prefix` and
//! `--web.external-url` mean what they mean for Prometheus.

use std::format;
use std::string::String;
use std::vec::Vec;

use crate::http::answer::decoded;
use crate::http::route::LONGEST_LOCATION;
use crate::text::number::unsigned;

/// A path prefix; `/` when there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// Begins with a slash and ends with none but the first; percent-encoded, so ASCII.
    path: String,
    /// Its parts, decoded.
    segments: Vec<Vec<u8>>,
}

/// Where a request target lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// `/`, although there is a prefix.
    Root,
    /// Neither `/` nor below the prefix.
    Outside,
    /// The prefix itself, spelled plainly; whether a slash follows it. Without a prefix that is `/`.
    Top { slash: bool },
    /// Below the prefix: what follows it, still encoded. `None` for a path with empty segments or dots, which a
    /// proxy may have read differently: there is nothing but metrics.
    Below(Option<&'a [u8]>),
}

/// The longest prefix, encoded. It comes back in `Location`.
const LONGEST: usize = 256;

impl Default for Prefix {
    fn default() -> Self {
        Self { path: String::from("/"), segments: Vec::new() }
    }
}

impl Prefix {
    /// A path as `--web.route-prefix` takes it; slashes at its ends do not count.
    pub(super) fn of_path(text: &str) -> Result<Self, &'static str> {
        check_text(text)?;
        Self::of(text)
    }

    /// The path of a URL as `--web.external-url` takes it.
    pub(super) fn of_url(text: &str) -> Result<Self, &'static str> {
        check_text(text)?;
        let (scheme, rest) = text.split_once(':').ok_or(NO_SCHEME)?;
        let rest = rest.strip_prefix("//").ok_or(NO_SCHEME)?;
        if !(scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")) {
            return Err(NO_SCHEME);
        }
        let (authority, path) = rest.split_at(place_of(rest, b"/?#").unwrap_or(rest.len()));
        check_authority(authority)?;
        Self::of(path)
    }

    fn of(path: &str) -> Result<Self, &'static str> {
        if place_of(path, b"?#").is_some() {
            return Err("must end with the path, without ? and #");
        }
        let trimmed = path.trim_matches('/');
        if trimmed.is_empty() {
            return Ok(Self::default());
        }
        let segments = trimmed.split('/').map(segment).collect::<Result<Vec<_>, _>>()?;
        let path = encode(&segments);
        if path.len() > LONGEST {
            return Err("is longer than 256 bytes");
        }
        Ok(Self { path, segments })
    }

    /// As it stands in a URL.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// Compares whole segments, decoded, after `.` and `..` are resolved and slashes in a row are taken for one.
    pub(super) fn locate<'a>(&self, target: &'a [u8]) -> Place<'a> {
        let Some(path) = path(target) else {
            return if self.is_root() { Place::Below(None) } else { Place::Outside };
        };
        let (count, own) = (kept(path).count(), self.segments.len());
        if count == 0 && own > 0 {
            return Place::Root;
        }
        let mut first = kept(path).skip(count.saturating_sub(own));
        let below = count >= own
            && self.segments.iter().rev().all(|segment| {
                first.next().is_some_and(|theirs| decoded(theirs).eq(segment.iter().copied()))
            });
        if !below {
            return Place::Outside;
        }
        let slashes = path.iter().filter(|byte| **byte == b'/').count();
        if count == own && slashes == own + 1 && path.ends_with(b"/") {
            return Place::Top { slash: true };
        }
        if count == own && slashes == own {
            return Place::Top { slash: false };
        }
        let mut parts = path.splitn(own + 2, |byte| *byte == b'/');
        let plain = count == slashes;
        Place::Below(if plain { parts.nth(own + 1) } else { None })
    }
}

const NO_SCHEME: &str = "must begin with http:// or https://; a path alone is for --web.route-prefix";

/// What a shell or a unit file leaves behind by mistake.
fn check_text(text: &str) -> Result<(), &'static str> {
    let ends = [text.as_bytes().first(), text.as_bytes().last()];
    if ends.into_iter().flatten().any(|end| matches!(end, b'"' | b'\'')) {
        return Err("must not begin or end with quotes");
    }
    if text.contains(char::is_control) {
        return Err("must not contain control characters");
    }
    if text.contains(char::is_whitespace) {
        return Err("must not contain blanks; write them as %20");
    }
    Ok(())
}

/// Where the first of some ASCII characters stands.
fn place_of(text: &str, characters: &[u8]) -> Option<usize> {
    text.bytes().position(|byte| characters.contains(&byte))
}

fn check_authority(authority: &str) -> Result<(), &'static str> {
    const HOST: &str = "names no host";
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or("lacks the ] after the IPv6 address")?;
            // A zone may follow (RFC 6874).
            let address = host.split('%').next().unwrap_or_default();
            if !address.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')) {
                return Err("has no IPv6 address between [ and ]");
            }
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(HOST)?) })
        }
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        return Err(HOST);
    }
    if place_of(host, b"\"'<>\\^`{|}[]").is_some() {
        return Err("has a character in the host that cannot be there");
    }
    // `http://host:/` is allowed by RFC 3986 §3.2.3.
    match port {
        None | Some("") => Ok(()),
        Some(port) if unsigned(port.as_bytes()).is_some_and(|port| port <= 65_535) => Ok(()),
        Some(_) => Err("has no number up to 65535 as its port"),
    }
}

/// Decodes one part of a prefix.
fn segment(raw: &str) -> Result<Vec<u8>, &'static str> {
    if raw.is_empty() {
        return Err("has two slashes in a row");
    }
    for escape in raw.split('%').skip(1) {
        let digits = escape.as_bytes().get(..2);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return Err("has a % without two hexadecimal digits behind it; write % as %25");
        }
    }
    let decoded: Vec<u8> = decoded(raw.as_bytes()).collect();
    if decoded == b"." || decoded == b".." {
        return Err("must not have . or .. between slashes");
    }
    if decoded.iter().any(u8::is_ascii_control) {
        return Err("must not contain control characters");
    }
    Ok(decoded)
}

/// `pchar` of RFC 3986 §3.3 stays as it is.
fn encode(segments: &[Vec<u8>]) -> String {
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        for byte in segment {
            if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(byte) {
                path.push(char::from(*byte));
            } else {
                path.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    path
}

/// The path of a request target in origin form or absolute form (RFC 9112 §3.2); neither has a fragment.
fn path(target: &[u8]) -> Option<&[u8]> {
    let end = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    let target = &target[..end];
    if target.starts_with(b"/") {
        return Some(target);
    }
    let colon = target.windows(3).position(|three| three == b"://")?;
    let scheme = &target[..colon];
    if !(scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https")) {
        return None;
    }
    let rest = &target[colon + 3..];
    Some(rest.iter().position(|byte| *byte == b'/').map_or(b"/", |slash| &rest[slash..]))
}

/// The segments that are left when `.`, `..` and empty ones are resolved (RFC 3986 §5.2.4), the last first.
fn kept(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut taken_back = 0_usize;
    path.rsplit(|byte| *byte == b'/').filter(move |segment| {
        if segment.is_empty() || decoded(segment).eq(*b".") {
            return false;
        }
        if decoded(segment).eq(*b"..") {
            taken_back += 1;
            return false;
        }
        let stays = taken_back == 0;
        taken_back = taken_back.saturating_sub(1);
        stays
    })
}

const _: () = assert!(LONGEST <= LONGEST_LOCATION);

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(text: &str) -> String {
        Prefix::of_path(text).unwrap().path
    }

    fn url(text: &str) -> String {
        Prefix::of_url(text).unwrap().path
    }

    #[test]
    fn a_path_is_trimmed_to_one_slash_before_and_none_behind() {
        for (text, expected) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("prometheus", "/prometheus"),
            ("/prometheus/", "/prometheus"),
            ("//a/b///", "/a/b"),
            ("/a%20b/\u{e4}", "/a%20b/%C3%A4"),
            ("/%70rom", "/prom"),
            ("/a%2Fb", "/a%2Fb"),
            ("/it's", "/it's"),
        ] {
            assert_eq!(path_of(text), expected, "{text}");
        }
    }

    #[test]
    fn of_a_url_its_path_counts() {
        for (text, expected) in [
            ("http://proxy.example/prometheus", "/prometheus"),
            ("https://proxy.example/prometheus/", "/prometheus"),
            ("HTTP://h", "/"),
            ("http://h:9100/", "/"),
            ("http://h:/x", "/x"),
            ("http://[::1]:9100/a/b", "/a/b"),
            ("http://[fe80::1%25eth0]/a", "/a"),
            ("http://user:pass@h/x", "/x"),
            ("https://double--dash.example", "/"),
        ] {
            assert_eq!(url(text), expected, "{text}");
        }
    }

    #[test]
    fn wrong_ones_are_refused_with_the_reason() {
        for (text, part) in [
            ("'https://url/prometheus'", "quotes"),
            ("\"http://h", "quotes"),
            ("http://h\"", "quotes"),
            ("/prometheus/", "--web.route-prefix"),
            ("h/prometheus", "--web.route-prefix"),
            ("ftp://h/x", "http://"),
            ("http:///x", "no host"),
            ("http://:9100/x", "no host"),
            ("http://u@/x", "no host"),
            ("http://[::1/x", "]"),
            ("http://[::1]x/x", "no host"),
            ("http://[x]/", "IPv6"),
            ("http://a b/", "%20"),
            ("http://h/a\nb", "control"),
            ("http://h:http/", "port"),
            ("http://h:65536/", "port"),
            ("http://a:b:1/", "port"),
            ("http://<h>/", "host"),
            ("http://h/x?y", "? and #"),
            ("http://h?y", "? and #"),
            ("http://h/#y", "? and #"),
            ("http://h/%zz", "%25"),
            ("http://h/%e", "%25"),
            ("http://h/%00", "control"),
            ("http://h/a/../b", ".."),
            ("http://h/%2e%2E/b", ".."),
            ("http://h/a//b", "two slashes"),
        ] {
            let problem = Prefix::of_url(text).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
        }
        for text in ["'/x'", "/a b", "/a?b", "/a#b", "/a/./b", "/a//b", "/%", "/a\u{7f}"] {
            assert!(Prefix::of_path(text).is_err(), "{text}");
        }
        assert!(Prefix::of_path(&"x".repeat(LONGEST - 1)).is_ok());
        assert!(Prefix::of_path(&"x".repeat(LONGEST)).is_err());
        assert!(Prefix::of_path(&"\u{e4}".repeat(LONGEST / 6 + 1)).is_err());
    }

    #[test]
    fn paths_are_compared_by_whole_segments() {
        let prefix = Prefix::of_path("/prometheus").unwrap();
        for (target, expected) in [
            ("/", Place::Root),
            ("//", Place::Root),
            ("/?x=/prometheus", Place::Root),
            ("http://h", Place::Root),
            ("http://h/", Place::Root),
            ("http://h?x", Place::Root),
            ("/prometheus/..", Place::Root),
            ("/prometheus", Place::Top { slash: false }),
            ("/prometheus?name[]=a", Place::Top { slash: false }),
            ("/prometheus/", Place::Top { slash: true }),
            ("/%70rometheus/?", Place::Top { slash: true }),
            ("http://h/prometheus/", Place::Top { slash: true }),
            ("/prometheus//", Place::Below(None)),
            ("//prometheus/", Place::Below(None)),
            ("/./prometheus", Place::Below(None)),
            ("/prometheus/.", Place::Below(None)),
            ("/prometheus/x/..", Place::Below(None)),
            ("/prometheus/metrics", Place::Below(Some(b"metrics"))),
            ("/prometheus/metrics?a/b", Place::Below(Some(b"metrics"))),
            ("/prometheus/-/healthy", Place::Below(Some(b"-/healthy"))),
            ("/%70rometheus/metrics", Place::Below(Some(b"metrics"))),
            ("http://h/prometheus/metrics", Place::Below(Some(b"metrics"))),
            ("HTTPS://h:1/prometheus/a/b", Place::Below(Some(b"a/b"))),
            ("//prometheus", Place::Below(None)),
            ("//prometheus/-/quit", Place::Below(None)),
            ("/prometheus//-/quit", Place::Below(None)),
            ("/prometheus/-/quit/", Place::Below(None)),
            ("/x/../prometheus/-/quit", Place::Below(None)),
            ("/prometheus/./-/quit", Place::Below(None)),
            ("/../prometheus/x", Place::Below(None)),
            ("/prometheusx", Place::Outside),
            ("/prometheus%2Fx", Place::Outside),
            ("/Prometheus", Place::Outside),
            ("/prometheu", Place::Outside),
            ("/prometheus/../x", Place::Outside),
            ("/prometheus/%2e%2E/x", Place::Outside),
            ("/prometheus/a/../../x", Place::Outside),
            ("/x/prometheus", Place::Outside),
            ("/x?/prometheus", Place::Outside),
            ("*", Place::Outside),
            ("prometheus", Place::Outside),
            ("ftp://h/prometheus", Place::Outside),
            ("", Place::Outside),
        ] {
            assert_eq!(prefix.locate(target.as_bytes()), expected, "{target}");
        }
    }

    #[test]
    fn without_a_prefix_everything_is_below() {
        let prefix = Prefix::of_path("/").unwrap();
        for target in ["/", "/?", "/?x=/y", "http://h", "http://h/", "HTTPS://h?x"] {
            assert_eq!(prefix.locate(target.as_bytes()), Place::Top { slash: true }, "{target}");
        }
        for (target, rest) in [
            ("//", None),
            ("/.", None),
            ("/./", None),
            ("/x/..", None),
            ("/metrics", Some(&b"metrics"[..])),
            ("/-/quit", Some(b"-/quit")),
            ("http://h/-/quit", Some(b"-/quit")),
            ("//-/quit", None),
            ("/-/quit/", None),
            ("/x/../-/quit", None),
            ("/..", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(prefix.locate(target.as_bytes()), Place::Below(rest), "{target}");
        }
    }
}
