//! A TLS session over a socket.
//!
//! Ciphertext passes through buffers of the thread, so that an idle connection owns none. What the system does not take
//! of it stays with the connection, as its tail. The plaintext of a record counts as taken only when all of the record
//! has left: until then its sender keeps it, and offers it again at the front of what it sends next.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::thread::LocalKey;

use super::stream::{Input, Stream};
use crate::tls::{End, Failure, MAX_RECORD, Session, TlsError, TlsInfo};

/// The longest record on the wire (RFC 5246 §6.2.3; those of RFC 8446 are shorter).
const MAX_WIRE: usize = 5 + MAX_RECORD + 2048;
/// What is read at least behind a message of the handshake that is not whole yet; a session below this one (that with a
/// proxy) has room for a record then, too.
const LEAST_READ: usize = 20 << 10;
/// So much ciphertext is made before it is sent: fewer, bigger sends are cheaper, and this still lies in the cache.
const BATCH: usize = 128 << 10;
/// Shorter pieces are put together before they become a record; to encrypt each alone would cost more than copying it.
const SHORT: usize = 4 << 10;
/// What a TLS server says to who speaks HTTP to it, as other servers do.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 52\r\nConnection: close\r\n\r\nthis port speaks TLS: use https:// or wss:// instead";

thread_local! {
    static INCOMING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static OUTGOING: Cell<Outgoing> = Cell::default();
}

/// What sending needs room for.
#[derive(Default)]
struct Outgoing {
    /// Ciphertext, and what it holds.
    bytes: Vec<u8>,
    records: VecDeque<Record>,
    /// Short pieces on their way into one record.
    gathered: Vec<u8>,
}

/// Buffers of the thread's; fresh ones while a TLS connection inside another uses them, or while the thread ends.
fn lend<T: Default>(buffers: &'static LocalKey<Cell<T>>) -> T {
    buffers.try_with(Cell::take).unwrap_or_default()
}

fn give_back<T>(buffers: &'static LocalKey<Cell<T>>, lent: T) {
    let _ = buffers.try_with(|buffers| buffers.set(lent)); // a thread that ends has no use for them
}

pub(crate) struct TlsStream {
    transport: Stream,
    session: Session,
    /// Ciphertext that the system has not taken yet.
    tail: Option<Box<Tail>>,
    /// How much at the front of what is offered next was encrypted already.
    pledged: usize,
    /// How much of that has left without having been reported as taken.
    credit: usize,
    progress: Progress,
    said_goodbye: bool,
    /// The peer has said that nothing more comes.
    goodbye_heard: bool,
    failure: Option<Box<Failure>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// A server has heard nothing yet.
    Fresh,
    Handshaking,
    Secured,
    /// The session is of no use any more; what still comes is read and dropped.
    Failed,
}

#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
    sent: usize,
    records: VecDeque<Record>,
}

/// Where a record ends, and how much plaintext is in it.
#[derive(Clone, Copy)]
struct Record {
    end: usize,
    plain: usize,
}

impl TlsStream {
    /// A session that a client begins at once.
    pub(crate) fn client(transport: Stream, session: Session) -> io::Result<TlsStream> {
        let mut stream = TlsStream::new(transport, session, Progress::Handshaking);
        stream.feed(&mut [], &mut [])?;
        Ok(stream)
    }

    pub(crate) fn server(transport: Stream, session: Session) -> TlsStream {
        TlsStream::new(transport, session, Progress::Fresh)
    }

    fn new(transport: Stream, session: Session, progress: Progress) -> TlsStream {
        TlsStream {
            transport,
            session,
            tail: None,
            pledged: 0,
            credit: 0,
            progress,
            said_goodbye: false,
            goodbye_heard: false,
            failure: None,
        }
    }

    pub(crate) fn transport(&self) -> &Stream {
        &self.transport
    }

    pub(crate) fn transport_mut(&mut self) -> &mut Stream {
        &mut self.transport
    }

    pub(crate) fn is_secured(&self) -> bool {
        self.progress == Progress::Secured
    }

    pub(crate) fn info(&self) -> TlsInfo {
        self.session.info()
    }

    pub(crate) fn pledged(&self) -> usize {
        self.pledged
    }

    pub(crate) fn has_tail(&self) -> bool {
        self.tail.is_some() || self.transport.has_tail()
    }

    /// One read, decrypted. What ends the session comes after the plaintext before it.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Input> {
        if let Some(failure) = self.failure.take() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, *failure));
        }
        if self.goodbye_heard {
            return Ok(Input::End);
        }
        if self.progress == Progress::Failed {
            return self.drop_input(buffer);
        }
        let mut incoming = lend(&INCOMING);
        let received = self.receive_into(&mut incoming, buffer);
        give_back(&INCOMING, incoming);
        received
    }

    fn drop_input(&mut self, buffer: &mut [u8]) -> io::Result<Input> {
        Ok(match self.transport.receive(buffer)? {
            Input::Bytes { more, .. } | Input::Secured { more, .. } => Input::Bytes { count: 0, more },
            Input::End => Input::End,
        })
    }

    fn receive_into(&mut self, incoming: &mut Vec<u8>, buffer: &mut [u8]) -> io::Result<Input> {
        let unfinished = self.session.unfinished();
        let before = unfinished.len();
        // Not more in all than the plaintext has room for. What is longer than a record is a message of the handshake,
        // which becomes no plaintext: only that could leave no room.
        let least = if before < MAX_WIRE { 0 } else { LEAST_READ };
        let end = before + buffer.len().saturating_sub(before).max(least);
        if incoming.len() < end {
            incoming.resize(end, 0);
        }
        incoming[..before].copy_from_slice(unfinished);
        let (count, more) = match self.transport.receive(&mut incoming[before..end])? {
            Input::Bytes { count, more } | Input::Secured { count, more } => (count, more),
            Input::End => return Ok(Input::End),
        };
        if self.progress == Progress::Fresh && count > 0 {
            self.progress = Progress::Handshaking;
            if incoming[0].is_ascii_alphabetic() {
                return Err(self.plain_http());
            }
        }
        let (count, secured) = self.feed(&mut incoming[..before + count], buffer)?;
        let more = more || self.failure.is_some() || self.goodbye_heard;
        Ok(if secured {
            Input::Secured { count, more }
        } else {
            Input::Bytes { count, more }
        })
    }

    /// RFC 8446 §5.1: a record begins with a number below 32, and a method of HTTP with a letter.
    fn plain_http(&mut self) -> io::Error {
        self.progress = Progress::Failed;
        let _ = self.transport.send(PLAIN_HTTP); // to a socket that nothing was sent to yet: it has room
        let failure = Failure::own(
            TlsError::NotTls,
            "the client speaks plain HTTP, or something else than TLS",
        );
        io::Error::new(io::ErrorKind::InvalidData, failure)
    }

    /// Lets input into the session, and sends what it answers by itself. Returns how much plaintext came out, and whether
    /// the handshake is done as of now.
    fn feed(&mut self, input: &mut [u8], plain: &mut [u8]) -> io::Result<(usize, bool)> {
        let mut answer = Vec::new();
        let fed = self.session.feed(input, plain, &mut answer);
        if !answer.is_empty() {
            self.post(&answer, 0);
            if let Err(error) = self.flush() {
                log::trace!("TLS could not answer: {error}"); // what came before this is still to be read
            }
        }
        if fed.secured {
            self.progress = Progress::Secured;
        }
        match fed.end {
            None => {}
            Some(End::Closed) => self.goodbye_heard = true,
            Some(End::Failed(failure)) => {
                self.progress = Progress::Failed;
                if fed.produced == 0 {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, failure));
                }
                self.failure = Some(Box::new(failure));
            }
        }
        Ok((fed.produced, fed.secured))
    }

    /// Puts ciphertext that holds so much plaintext behind the tail.
    fn post(&mut self, bytes: &[u8], plain: usize) {
        let tail = self.tail.get_or_insert_default();
        tail.bytes.extend_from_slice(bytes);
        tail.records.push_back(Record {
            end: tail.bytes.len(),
            plain,
        });
    }

    /// Sends the tail as far as the system takes it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let Some(tail) = &mut self.tail else {
            return self.transport.flush();
        };
        let taken = match self.transport.send(&tail.bytes[tail.sent..]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            result => result?,
        };
        tail.sent += taken;
        while let Some(first) = tail.records.front().filter(|first| first.end <= tail.sent) {
            self.credit += first.plain;
            tail.records.pop_front();
        }
        if tail.records.is_empty() {
            self.tail = None;
        }
        Ok(())
    }

    /// Sends slices as one stream; the front of them was offered before as far as it was not reported as taken.
    pub(crate) fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.progress != Progress::Secured || self.said_goodbye {
            return match self.progress {
                Progress::Failed => Err(io::ErrorKind::BrokenPipe.into()),
                _ => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        self.flush()?;
        let credit = std::mem::take(&mut self.credit);
        self.pledged -= credit;
        if self.tail.is_some() {
            return match credit {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                taken => Ok(taken),
            };
        }
        let mut outgoing = lend(&OUTGOING);
        let mut gathered = std::mem::take(&mut outgoing.gathered);
        outgoing.records.clear();
        let batch = Batch {
            stream: self,
            out: &mut outgoing,
            used: 0,
            taken: credit,
            blocked: false,
        };
        let sent = batch.send(slices, credit, &mut gathered);
        outgoing.gathered = gathered;
        give_back(&OUTGOING, outgoing);
        sent
    }

    /// Says goodbye, and when all has left, ends this direction of the transport.
    pub(crate) fn shutdown_write(&mut self) {
        self.say_goodbye();
        if self.flush().is_ok() && self.tail.is_none() {
            self.transport.shutdown_write();
        }
    }

    /// Answers the peer's goodbye before the socket is closed, if the socket takes it.
    pub(crate) fn answer_goodbye(&mut self) {
        if self.goodbye_heard {
            self.say_goodbye();
            let _ = self.flush(); // the peer has heard all: it may have gone
        }
    }

    fn say_goodbye(&mut self) {
        if self.progress != Progress::Secured || std::mem::replace(&mut self.said_goodbye, true) {
            return;
        }
        let (mut bytes, mut used) = (Vec::new(), 0);
        match self.session.say_goodbye(&mut bytes, &mut used) {
            Ok(()) => self.post(&bytes[..used], 0),
            Err(failure) => log::debug!("no close_notify was sent: {failure}"),
        }
    }
}

/// Records on their way from one call of `send` to the system.
struct Batch<'a> {
    stream: &'a mut TlsStream,
    out: &'a mut Outgoing,
    used: usize,
    taken: usize,
    /// The system takes no more now.
    blocked: bool,
}

impl Batch<'_> {
    /// Sends what follows the first `skip` bytes; returns how much counts as taken, those included.
    fn send(mut self, slices: &[IoSlice<'_>], mut skip: usize, gathered: &mut Vec<u8>) -> io::Result<usize> {
        gathered.clear();
        for slice in slices {
            let skipped = skip.min(slice.len());
            skip -= skipped;
            let bytes = &slice[skipped..];
            let gather = bytes.len() < SHORT && slices.len() > 1;
            if !gather || gathered.len() + bytes.len() > MAX_RECORD {
                self.encrypt(gathered)?;
                gathered.clear();
            }
            if gather {
                gathered.extend_from_slice(bytes);
            } else {
                self.encrypt(bytes)?;
            }
            if self.blocked {
                return Ok(self.taken);
            }
        }
        self.encrypt(gathered)?;
        self.transmit()?;
        Ok(self.taken)
    }

    /// Encrypts bytes, and sends whenever there is enough; what is blocked is left alone.
    fn encrypt(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(MAX_RECORD) {
            if self.blocked {
                return Ok(());
            }
            let encrypted = self
                .stream
                .session
                .encrypt(piece, &mut self.out.bytes, &mut self.used);
            encrypted.map_err(|failure| io::Error::new(io::ErrorKind::InvalidData, failure))?;
            self.out.records.push_back(Record {
                end: self.used,
                plain: piece.len(),
            });
            if self.used >= BATCH {
                self.transmit()?;
            }
        }
        Ok(())
    }

    fn transmit(&mut self) -> io::Result<()> {
        if self.used == 0 || self.blocked {
            return Ok(());
        }
        let sent = match self.stream.transport.send(&self.out.bytes[..self.used]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            result => result?,
        };
        let records = &mut self.out.records;
        while let Some(first) = records.front().filter(|first| first.end <= sent) {
            self.taken += first.plain;
            records.pop_front();
        }
        if sent < self.used {
            self.keep_tail(sent);
        }
        self.used = 0;
        Ok(())
    }

    fn keep_tail(&mut self, sent: usize) {
        self.blocked = true;
        let records: VecDeque<Record> = std::mem::take(&mut self.out.records)
            .into_iter()
            .map(|record| Record {
                end: record.end - sent,
                ..record
            })
            .collect();
        self.stream.pledged = records.iter().map(|record| record.plain).sum();
        self.stream.tail = Some(Box::new(Tail {
            bytes: self.out.bytes[sent..self.used].to_vec(),
            sent: 0,
            records,
        }));
    }
}

#[cfg(test)]
#[cfg(feature = "tls")]
mod tests {
    use std::io::Read;

    use mio::net::UnixStream;

    use super::*;
    use crate::event_loop::core::RECEIVE_BUFFER;
    use crate::tls::certificates;

    /// A stream of ours, secured, and the bare socket and session at its other end.
    fn secured() -> (TlsStream, UnixStream, Session) {
        let authority = certificates::Authority::new("test authority");
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let server = Session::server(&authority.server()).unwrap();
        let mut stream = TlsStream::server(Stream::Unix(ours), server);
        stream.transport().socket().set_send_buffer_size(20_000).unwrap();
        let mut session = Session::client(&authority.client(), "localhost", 443).unwrap();
        let mut buffer = vec![0; RECEIVE_BUFFER];
        let mut out = Vec::new();
        session.feed(&mut [], &mut [], &mut out);
        while !stream.is_secured() {
            io::Write::write_all(&mut theirs, &out).unwrap();
            assert!(!matches!(stream.receive(&mut buffer), Ok(Input::End)));
            assert!(drain(&mut theirs, &mut session, &mut out).is_empty());
        }
        (stream, theirs, session)
    }

    /// What the system holds for the other end, decrypted; `out` is what that end has to say to it.
    fn drain(socket: &mut UnixStream, session: &mut Session, out: &mut Vec<u8>) -> Vec<u8> {
        let mut input = session.unfinished().to_vec();
        let _ = socket.read_to_end(&mut input); // it ends when nothing is left
        let mut plain = vec![0; input.len()];
        out.clear();
        let fed = session.feed(&mut input, &mut plain, out);
        assert!(fed.end.is_none());
        plain.truncate(fed.produced);
        plain
    }

    /// As an outbox does: what is not reported as taken is offered again, with more behind it.
    #[test]
    fn what_is_reported_as_taken_is_what_has_left_in_whole_records() {
        let (mut stream, mut socket, mut session) = secured();
        let mut random = 42_u64;
        let mut next = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) as usize % below
        };
        let (mut waiting, mut made, mut taken, mut heard) = (Vec::new(), 0_usize, 0, Vec::new());
        let mut was_blocked = 0;
        for _ in 0..1_000 {
            let most = [40, 4_000, 60_000][next(3)];
            for _ in 0..next(most) {
                waiting.push((made % 251) as u8);
                made += 1;
            }
            if !waiting.is_empty() {
                let cut = next(waiting.len());
                let slices = [IoSlice::new(&waiting[..cut]), IoSlice::new(&waiting[cut..])];
                match stream.send(&slices) {
                    Ok(count) => {
                        waiting.drain(..count);
                        taken += count;
                    }
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                }
                was_blocked += usize::from(stream.has_tail());
            }
            if next(3) == 0 {
                heard.extend(drain(&mut socket, &mut session, &mut Vec::new()));
                assert_eq!(heard.len(), taken);
            }
        }
        assert!(was_blocked > 200, "{was_blocked}");
        while !waiting.is_empty() {
            heard.extend(drain(&mut socket, &mut session, &mut Vec::new()));
            let count = stream.send(&[IoSlice::new(&waiting)]).unwrap_or(0);
            waiting.drain(..count);
        }
        heard.extend(drain(&mut socket, &mut session, &mut Vec::new()));
        assert!(!stream.has_tail() && stream.pledged == 0 && stream.credit == 0);
        assert_eq!(heard.len(), made);
        assert!(
            heard
                .iter()
                .enumerate()
                .all(|(at, byte)| *byte == (at % 251) as u8)
        );
    }

    /// One turn of a stream as the loop does it.
    fn turn(stream: &mut Stream, waiting: &mut Vec<u8>, heard: &mut Vec<u8>) {
        let mut buffer = vec![0; RECEIVE_BUFFER];
        loop {
            match stream.receive(&mut buffer) {
                Ok(Input::Bytes { count, .. } | Input::Secured { count, .. }) => {
                    heard.extend_from_slice(&buffer[..count]);
                }
                Ok(Input::End) => panic!("nobody has ended it"),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
                    break;
                }
            }
        }
        let count = stream.send(waiting).unwrap_or(0);
        waiting.drain(..count);
        stream.flush().unwrap();
    }

    #[test]
    fn a_session_runs_within_a_session() {
        let authority = certificates::Authority::new("test authority");
        let (client, server) = (authority.client(), authority.server());
        let (one, other) = UnixStream::pair().unwrap();
        let (mut one, mut other) = (Stream::Unix(one), Stream::Unix(other));
        for _ in 0..2 {
            let session = Session::client(&client, "localhost", 443).unwrap();
            one = one.secure_client(session).unwrap();
            other = other.secure_server(Session::server(&server).unwrap());
            while one.is_securing() || other.is_securing() {
                turn(&mut other, &mut Vec::new(), &mut Vec::new());
                turn(&mut one, &mut Vec::new(), &mut Vec::new());
            }
        }
        let data: Vec<u8> = (0..6_000_000_u32).map(|at| (at % 251) as u8).collect();
        let (mut there, mut back) = (data.clone(), data.clone());
        let (mut heard_there, mut heard_back) = (Vec::new(), Vec::new());
        while heard_there.len() < data.len() || heard_back.len() < data.len() {
            turn(&mut one, &mut there, &mut heard_back);
            turn(&mut other, &mut back, &mut heard_there);
        }
        assert!(heard_there == data && heard_back == data);
    }
}
