use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, Error, SupportedProtocolVersion};

use super::*;
use crate::tls::fixtures::{Fixed, client, settings, settings_for};
use crate::tls::peer::{Peer, Step};
use crate::tls::plain_http::NOTICE;
use crate::tls::settings::{Policy, Settings, Suite, Version};

const BOTH: [&[&SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];
const ASK: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

fn ask() -> Step {
    Step::Say(ASK.to_vec())
}

fn peer(steps: impl IntoIterator<Item = Step>) -> Peer {
    Peer::with_tls(client(None, &[&TLS12, &TLS13]), steps)
}

/// Shakes hands, and does what is to be done with the session.
fn with<R>(
    settings: &Settings,
    peer: &mut Peer,
    then: impl FnOnce(&mut Session<'_>) -> R,
) -> Result<R, Failure> {
    let mut memory = Memory::alone();
    let mut session = Session::accept(&Fixed::new(settings), peer, &mut memory)?;
    let result = then(&mut session);
    session.close();
    Ok(result)
}

fn refused(settings: &Settings, peer: &mut Peer) -> Failure {
    with(settings, peer, |_| ()).unwrap_err()
}

/// Reads to the end, in bites.
fn read_all(session: &mut Session<'_>, bite: usize) -> (Vec<u8>, Result<usize, Gone>) {
    let mut text = Vec::new();
    let mut bytes = vec![0; bite];
    loop {
        match session.read(&mut bytes, Phase::Head) {
            Ok(length) if length > 0 => text.extend(&bytes[..length]),
            end => return (text, end),
        }
    }
}

#[test]
fn text_goes_both_ways_in_both_versions_however_it_comes() {
    for versions in BOTH {
        for piece in [usize::MAX, 1000, 7, 1] {
            let mut peer = Peer::with_tls(client(None, versions), [ask()]).in_pieces(piece);
            let text = with(&settings(), &mut peer, |session| {
                let (text, end) = read_all(session, 4096);
                assert_eq!(end, Err(Gone::TimedOut));
                session.write(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                text
            });
            assert_eq!(text.unwrap(), ASK);
            assert_eq!((&peer.text[..], peer.error), (&b"HTTP/1.1 200 OK\r\n\r\n"[..], None));
        }
    }
}

#[test]
fn a_short_answer_is_one_write_and_a_long_one_is_whole() {
    for versions in BOTH {
        let mut peer = Peer::with_tls(client(None, versions), [ask()]);
        let long: Vec<u8> = (0..40_000_u32).map(|at| at as u8).collect();
        with(&settings(), &mut peer, |session| {
            session.read(&mut [0; 64], Phase::Head).unwrap();
            session.write(&long[..100]).unwrap();
            session.write_part(&long[100..200]).unwrap();
            session.write(&[]).unwrap();
            session.write(&long[200..]).unwrap();
        })
        .unwrap();
        assert!(peer.text == long);
        // Two short ones, three records, and the farewell; before them the handshake. In TLS 1.3 its ticket waits.
        let handshake = if versions == BOTH[0] { 2 } else { 1 };
        assert_eq!(peer.writes, handshake + 2 + 3 + 1);
    }
}

#[test]
fn the_last_answer_leaves_with_the_farewell() {
    for versions in BOTH {
        for length in [1, RECORD, RECORD + 1, 40_000] {
            let mut peer = Peer::with_tls(client(None, versions), [ask()]);
            let long: Vec<u8> = (0..length).map(|at| at as u8).collect();
            with(&settings(), &mut peer, |session| {
                session.read(&mut [0; 64], Phase::Head).unwrap();
                session.write_last(&long).unwrap();
                assert_eq!(session.write(b"more"), Err(Gone::Closed));
                session.close_write();
            })
            .unwrap();
            assert!(peer.text == long);
            assert_eq!(peer.writes, if versions == BOTH[0] { 2 } else { 1 } + length.div_ceil(RECORD));
            assert!(peer.closed);
            assert!(peer.client.unwrap().process_new_packets().unwrap().peer_has_closed());
        }
    }
}

#[test]
fn text_that_was_not_asked_for_yet_waits() {
    let sent: Vec<u8> = (0..30_000_u32).map(|at| at as u8).collect();
    for bite in [1, 100, 16_384, 60_000] {
        let mut peer = peer([Step::Say(sent.clone()), ask(), Step::Farewell]).eagerly();
        let (text, end) = with(&settings(), &mut peer, |session| {
            // What waits is not lost by an answer in between.
            let mut first = [0; 10];
            session.read(&mut first, Phase::Head).unwrap();
            session.write(b"answer").unwrap();
            let (rest, end) = read_all(session, bite);
            ([&first, &rest[..]].concat(), end)
        })
        .unwrap();
        assert!(text == [&sent, ASK].concat(), "{bite}");
        assert_eq!(end, Ok(0));
        assert_eq!(peer.text, b"answer");
    }
}

#[test]
fn who_says_everything_in_one_breath_is_answered() {
    for versions in BOTH {
        for piece in [usize::MAX, 50] {
            let mut peer = Peer::with_tls(client(None, versions), [ask(), Step::Farewell, Step::Finish]);
            peer = peer.eagerly().in_pieces(piece);
            let text = with(&settings(), &mut peer, |session| {
                let (text, end) = read_all(session, 4096);
                assert_eq!(end, Ok(0));
                session.write(b"answer").unwrap();
                text
            });
            assert_eq!(text, Ok(ASK.to_vec()));
            assert_eq!((&peer.text[..], peer.error), (&b"answer"[..], None));
        }
    }
}

#[test]
fn a_farewell_is_said_once() {
    for versions in BOTH {
        let mut peer = Peer::with_tls(client(None, versions), [ask()]);
        with(&settings(), &mut peer, |session| {
            session.close_write();
            assert_eq!(session.write(b"more"), Err(Gone::Closed));
            assert_eq!(session.read(&mut [0; 64], Phase::Head), Err(Gone::Closed));
            assert!(session.read(&mut [0; 64], Phase::Linger).unwrap() > 0, "bytes that nobody looks at");
        })
        .unwrap();
        assert!(peer.closed);
        let mut client = peer.client.unwrap();
        assert!(client.process_new_packets().unwrap().peer_has_closed());
    }
}

#[test]
fn an_end_without_farewell_is_an_end() {
    for versions in BOTH {
        let mut peer = Peer::with_tls(client(None, versions), [ask(), Step::Finish]);
        with(&settings(), &mut peer, |session| {
            assert_eq!(read_all(session, 64), (ASK.to_vec(), Ok(0)));
            assert_eq!(session.read(&mut [0; 64], Phase::Idle), Ok(0));
            session.write(b"answer").unwrap();
        })
        .unwrap();
        assert_eq!(peer.text, b"answer");
        let mut peer = Peer::with_tls(client(None, versions), [ask(), Step::Reset]);
        with(&settings(), &mut peer, |session| {
            assert_eq!(read_all(session, 64), (ASK.to_vec(), Err(Gone::Closed)));
            assert_eq!(session.write(b"answer"), Err(Gone::Closed));
        })
        .unwrap();
        assert_eq!(peer.responses, 0, "no time for a farewell");
    }
}

#[test]
fn new_keys_are_taken() {
    let mut peer = Peer::with_tls(client(None, &[&TLS13]), [Step::Rekey, ask(), Step::Rekey, ask()]);
    with(&settings(), &mut peer, |session| {
        for _ in 0..2 {
            assert_eq!(session.read(&mut [0; 64], Phase::Idle), Ok(ASK.len()));
            session.write(b"answer").unwrap();
        }
    })
    .unwrap();
    assert_eq!((&peer.text[..], peer.error), (&b"answeranswer"[..], None));
}

#[test]
fn plain_http_gets_a_line_even_byte_by_byte() {
    for piece in [usize::MAX, 1] {
        let mut peer = Peer::new([Step::Raw(ASK.to_vec()), Step::Finish]).in_pieces(piece);
        assert_eq!(refused(&settings(), &mut peer), Failure::PlainHttp);
        assert_eq!(peer.records, NOTICE);
        assert!(peer.closed && peer.phases.ends_with(&[Phase::Linger]));
    }
}

#[test]
fn who_speaks_no_tls_or_nothing_hears_nothing() {
    for (steps, failure) in [
        (vec![Step::Raw(b"SSH-2.0-x\r\n".to_vec())], Failure::NotTls),
        (vec![Step::Raw(vec![0x80, 0x2e, 1, 0, 2])], Failure::NotTls),
        (vec![Step::Raw(b"GET".to_vec()), Step::Finish], Failure::NotTls),
        (vec![Step::Raw(b"GET".to_vec())], Failure::TimedOut),
        (vec![Step::Finish], Failure::Closed),
        (vec![Step::Reset], Failure::Closed),
        (vec![], Failure::TimedOut),
        (vec![Step::Raw(vec![22, 3, 1, 2, 0, 1])], Failure::TimedOut),
        (vec![Step::Raw(vec![22, 3, 1, 2, 0, 1]), Step::Finish], Failure::Closed),
    ] {
        let mut peer = Peer::new(steps.clone());
        assert_eq!(refused(&settings(), &mut peer), failure, "{steps:?}");
        assert!(peer.records.is_empty());
    }
}

#[test]
fn malformed_records_get_one_alert() {
    let records: [&[u8]; 6] = [
        &[22, 9, 9, 0, 1, 1],
        &[22, 3, 1, 0xff, 0xff, 1],
        &[22, 3, 1, 0, 0],
        &[22, 3, 1, 0, 4, 1, 0, 0, 0],
        &[22, 3, 1, 0, 4, 0xff, 0, 0, 0, 22, 3, 1, 0, 4, 0xff, 0, 0, 0],
        &[22, 3, 1, 0, 4, 20, 0, 0, 0, 23, 3, 3, 0, 1, 0],
    ];
    for record in records {
        let mut peer = Peer::new([Step::Raw(record.to_vec()), Step::Finish]);
        assert_eq!(refused(&settings(), &mut peer), Failure::ProtocolError, "{record:?}");
        assert!(matches!(peer.records[..], [21, 3, _, 0, 2, 2, _]), "{record:?}: {:?}", peer.records);
    }
}

#[test]
fn garbage_later_gets_an_alert_with_time_for_it() {
    for versions in BOTH {
        let garbage = Step::Raw([&[23, 3, 3, 0, 40][..], &[7; 40]].concat());
        let mut peer = Peer::with_tls(client(None, versions), [ask(), garbage, ask()]);
        with(&settings(), &mut peer, |session| {
            assert_eq!(session.read(&mut [0; 64], Phase::Head), Ok(ASK.len()));
            assert_eq!(session.read(&mut [0; 64], Phase::Idle), Err(Gone::Closed));
            assert_eq!(session.write(b"more"), Err(Gone::Closed));
        })
        .unwrap();
        assert_eq!(peer.error, Some(Error::AlertReceived(AlertDescription::BadRecordMac)));
        assert_eq!(peer.responses, 1, "the old deadline may be long past");
    }
}

#[test]
fn without_a_context_the_client_is_told_so() {
    let mut peer = peer([]);
    let mut memory = Memory::alone();
    let result = Session::accept(&Fixed(None), &mut peer, &mut memory);
    assert_eq!(result.unwrap_err(), Failure::Configuration);
    assert_eq!(peer.error, Some(Error::AlertReceived(AlertDescription::InternalError)));
}

#[test]
fn memory_for_records_is_given_back_while_a_client_is_waited_for() {
    for versions in BOTH {
        let records = Memory::records(1);
        let mut memory = Memory::new(&records);
        let mut peer = Peer::with_tls(client(None, versions), [ask(), ask()]);
        let mut session = Session::accept(&Fixed::new(&settings()), &mut peer, &mut memory).unwrap();
        // A ticket of TLS 1.3 waits for the first response.
        let waits = usize::from(versions != BOTH[0]);
        session.read(&mut [0; 64], Phase::Head).unwrap();
        assert_eq!(records.free(), 1 - waits);
        session.write(b"answer").unwrap();
        session.read(&mut [0; 64], Phase::Idle).unwrap();
        assert_eq!(records.free(), 1);
        session.write(b"answer").unwrap();
        assert_eq!(session.read(&mut [0; 64], Phase::Idle), Err(Gone::TimedOut));
        assert_eq!(records.free(), 1);
        session.close();
        assert_eq!(records.free(), 1);
    }
}

#[test]
fn a_record_in_part_is_no_idle_connection() {
    let record = Step::Raw(vec![23, 3, 3]);
    let mut peer = peer([ask(), record.clone(), record]);
    with(&settings(), &mut peer, |session| {
        session.read(&mut [0; 64], Phase::Head).unwrap();
        assert_eq!(session.read(&mut [0; 64], Phase::Idle), Err(Gone::TimedOut));
    })
    .unwrap();
    assert!(
        peer.phases.ends_with(&[Phase::Head, Phase::Idle, Phase::Head, Phase::Head]),
        "{:?}",
        peer.phases
    );
}

#[test]
fn what_fails_is_called_by_its_name() {
    let newest = Settings { min_version: Version::Tls13, ..settings() };
    let mut peer = Peer::with_tls(client(None, &[&TLS12]), []);
    assert_eq!(refused(&newest, &mut peer), Failure::ProtocolVersion);
    assert_eq!(peer.error, Some(Error::AlertReceived(AlertDescription::ProtocolVersion)));

    let oldest = Settings { max_version: Version::Tls12, ..settings() };
    assert_eq!(refused(&oldest, &mut Peer::with_tls(client(None, &[&TLS13]), [])), Failure::ProtocolVersion);

    let other = Settings { suites: Some(vec![Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]), ..settings() };
    assert_eq!(
        refused(&other, &mut Peer::with_tls(client(None, &[&TLS12]), [])),
        Failure::NothingInCommon,
        "no suite for this key"
    );
    assert!(with(&other, &mut Peer::with_tls(client(None, &[&TLS13]), []), |_| ()).is_ok());

    for (offered, result) in [
        (&["h2"][..], Err(Failure::NoApplicationProtocol)),
        (&["h2", "http/1.1"], Ok(())),
        (&["http/1.0"], Ok(())),
        (&[], Ok(())),
    ] {
        let mut config = client(None, &[&TLS12, &TLS13]);
        config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        assert_eq!(with(&settings(), &mut Peer::with_tls(config, []), |_| ()), result, "{offered:?}");
    }
}

#[test]
fn clients_are_asked_as_the_policy_says() {
    use Policy::*;
    let someone: Option<(&[&str], &str)> = Some((&["client.pem"], "client.key"));
    let stranger: Option<(&[&str], &str)> = Some((&["client-self.pem"], "client.key"));
    let thief: Option<(&[&str], &str)> = Some((&["client.pem"], "other.key"));
    let needed = Err(Failure::CertificateRequired);
    let unknown = Err(Failure::UnknownCa);
    for (policy, none, unverifiable, verified) in [
        (NoClientCert, Ok(()), Ok(()), Ok(())),
        (RequestClientCert, Ok(()), Ok(()), Ok(())),
        (RequireAnyClientCert, needed, Ok(()), Ok(())),
        (VerifyClientCertIfGiven, Ok(()), unknown, Ok(())),
        (RequireAndVerifyClientCert, needed, unknown, Ok(())),
    ] {
        for versions in BOTH {
            let settings = settings_for(policy, "ca.pem");
            for (who, expected) in [(None, none), (stranger, unverifiable), (someone, verified)] {
                let mut peer = Peer::with_tls(client(who, versions), [ask()]);
                let result = with(&settings, &mut peer, |_| ());
                assert_eq!(result, expected, "{policy:?} {who:?} {versions:?}");
                assert_eq!(peer.error.is_some(), expected.is_err(), "the client is told");
                let known = policy.verifies() && who.is_some() && expected.is_ok();
                assert_eq!(peer.known, known, "{policy:?} {who:?}: only if somebody vouches for it");
            }
            if policy != NoClientCert {
                let mut peer = Peer::with_tls(client(thief, versions), [ask()]);
                assert_eq!(refused(&settings, &mut peer), Failure::BadCertificate);
                assert!(!peer.known);
            }
        }
    }
}

#[test]
fn every_kind_of_key_serves() {
    for (cert, key) in [
        ("server.pem", "server-sec1.key"),
        ("server-p384.pem", "server-p384.key"),
        ("server-ed25519.pem", "server-ed25519.key"),
        ("server-rsa.pem", "server-rsa.key"),
        ("server-rsa.pem", "server-rsa-pkcs1.key"),
        ("server-both.pem", "server-both.pem"),
    ] {
        for versions in BOTH {
            let settings = Settings {
                cert: crate::tls::fixtures::file(cert),
                key: crate::tls::fixtures::file(key),
                ..settings()
            };
            let mut peer = Peer::with_tls(client(None, versions), []);
            assert_eq!(with(&settings, &mut peer, |_| ()), Ok(()), "{cert} {versions:?}");
        }
    }
}

#[test]
fn every_kind_of_client_key_is_verified() {
    let settings = settings_for(Policy::RequireAndVerifyClientCert, "ca.pem");
    for name in ["client", "client-rsa", "client-ed25519"] {
        for versions in BOTH {
            let (cert, key) = (std::format!("{name}.pem"), std::format!("{name}.key"));
            let mut peer = Peer::with_tls(client(Some((&[&cert], &key)), versions), []);
            assert_eq!(with(&settings, &mut peer, |_| ()), Ok(()), "{name} {versions:?}");
        }
    }
    // Of version 1: its key is proved all the same.
    let mut peer = Peer::with_tls(client(Some((&["client-v1.pem"], "client.key")), &[&TLS13]), []);
    assert_eq!(with(&settings, &mut peer, |_| ()), Ok(()));
    let mut peer = Peer::with_tls(client(Some((&["client-v1.pem"], "other.key")), &[&TLS13]), []);
    assert_eq!(refused(&settings, &mut peer), Failure::BadCertificate);
}

#[test]
fn a_chain_beyond_all_measure_is_refused() {
    let chain = vec!["client.pem"; 100];
    for versions in BOTH {
        let settings = settings_for(Policy::RequireAndVerifyClientCert, "ca.pem");
        let mut peer = Peer::with_tls(client(Some((&chain, "client.key")), versions), []);
        assert_eq!(refused(&settings, &mut peer), Failure::ProtocolError);
    }
    // A long one is not.
    let chain = [&["client.pem"][..], &["ca.pem"; 40]].concat();
    let settings = settings_for(Policy::RequireAndVerifyClientCert, "ca.pem");
    let mut peer = Peer::with_tls(client(Some((&chain, "client.key")), &[&TLS13]), []);
    assert_eq!(with(&settings, &mut peer, |_| ()), Ok(()));
}

#[test]
fn a_client_that_does_not_trust_us_says_so() {
    let settings = Settings {
        cert: crate::tls::fixtures::file("client-self.pem"),
        key: crate::tls::fixtures::file("client.key"),
        ..settings()
    };
    for versions in BOTH {
        let mut peer = Peer::with_tls(client(None, versions), []);
        assert_eq!(refused(&settings, &mut peer), Failure::ClientAlert);
    }
}

#[test]
fn sessions_are_resumed_where_no_client_is_judged() {
    use rustls::HandshakeKind;
    for (policy, expected) in [
        (Policy::NoClientCert, HandshakeKind::Resumed),
        (Policy::RequireAndVerifyClientCert, HandshakeKind::Full),
    ] {
        for versions in BOTH {
            let settings = match policy {
                Policy::NoClientCert => settings(),
                policy => settings_for(policy, "ca.pem"),
            };
            let keeper = Fixed::new(&settings);
            let config = client(Some((&["client.pem"], "client.key")), versions);
            let mut kinds = Vec::new();
            for _ in 0..2 {
                let mut peer = Peer::with_tls(config.clone(), [ask()]);
                let mut memory = Memory::alone();
                Session::accept(&keeper, &mut peer, &mut memory).unwrap().close();
                kinds.extend(peer.client.unwrap().handshake_kind());
            }
            assert_eq!(kinds, [HandshakeKind::Full, expected], "{policy:?} {versions:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>, piece in 1_usize..40) {
        for start in [&[][..], &[22, 3, 1], &[22, 3, 1, 0, 40, 1, 0, 0, 36]] {
            let bytes = [start, &bytes[..]].concat();
            let mut peer = Peer::new([Step::Raw(bytes), Step::Finish]).in_pieces(piece);
            prop_assert!(with(&settings(), &mut peer, |_| ()).is_err());
        }
    }

    #[test]
    fn any_bytes_after_the_handshake_are_survived(bytes: Vec<u8>, piece in 1_usize..40) {
        let mut peer = peer([ask(), Step::Raw(bytes), ask(), Step::Finish]).in_pieces(piece);
        let text = with(&settings(), &mut peer, |session| read_all(session, 100).0).unwrap();
        prop_assert!(text.starts_with(ASK));
    }
}
