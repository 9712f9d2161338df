//! Long payloads read from the socket to where their message is put together, which saves them a copy.

use super::connection::Connection;
use super::ending::Step;
use super::frame::{Header, Opcode};
use super::receiver::{LONG, MAX_AHEAD, Receiver, check_text, reserve};
use super::{Config, Millis, mask};

/// How much is read at once: what stays in a processor's cache until its mask is off.
const BLOCK: usize = 128 << 10;
/// The end of a payload comes as other input does, since more may follow in the same read.
const TAIL: usize = MAX_AHEAD;

/// Where the next bytes of a payload belong.
#[derive(Debug)]
pub struct Place<'a> {
    /// They go behind what is there; it has room for them.
    pub buffer: &'a mut Vec<u8>,
    /// Not more than so many.
    pub at_most: usize,
}

impl Connection {
    /// Where the next bytes from the peer may be read to, instead of to memory for [`receive`](Connection::receive); what was read has
    /// to be told to [`placed`](Connection::placed) next. Only within a long payload, one that is neither compressed nor wanted
    /// in parts; and never its end.
    pub fn place(&mut self, config: &Config) -> Option<Place<'_>> {
        if self.ending.has(Step::Deaf) || config.message_parts {
            return None;
        }
        self.receiver.as_deref_mut()?.place()
    }

    /// `count` bytes have come to the [`Place`]. What is wrong with them the next [`receive`](Connection::receive) says.
    pub fn placed(&mut self, count: usize, now: Millis) {
        if let Some(receiver) = self.receiver.as_deref_mut() {
            receiver.placed(count);
        }
        self.liveness.heard(now);
    }
}

impl Receiver {
    fn place(&mut self) -> Option<Place<'_>> {
        let Header { len, opcode, fin, .. } = *self.frame.as_ref()?;
        let missing = usize::try_from(len).unwrap_or(usize::MAX);
        if missing < LONG || opcode.is_control() || self.is_compressed || self.flaw.is_some() {
            return None;
        }
        reserve(&mut self.buffer, MAX_AHEAD, missing, fin);
        let buffer = self.buffer.memory();
        let room = buffer.capacity() - buffer.len();
        Some(Place {
            buffer,
            at_most: room.min(missing - TAIL).min(BLOCK),
        })
    }

    fn placed(&mut self, count: usize) {
        let Some(frame) = &mut self.frame else { return };
        let start = self.buffer.len().saturating_sub(count);
        if let (Some(mask), Some(part)) = (&mut frame.mask, self.buffer.get_mut(start..)) {
            *mask = mask::apply(part, *mask);
        }
        frame.len = frame.len.saturating_sub(count as u64);
        if self.message == Some(Opcode::Text) {
            self.flaw = check_text(&self.buffer, count, &mut self.incomplete).err();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::{Event, MessageType, Payload, ProtocolError, Role, Scratch};

    const LENGTH: usize = 1 << 20;

    /// The frame of a client's message, and what it says.
    fn message(first: u8) -> (Vec<u8>, Vec<u8>) {
        let payload: Vec<u8> = (0..LENGTH).map(|n| b'a' + (n % 23) as u8).collect();
        let mut frame = [
            &[first, 0x80 | 127],
            (LENGTH as u64).to_be_bytes().as_slice(),
            &[1, 2, 3, 4],
        ]
        .concat();
        frame.extend(
            payload
                .iter()
                .zip([1, 2, 3, 4].iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        (frame, payload)
    }

    /// Feeds a frame, in pieces of `piece` to where there is a place; says what came of it, and how much was placed.
    fn feed(frame: &[u8], piece: usize, config: &Config) -> (Option<Vec<u8>>, Option<ProtocolError>, usize) {
        let (mut machine, mut scratch, mut out) =
            (Connection::new(Role::Server, 0), Scratch::new(), Vec::new());
        let (mut rest, mut placed) = (frame, 0);
        while !rest.is_empty() {
            if let Some(place) = machine.place(config) {
                let (now, then) = rest.split_at(piece.min(place.at_most).min(rest.len()));
                let before = place.buffer.as_ptr();
                place.buffer.extend_from_slice(now);
                assert_eq!(place.buffer.as_ptr(), before, "there was room");
                machine.placed(now.len(), 0);
                placed += now.len();
                rest = then;
                continue;
            }
            let (now, then) = rest.split_at(rest.len().min(50_000));
            let mut input = now.to_vec();
            let received = machine.receive(&mut input, 0, config, &mut scratch, &mut out);
            match received.event {
                Some(Event::Message {
                    payload: Payload::Owned(payload),
                    kind,
                }) => {
                    assert!(
                        then.is_empty()
                            && kind
                                == if frame[0] == 0x81 {
                                    MessageType::Text
                                } else {
                                    MessageType::Binary
                                }
                    );
                    return (Some(payload.to_vec()), None, placed);
                }
                Some(Event::Failed(error)) => return (None, Some(error), placed),
                None => rest = then,
                other => panic!("{other:?}"),
            }
        }
        (None, None, placed)
    }

    #[test]
    fn most_of_a_long_message_goes_straight_to_its_place() {
        for first in [0x81, 0x82] {
            let (frame, payload) = message(first);
            for piece in [1 << 10, 99_999, LENGTH] {
                let (received, _, placed) = feed(&frame, piece, &Config::client());
                assert_eq!(received.as_deref(), Some(payload.as_slice()));
                assert!(
                    (LENGTH - 2 * TAIL - 50_000..=LENGTH - TAIL).contains(&placed),
                    "{placed} bytes"
                );
            }
        }
    }

    #[test]
    fn text_that_is_none_is_noticed() {
        let (mut frame, _) = message(0x81);
        frame[500_000] = 0x81;
        let (_, error, placed) = feed(&frame, 10_000, &Config::client());
        assert!(matches!(error, Some(ProtocolError::InvalidText(_))), "{error:?}");
        assert!(placed > 400_000);
    }

    #[test]
    fn who_wants_parts_gets_no_place() {
        let config = Config {
            message_parts: true,
            ..Config::client()
        };
        let mut machine = Connection::new(Role::Server, 0);
        let (frame, _) = message(0x82);
        let (mut scratch, mut out) = (Scratch::new(), Vec::new());
        machine.receive(&mut frame[..100].to_vec(), 0, &config, &mut scratch, &mut out);
        assert!(machine.place(&config).is_none());
    }

    #[test]
    fn nobody_gets_memory_by_declaring_a_length() {
        let (frame, _) = message(0x82);
        let (mut machine, mut scratch, mut out) =
            (Connection::new(Role::Server, 0), Scratch::new(), Vec::new());
        machine.receive(
            &mut frame[..100].to_vec(),
            0,
            &Config::client(),
            &mut scratch,
            &mut out,
        );
        let place = machine.place(&Config::client()).unwrap();
        assert!(
            place.buffer.capacity() <= 2 * MAX_AHEAD,
            "{} bytes",
            place.buffer.capacity()
        );
    }
}
