//! One connection's TLS as a machine: records in and out, no socket.

use std::cell::RefCell;

use rustls::Error;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus};

use super::{ClientTls, End, Failure, Fed, ServerTls, TlsInfo, TlsVersion};
use crate::error::Result;

/// What records add to their content, with room for a key update before them.
const ROOM: usize = 512;

pub(crate) struct Session {
    side: Side,
    /// Whom a client has asked for.
    host: Option<Box<str>>,
    /// The name that the client asks for, once it is known.
    server_name: Option<Box<str>>,
    /// Input that is not a whole record, or not a whole message of the handshake, yet.
    unfinished: Vec<u8>,
    secured: bool,
}

enum Side {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

thread_local! {
    /// The name in the ClientHello that this thread is processing: the library tells it to who chooses the certificate,
    /// and to nobody else.
    static SERVER_NAME: RefCell<Option<Box<str>>> = const { RefCell::new(None) };
}

pub(super) fn note_server_name(name: Option<&str>) {
    let _ = SERVER_NAME.try_with(|noted| *noted.borrow_mut() = name.map(Box::from)); // not while the thread ends
}

/// What a step of the library has led to.
enum Step {
    Again,
    /// Nothing more is to be done without more input.
    Rest,
    Closed,
}

/// What is to be encrypted.
enum Order<'a> {
    Data(&'a [u8]),
    Goodbye,
}

impl Session {
    /// A client's session with a host; its first output comes from an empty [`Session::feed`].
    pub(crate) fn client(tls: &ClientTls, host: &str, port: u16) -> Result<Session> {
        let name = tls.name_for(host)?;
        let asked = match &name {
            ServerName::DnsName(name) => Some(name.as_ref().into()),
            _ => None, // RFC 6066 §3: there are no addresses in it
        };
        let connection = UnbufferedClientConnection::new(tls.config_for(host, port), name);
        let connection = connection.map_err(|error| Failure::new(&error, Some(host), false).into_error())?;
        Ok(Session::new(Side::Client(connection), Some(host.into()), asked))
    }

    pub(crate) fn server(tls: &ServerTls) -> Result<Session> {
        let connection = UnbufferedServerConnection::new(tls.config());
        let connection = connection.map_err(|error| Failure::new(&error, None, false).into_error())?;
        Ok(Session::new(Side::Server(connection), None, None))
    }

    fn new(side: Side, host: Option<Box<str>>, server_name: Option<Box<str>>) -> Session {
        Session {
            side,
            host,
            server_name,
            unfinished: Vec::new(),
            secured: false,
        }
    }

    /// What is to be put before the next input.
    pub(crate) fn unfinished(&self) -> &[u8] {
        &self.unfinished
    }

    /// Takes input: what was [`Session::unfinished`], and what came after. Writes the plaintext, of which there is never
    /// more than input, and appends what the peer is to be told.
    pub(crate) fn feed(&mut self, input: &mut [u8], plain: &mut [u8], out: &mut Vec<u8>) -> Fed {
        let mut fed = Fed {
            produced: 0,
            secured: false,
            end: None,
        };
        let mut at = 0;
        while fed.end.is_none() {
            let rest = &mut input[at..];
            let (discard, step) = match &mut self.side {
                Side::Client(connection) => step(
                    connection.process_tls_records(rest),
                    plain,
                    &mut fed.produced,
                    out,
                ),
                Side::Server(connection) => step(
                    connection.process_tls_records(rest),
                    plain,
                    &mut fed.produced,
                    out,
                ),
            };
            at += discard;
            match step {
                Ok(Step::Again) => {}
                Ok(Step::Rest) => break,
                Ok(Step::Closed) => fed.end = Some(End::Closed),
                Err(error) => fed.end = Some(End::Failed(self.fail(&error, out))),
            }
        }
        self.keep(if fed.end.is_none() { &input[at..] } else { &[] });
        fed.secured = self.find_out_whether_secured();
        fed
    }

    fn keep(&mut self, unfinished: &[u8]) {
        if unfinished.is_empty() {
            self.unfinished = Vec::new(); // an idle connection owns no buffer
            return;
        }
        self.unfinished.clear();
        self.unfinished.extend_from_slice(unfinished);
    }

    fn find_out_whether_secured(&mut self) -> bool {
        if self.server_name.is_none() {
            self.server_name = SERVER_NAME.try_with(RefCell::take).ok().flatten();
        }
        let handshaking = self.common().is_handshaking();
        !handshaking && !std::mem::replace(&mut self.secured, !handshaking)
    }

    /// The words for an error, after the alert that tells the peer of it (RFC 8446 §6.2).
    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) -> Failure {
        // Only while there is something to send: the library must not look at the input again that has failed.
        while self.common().wants_write() {
            let (_, told) = match &mut self.side {
                Side::Client(connection) => {
                    step(connection.process_tls_records(&mut []), &mut [], &mut 0, out)
                }
                Side::Server(connection) => {
                    step(connection.process_tls_records(&mut []), &mut [], &mut 0, out)
                }
            };
            if told.is_err() {
                break;
            }
        }
        Failure::new(error, self.host.as_deref(), self.secured)
    }

    fn common(&self) -> &rustls::CommonState {
        match &self.side {
            Side::Client(connection) => connection,
            Side::Server(connection) => connection,
        }
    }

    /// Encrypts data behind what `out` holds up to `used`, and moves that on. `out` keeps its length where it has room,
    /// for nothing to be cleared again and again.
    pub(crate) fn encrypt(
        &mut self,
        data: &[u8],
        out: &mut Vec<u8>,
        used: &mut usize,
    ) -> std::result::Result<(), Failure> {
        self.write(&Order::Data(data), out, used)
    }

    /// Tells the peer that nothing more will come (close_notify, RFC 8446 §6.1).
    pub(crate) fn say_goodbye(
        &mut self,
        out: &mut Vec<u8>,
        used: &mut usize,
    ) -> std::result::Result<(), Failure> {
        self.write(&Order::Goodbye, out, used)
    }

    fn write(
        &mut self,
        order: &Order<'_>,
        out: &mut Vec<u8>,
        used: &mut usize,
    ) -> std::result::Result<(), Failure> {
        let length = match order {
            Order::Data(data) => data.len(),
            Order::Goodbye => 0,
        };
        let needed = *used + length + ROOM;
        if out.len() < needed {
            out.resize(needed, 0);
        }
        loop {
            let rest = &mut self.unfinished[..];
            let (discard, step) = match &mut self.side {
                Side::Client(connection) => {
                    write_step(connection.process_tls_records(rest), order, out, used)
                }
                Side::Server(connection) => {
                    write_step(connection.process_tls_records(rest), order, out, used)
                }
            };
            self.unfinished.drain(..discard);
            match step {
                Ok(Step::Again) => {}
                Ok(Step::Rest | Step::Closed) => return Ok(()),
                Err(error) => return Err(Failure::new(&error, self.host.as_deref(), self.secured)),
            }
        }
    }

    /// What was agreed on, once it is secured.
    pub(crate) fn info(&self) -> TlsInfo {
        let common = self.common();
        let version = match common.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
            _ => TlsVersion::Tls13, // there are no others here
        };
        let certificate = common.peer_certificates().and_then(|chain| chain.first());
        TlsInfo {
            version,
            cipher_suite: common
                .negotiated_cipher_suite()
                .map(suite_name)
                .unwrap_or_default(),
            alpn: common
                .alpn_protocol()
                .map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
            server_name: self.server_name.clone().map(String::from),
            peer_certificate: certificate.map(|certificate| certificate.to_vec()),
            resumed: common.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
        }
    }
}

/// IANA writes `TLS_AES_128_GCM_SHA256`; the library's name has `TLS13` there.
fn suite_name(suite: rustls::SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite()).replacen("TLS13_", "TLS_", 1)
}

/// Handles one state of the library; says how much of the input is done with.
fn step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    plain: &mut [u8],
    produced: &mut usize,
    out: &mut Vec<u8>,
) -> (usize, std::result::Result<Step, Error>) {
    let UnbufferedStatus { mut discard, state } = status;
    let step = state.and_then(|state| match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                let record = record?;
                discard += record.discard;
                copy(record.payload, plain, produced)?;
            }
            Ok(Step::Again)
        }
        ConnectionState::EncodeTlsData(mut data) => {
            let length = out.len();
            encode(&mut data, out, length).map(|_| Step::Again)
        }
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Ok(Step::Again)
        }
        ConnectionState::PeerClosed | ConnectionState::Closed => Ok(Step::Closed),
        ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) => Ok(Step::Rest),
        other => Err(Error::General(format!("{other:?} is not expected"))), // early data: it is never offered
    });
    (discard, step)
}

fn copy(payload: &[u8], plain: &mut [u8], produced: &mut usize) -> std::result::Result<(), Error> {
    let Some(target) = plain.get_mut(*produced..*produced + payload.len()) else {
        return Err(Error::General(
            "there is more plaintext than there were records".to_owned(),
        ));
    };
    target.copy_from_slice(payload);
    *produced += payload.len();
    Ok(())
}

/// Appends a message of the handshake at `at`; returns where it ends.
fn encode<Data>(
    data: &mut EncodeTlsData<'_, Data>,
    out: &mut Vec<u8>,
    at: usize,
) -> std::result::Result<usize, Error> {
    let length = match data.encode(&mut []) {
        Ok(length) => length,
        Err(EncodeError::InsufficientSize(size)) => size.required_size,
        Err(error) => return Err(Error::General(error.to_string())),
    };
    if out.len() < at + length {
        out.resize(at + length, 0);
    }
    data.encode(&mut out[at..])
        .map(|length| at + length)
        .map_err(|error| Error::General(error.to_string()))
}

fn write_step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    order: &Order<'_>,
    out: &mut Vec<u8>,
    used: &mut usize,
) -> (usize, std::result::Result<Step, Error>) {
    let step = status.state.and_then(|state| match state {
        ConnectionState::EncodeTlsData(mut data) => {
            *used = encode(&mut data, out, *used)?;
            Ok(Step::Again)
        }
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Ok(Step::Again)
        }
        ConnectionState::PeerClosed => Ok(Step::Again), // told before; it is no reason not to write
        ConnectionState::WriteTraffic(mut traffic) => {
            let mut write = |out: &mut [u8]| match order {
                Order::Data(data) => traffic.encrypt(data, out),
                Order::Goodbye => traffic.queue_close_notify(out),
            };
            let mut written = write(&mut out[*used..]);
            if let Err(EncryptError::InsufficientSize(size)) = &written {
                out.resize(*used + size.required_size, 0);
                written = write(&mut out[*used..]);
            }
            *used += written.map_err(|error| Error::General(error.to_string()))?;
            Ok(Step::Rest)
        }
        other => Err(Error::General(format!("nothing can be written now ({other:?})"))),
    });
    (status.discard, step)
}

#[cfg(test)]
mod tests {
    //! Two sessions back to back, without a socket between them.

    use super::*;
    use crate::tls::MAX_RECORD;
    use crate::tls::certificates::Authority;

    /// One end, with what has come out of it.
    struct Peer {
        session: Session,
        plain: Vec<u8>,
        secured: bool,
    }

    impl Peer {
        fn new(session: Session) -> Peer {
            Peer {
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

    fn pair(tls: &(ClientTls, ServerTls)) -> (Peer, Peer) {
        (
            Peer::new(Session::client(&tls.0, "localhost", 443).unwrap()),
            Peer::new(Session::server(&tls.1).unwrap()),
        )
    }

    /// Carries bytes between two ends, in pieces that `cut` makes, until both are quiet.
    fn talk(client: &mut Peer, server: &mut Peer, cut: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
        let (mut to_server, end) = client.feed(&[]);
        assert!(end.is_none());
        while !to_server.is_empty() {
            let to_client = feed_all(server, cut(&to_server));
            to_server = feed_all(client, cut(&to_client));
        }
        assert!(client.secured && server.secured);
    }

    fn feed_all(side: &mut Peer, pieces: Vec<Vec<u8>>) -> Vec<u8> {
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
}
