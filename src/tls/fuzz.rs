//! What the fuzz targets run, and what they hold to be true. The corpus is replayed by every `cargo test`.

use core::fmt;
use core::time::Duration;
use std::string::String;
use std::sync::OnceLock;
use std::vec::Vec;

use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::version::{TLS12, TLS13};

use super::fixtures::{Fixed, certificate, client, file, settings, settings_for};
use super::peer::{Peer, Step};
use super::pem::{Source, certificates};
use super::session::{Memory, Session};
use super::settings::{Clients, Policy};
use super::trust::Trust;
use super::verifier::Verifier;
use super::x509::Certificate;
use crate::counter::Counter;
use crate::http::connection::{Buffers, Service, serve};
use crate::http::handler::MetricsHandler;
use crate::http::limits::Limits;
use crate::http::transport::{Answered, Observer};
use crate::registry::Registry;

/// What is found is no larger than the text, and does not depend on what stands before it.
pub fn pem(input: &[u8]) {
    let source = |text: &[u8]| Source { text: text.to_vec(), name: "text".into() };
    let found = certificates(input);
    assert!(found.iter().map(|der| der.len()).sum::<usize>() <= input.len());
    let key = source(input).key();
    let later = [b"some words\n", input].concat();
    assert_eq!(certificates(&later), found);
    assert_eq!(source(&later).key(), key);
    found.iter().for_each(|der| x509(der));
}

/// A certificate is read to its end, and can be asked everything; as a client's, as an intermediate one, as a CA.
pub fn x509(input: &[u8]) {
    static VERIFIER: OnceLock<Verifier> = OnceLock::new();
    let clients = || Clients {
        policy: Policy::RequireAndVerifyClientCert,
        ca: Some(file("ca.pem")),
        names: Some(Vec::from(["scraper.example.org".into()])),
        ..Clients::default()
    };
    let der = CertificateDer::from(input.to_vec());
    let parsed = Certificate::parse(input);
    if let Ok(certificate) = &parsed {
        assert!(certificate.signed.len() < input.len() && (1..=3).contains(&certificate.version));
        assert!(certificate.names().iter().map(String::len).sum::<usize>() <= 3 * input.len());
        assert!(!certificate.may_sign() || certificate.version < 3 || certificate.is_ca());
        assert!(!certificate.is_for_any_usage() || certificate.is_for_clients());
        let _ = (certificate.has_unknown_demands(), certificate.limits_names(), certificate.key.describe());
        assert!(Certificate::parse(&[input, &[0]].concat()).is_err());
    }
    let verifier = VERIFIER.get_or_init(|| {
        let trust = Trust::read(&clients(), &mut Vec::new(), &mut Vec::new()).unwrap();
        Verifier::new(&clients(), trust)
    });
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600));
    let good = verifier.verify_client_cert(&der, &[certificate("intermediate.pem")], now).is_ok();
    assert!(!good || parsed.is_ok());
    let _ = verifier.verify_client_cert(&certificate("client-chained.pem"), core::slice::from_ref(&der), now);
    let mut trust = Trust::nobody();
    assert_eq!(trust.add(Vec::from([der.clone()])), usize::from(parsed.is_ok()));
    assert!(trust.anchors.len() <= trust.listed.len());
    let _ = Verifier::new(&clients(), trust).verify_client_cert(&der, &[], now);
}

/// A conversation over TLS gives the same answers however its bytes arrive. The lowest bits of the first byte choose
/// who speaks, the others how many bytes arrive at once.
pub fn tls_session(input: &[u8]) {
    static CONFIGS: OnceLock<[ClientConfig; 3]> = OnceLock::new();
    let [old, new, named] = CONFIGS.get_or_init(|| {
        let who: super::fixtures::Who<'_> = Some((&["client.pem"], "client.key"));
        [client(None, &[&TLS12]), client(None, &[&TLS13]), client(who, &[&TLS12, &TLS13])]
    });
    let Some((first, input)) = input.split_first() else { return };
    let piece = 1 + usize::from(first >> 2);
    let config = match first & 3 {
        0 => {
            let raw = [Step::Raw(input.to_vec()), Step::Finish];
            let (text, records) = said(Peer::new(raw.clone()));
            let (_, in_pieces) = said(Peer::new(raw).in_pieces(piece));
            assert!(text.is_empty());
            assert_eq!(records.first(), in_pieces.first());
            return;
        }
        1 => old,
        2 => new,
        _ => named,
    };
    let whole = said(Peer::with_tls(config.clone(), steps(input))).0;
    assert!(whole.is_empty() || whole.starts_with(b"HTTP/1.1 "));
    assert_eq!(whole, said(Peer::with_tls(config.clone(), steps(input)).in_pieces(piece)).0);
}

/// What the client does: each step has a byte for its kind, and one for the length of what it says.
fn steps(mut input: &[u8]) -> Vec<Step> {
    let mut steps = Vec::new();
    while let [kind, length, rest @ ..] = input {
        let (bytes, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        input = rest;
        steps.push(match kind % 8 {
            0 => Step::Raw(bytes.to_vec()),
            1 => Step::Rekey,
            2 => Step::Farewell,
            3 => Step::Finish,
            4 => Step::Reset,
            // Long enough to need several records.
            5 => Step::Say(bytes.repeat(100)),
            _ => Step::Say(bytes.to_vec()),
        });
    }
    steps
}

static HITS: Counter = Counter::new("hits_total", "Hits.");
static REGISTRY: Registry = Registry::new(&[&HITS]);

/// The text and the bytes that a client gets.
fn said(mut peer: Peer) -> (Vec<u8>, Vec<u8>) {
    static KEEPERS: OnceLock<[Fixed; 2]> = OnceLock::new();
    let [anybody, named] = KEEPERS.get_or_init(|| {
        [settings(), settings_for(Policy::VerifyClientCertIfGiven, "ca.pem")].each_ref().map(Fixed::new)
    });
    let mut memory = Memory::alone();
    let keeper = if peer.client.is_some() { named } else { anybody };
    if let Ok(mut session) = Session::accept(keeper, &mut peer, &mut memory) {
        let service = Service { handler: &MetricsHandler::new(&REGISTRY), gate: None, routes: None };
        serve(&mut session, &service, &NoBooks, &mut Buffers::alone(&Limits::DEFAULT));
        session.close();
    }
    (peer.text, peer.records)
}

struct NoBooks;

impl Observer for NoBooks {
    fn answered(&self, _: &Answered) {}

    fn collector_failed(&self, _: &'static str, _: &dyn fmt::Display) {}
}

#[cfg(test)]
mod tests {
    use crate::http::fuzz::replay;

    #[test]
    fn a_client_is_answered() {
        for versions in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let steps = super::steps(b"\x06\x12GET / HTTP/1.1\r\n\r\n\x06\x12PUT / HTTP/1.1\r\n\r\n\x02\x00");
            let (text, _) = super::said(super::Peer::with_tls(super::client(None, &[versions]), steps));
            let text = std::string::String::from_utf8(text).unwrap();
            assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("HTTP/1.1 405 "), "{text}");
        }
    }

    #[test]
    fn the_corpus_holds() {
        type Target = fn(&[u8]);
        let targets: [(&str, Target); 3] =
            [("pem", super::pem), ("x509", super::x509), ("tls_session", super::tls_session)];
        for (name, target) in targets {
            replay(&["fuzz/corpus/", name].concat(), target);
        }
    }
}
