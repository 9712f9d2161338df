//! Two sessions back to back, without a socket between them.

use super::session::Session;
use super::{ClientTls, End, Fed, MAX_RECORD, ServerTls, TlsVersion};
use certificates::Authority;

#[path = "../../tests/support/certificates.rs"]
#[allow(dead_code)]
pub(crate) mod certificates;

/// One end, with what has come out of it.
struct Side {
    session: Session,
    plain: Vec<u8>,
    secured: bool,
}

impl Side {
    fn new(session: Session) -> Side {
        Side {
            session,
            plain: Vec::new(),
            secured: false,
        }
    }

    /// Feeds input, behind what is unfinished; returns what is to be told to the other end.
    fn feed(&mut self, input: &[u8]) -> (Vec<u8>, Option<End>) {
        let mut all = [self.session.unfinished(), input].concat();
        let (mut plain, mut out) = (vec![0; all.len()], Vec::new());
        let Fed {
            produced,
            secured,
            end,
        } = self.session.feed(&mut all, &mut plain, &mut out);
        self.plain.extend_from_slice(&plain[..produced]);
        assert!(!(secured && self.secured), "the handshake is done once");
        self.secured |= secured;
        (out, end)
    }

    fn encrypt(&mut self, data: &[u8]) -> Vec<u8> {
        let (mut out, mut used) = (Vec::new(), 0);
        self.session.encrypt(data, &mut out, &mut used).unwrap();
        out.truncate(used);
        out
    }
}

fn tls(version: TlsVersion) -> (ClientTls, ServerTls) {
    let authority = Authority::new("test authority");
    let server = authority.server_with(|options| options.min_version = version);
    (authority.client(), server)
}

fn pair(tls: &(ClientTls, ServerTls)) -> (Side, Side) {
    (
        Side::new(Session::client(&tls.0, "localhost").unwrap()),
        Side::new(Session::server(&tls.1).unwrap()),
    )
}

/// Carries bytes between two ends, in pieces that `cut` makes, until both are quiet.
fn talk(client: &mut Side, server: &mut Side, cut: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
    let (mut to_server, end) = client.feed(&[]);
    assert!(end.is_none());
    while !to_server.is_empty() {
        let to_client = feed_all(server, cut(&to_server));
        to_server = feed_all(client, cut(&to_client));
    }
    assert!(client.secured && server.secured);
}

fn feed_all(side: &mut Side, pieces: Vec<Vec<u8>>) -> Vec<u8> {
    let mut all = Vec::new();
    for piece in pieces {
        let (out, end) = side.feed(&piece);
        assert!(end.is_none(), "{end:?}");
        all.extend_from_slice(&out);
    }
    all
}

fn whole(bytes: &[u8]) -> Vec<Vec<u8>> {
    vec![bytes.to_vec()]
}

#[test]
fn every_byte_may_come_alone() {
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let tls = tls(version);
        let (mut client, mut server) = pair(&tls);
        talk(&mut client, &mut server, |bytes| {
            bytes.iter().map(|byte| vec![*byte]).collect()
        });
        let data: Vec<u8> = (0..40_000).map(|at| at as u8).collect();
        for byte in client.encrypt(&data) {
            assert!(server.feed(&[byte]).1.is_none());
        }
        assert!(server.plain == data);
        assert_eq!(server.session.unfinished(), b"");
    }
}

#[test]
fn the_handshake_may_be_cut_anywhere() {
    let tls = tls(TlsVersion::Tls12);
    let mut longest = 0;
    let mut at = 1;
    loop {
        let (mut client, mut server) = pair(&tls);
        let length = std::cell::Cell::new(0);
        talk(&mut client, &mut server, |bytes| {
            length.set(length.get().max(bytes.len()));
            match bytes.split_at_checked(at) {
                Some((front, back)) => vec![front.to_vec(), back.to_vec()],
                None => whole(bytes),
            }
        });
        longest = longest.max(length.get());
        at += 1;
        if at > longest {
            break;
        }
    }
    assert!(longest > 500, "{longest}");
}

#[test]
fn a_session_that_is_idle_holds_no_input() {
    let tls = tls(TlsVersion::Tls13);
    let (mut client, mut server) = pair(&tls);
    talk(&mut client, &mut server, whole);
    let record = client.encrypt(b"one record");
    server.feed(&record[..7]);
    assert_eq!(server.session.unfinished(), &record[..7]);
    // What is unfinished is no obstacle to sending.
    let answer = server.encrypt(b"answer");
    client.feed(&answer);
    assert_eq!(client.plain, b"answer");
    server.feed(&record[7..]);
    assert_eq!(server.plain, b"one record");
    assert_eq!(server.session.unfinished(), b"");
}

#[test]
fn a_goodbye_ends_what_comes_but_not_what_goes() {
    let tls = tls(TlsVersion::Tls13);
    let (mut client, mut server) = pair(&tls);
    talk(&mut client, &mut server, whole);
    let mut last = client.encrypt(b"last words");
    let mut used = last.len();
    client.session.say_goodbye(&mut last, &mut used).unwrap();
    last.truncate(used);
    let (out, end) = server.feed(&last);
    assert!(matches!(end, Some(End::Closed)));
    assert_eq!(
        (out.as_slice(), server.plain.as_slice()),
        (&b""[..], &b"last words"[..])
    );
    let answer = server.encrypt(b"heard");
    client.feed(&answer);
    assert_eq!(client.plain, b"heard");
}

#[test]
fn a_damaged_record_fails_after_what_came_before_it() {
    let tls = tls(TlsVersion::Tls13);
    let (mut client, mut server) = pair(&tls);
    talk(&mut client, &mut server, whole);
    let good = client.encrypt(b"good");
    let mut bad = client.encrypt(b"bad");
    *bad.last_mut().unwrap() ^= 1;
    let (alert, end) = server.feed(&[good, bad].concat());
    assert_eq!(server.plain, b"good");
    let Some(End::Failed(failure)) = end else {
        panic!("{end:?}")
    };
    assert_eq!(
        failure.to_string(),
        "a TLS record of the client was damaged or forged on its way"
    );
    let (_, end) = client.feed(&alert);
    let Some(End::Failed(failure)) = end else {
        panic!("{end:?}")
    };
    assert_eq!(failure.to_string(), "localhost has ended TLS: alert BadRecordMac");
}

#[test]
fn long_data_becomes_records_of_the_greatest_length() {
    let tls = tls(TlsVersion::Tls13);
    let (mut client, mut server) = pair(&tls);
    talk(&mut client, &mut server, whole);
    let one = client.encrypt(&[7; MAX_RECORD]).len();
    assert!((1..64).contains(&(one - MAX_RECORD)), "{one}");
    assert_eq!(client.encrypt(&[7; 4 * MAX_RECORD]).len(), 4 * one);
    drop(server.feed(&[]));
}

#[test]
fn noise_is_refused_whatever_it_is() {
    let tls = tls(TlsVersion::Tls13);
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..2_000 {
        let (_, mut server) = pair(&tls);
        let mut noise: Vec<u8> = (0..(round % 700) + 5)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 56) as u8
            })
            .collect();
        if round % 2 == 0 {
            noise[..3].copy_from_slice(&[22, 3, 1]); // as a handshake begins
            let length = u16::try_from(noise.len() - 5).unwrap();
            noise[3..5].copy_from_slice(&length.to_be_bytes());
        }
        let (_, _end) = server.feed(&noise);
        assert!(!server.secured && server.plain.is_empty());
    }
}
