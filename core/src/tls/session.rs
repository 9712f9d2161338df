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
    SERVER_NAME.with(|noted| *noted.borrow_mut() = name.map(Box::from));
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
    pub(crate) fn client(tls: &ClientTls, host: &str) -> Result<Session> {
        let name = tls.name_for(host)?;
        let asked = match &name {
            ServerName::DnsName(name) => Some(name.as_ref().into()),
            _ => None, // RFC 6066 §3: there are no addresses in it
        };
        let connection = UnbufferedClientConnection::new(tls.config(), name);
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
                Err(error) => fed.end = Some(End::Failed(self.fail(&error, &mut input[at..], out))),
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
            self.server_name = SERVER_NAME.with(|noted| noted.borrow_mut().take());
        }
        let handshaking = match &self.side {
            Side::Client(connection) => connection.is_handshaking(),
            Side::Server(connection) => connection.is_handshaking(),
        };
        !handshaking && !std::mem::replace(&mut self.secured, !handshaking)
    }

    /// The words for an error, after the alert that tells the peer of it (RFC 8446 §6.2).
    fn fail(&mut self, error: &Error, rest: &mut [u8], out: &mut Vec<u8>) -> Failure {
        let mut at = 0;
        loop {
            let (discard, step) = match &mut self.side {
                Side::Client(connection) => step(
                    connection.process_tls_records(&mut rest[at..]),
                    &mut [],
                    &mut 0,
                    out,
                ),
                Side::Server(connection) => step(
                    connection.process_tls_records(&mut rest[at..]),
                    &mut [],
                    &mut 0,
                    out,
                ),
            };
            at += discard;
            if !matches!(step, Ok(Step::Again)) {
                break;
            }
        }
        Failure::new(error, self.host.as_deref(), self.secured)
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
        let common: &rustls::CommonState = match &self.side {
            Side::Client(connection) => connection,
            Side::Server(connection) => connection,
        };
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
