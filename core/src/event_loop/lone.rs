//! A host that is told that the loop's descriptor is readable has asked the system already. Where its turns are about one
//! socket only, as those of a client with one connection are, that one is read at once: to ask which it is would be one of
//! four system calls for a message and its answer.
//!
//! A descriptor of epoll whose sockets were read without asking it is readable no longer, if they have nothing else to
//! announce. So the socket is watched for reading only, until the system doesn't take what it is sent for the first time.

use mio::{Interest, Token};

use super::connection::{Conn, Flag, Stage};
use super::core::{BELL, LoopCore};
use super::sys;
use crate::handle::{Id, Kind};

/// How many turns in a row have to be about one socket only before it is read without asking.
const TURNS: u8 = 16;
/// How many turns then pass until the system is asked again: others' turn comes that late at most.
const UNASKED: u8 = 8;

/// The socket that turns are about.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Lone {
    id: Option<Id>,
    /// For how many turns, as far as they are counted.
    turns: u8,
    /// How many turns were taken since the system was asked.
    unasked: u8,
}

impl LoopCore {
    /// Reads the socket that turns are about; says whether that was the turn's reading. If not, the system has to be asked.
    #[inline]
    pub(super) fn read_lone(&self) -> bool {
        match self.lone.get() {
            Lone {
                id: Some(id), turns, ..
            } if turns >= TURNS => self.read_unasked(id),
            _ => false,
        }
    }

    fn read_unasked(&self, id: Id) -> bool {
        let lone = self.lone.get();
        if lone.unasked >= UNASKED {
            return false;
        }
        self.read_clock();
        self.run_commands_if_any(); // as where the system was asked
        let is_watched = self.with_conn(id, |conn| conn.flags.has(Flag::ReadingOnly));
        if is_watched != Some(true) || !self.read(id, false) {
            self.lone.set(Lone::default());
            return false;
        }
        self.announced.set(1);
        self.lone.set(Lone {
            unasked: lone.unasked + 1,
            ..lone
        });
        true
    }

    /// Notes which socket the turn was about, if the system has announced one only, in the turn of a host that knew of something.
    pub(super) fn note_lone(&self) {
        let only = match self.announced.get() {
            0 => return,
            1 => self.announced_connection(),
            _ => None,
        };
        let before = self.lone.get();
        let is_same = only.is_some() && before.id == only;
        let turns = if is_same {
            before.turns.saturating_add(1)
        } else {
            0
        };
        self.lone.set(Lone {
            id: only,
            turns,
            unasked: 0,
        });
        if let (TURNS, Some(id)) = (turns, only) {
            self.watch_reading_only(id);
        }
    }

    /// The first connection among what was announced.
    fn announced_connection(&self) -> Option<Id> {
        let events = self.events.borrow();
        let event = events.as_ref()?.iter().find(|event| event.token() != BELL)?;
        match Id::from_token(event.token().0 as u64) {
            Some((Kind::Connection, id)) => Some(id),
            _ => None,
        }
    }

    #[cold]
    fn watch_reading_only(&self, id: Id) {
        self.with_conn(id, |conn| {
            let may_be = matches!(conn.stage, Stage::Open(_)) && !conn.is_tls() && conn.outbox.is_empty();
            if sys::LOOKS_AGAIN && may_be && self.rewatch(conn, Interest::READABLE) {
                conn.flags.set(Flag::ReadingOnly, true);
            }
        });
    }

    /// To be called where something is left to send: the system has to say when it takes it.
    #[inline]
    pub(super) fn watch_writing(&self, conn: &mut Conn) {
        if conn.flags.has(Flag::ReadingOnly) && !conn.outbox.is_empty() {
            self.watch_both(conn);
        }
    }

    #[cold]
    fn watch_both(&self, conn: &mut Conn) {
        if self.rewatch(conn, Interest::READABLE | Interest::WRITABLE) {
            conn.flags.set(Flag::ReadingOnly, false);
        }
    }

    /// The system announces anew what holds already. It refuses only where it has no memory.
    fn rewatch(&self, conn: &mut Conn, interest: Interest) -> bool {
        let token = Token(conn.id.raw() as usize);
        let Some(stream) = &mut conn.stream else {
            return false;
        };
        self.with_registry(|registry| stream.reregister(registry, token, interest))
            .is_ok()
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::Arc;
    use std::time::Duration;

    use super::{TURNS, UNASKED};
    use crate::event_loop::{Loop, LoopOptions};
    use crate::handler::{Handler, Message};
    use crate::server::{Address, ServerOptions, listen};
    use crate::websocket::WebSocket;

    struct Echo;

    impl Handler for Echo {
        fn on_message(&self, ws: WebSocket, message: Message<'_>) {
            let _ = ws.send_binary(message.as_bytes()); // who waits for it notices
        }
    }

    #[test]
    fn after_a_while_the_system_is_asked_now_and_then() {
        let options = LoopOptions {
            busy_poll: Duration::from_secs(5),
            ..LoopOptions::default()
        };
        let on_loop = Loop::new(options).unwrap();
        let options = ServerOptions::new(Address::Tcp("127.0.0.1".into(), 0));
        let server = listen(Some(&on_loop), options, Some(Arc::new(Echo))).unwrap();
        let mut peer = TcpStream::connect(server.local_address().unwrap()).unwrap();
        peer.set_nonblocking(true).unwrap();
        let mut exchange = |request: &[u8], end: &[u8]| {
            peer.write_all(request).unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(end) {
                on_loop.spin(None);
                on_loop.poll(Some(Duration::ZERO)).unwrap();
                let _ = peer.read_to_end(&mut answer); // there is no more than that now
            }
        };
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        exchange(request.as_bytes(), b"\r\n\r\n");
        let unasked: Vec<u8> = (0..TURNS as usize + 3 * (UNASKED as usize + 1))
            .map(|_| {
                exchange(b"\x82\x81\0\0\0\0x", b"\x82\x01x");
                on_loop.shared().try_core().unwrap().lone.get().unasked
            })
            .collect();
        let (first, then) = unasked.split_at(TURNS as usize);
        assert!(first.iter().all(|unasked| *unasked == 0), "{unasked:?}");
        let period: Vec<u8> = (0..=UNASKED).collect();
        for round in then.chunks(period.len()) {
            let mut round = round.to_vec();
            round.sort_unstable();
            assert_eq!(round, period, "{unasked:?}");
        }
    }
}
