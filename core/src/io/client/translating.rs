//! What a parser of the application's own does, without the lock: it may wait for a lock of its language's, whose holder waits
//! for ours.
//!
//! A packet is given its place among those that leave, and the thread that has brought it about encodes it once it has let go
//! of the lock. Messages that come are decoded on the loop's thread, one after the other.

use std::collections::VecDeque;

use super::core::{Core, State, sent};
use super::link::{borrowed, owned};
use crate::engineio::client::OwnedData;
use crate::error::{Error, ErrorCode, Result};
use crate::socketio::{Decoder, Encoded, Outgoing, Packet, PacketType, ParserKind};
use crate::websocket::Sent;

/// What is to be encoded and decoded.
#[derive(Default)]
pub(super) struct Foreign {
    /// Of whoever has the lock.
    jobs: Vec<Job>,
    /// What leaves, in its order.
    places: VecDeque<Place>,
    last_place: u64,
    /// What has come, and over which connection.
    messages: VecDeque<(u64, OwnedData)>,
    is_decoding: bool,
}

/// A packet that is to be encoded.
pub(super) struct Job {
    place: u64,
    packet_type: PacketType,
    namespace: String,
    id: Option<u64>,
    payload: Option<String>,
    attachments: Vec<Vec<u8>>,
    /// Whoever sends it is told if it can't be encoded; otherwise the connection ends.
    is_call: bool,
}

struct Place {
    number: u64,
    link: u64,
    compress: Option<bool>,
    what: What,
}

enum What {
    Awaited,
    Messages(Vec<OwnedData>),
    /// The connection is to be closed, behind what was sent before.
    Close,
}

impl Job {
    fn encode(&self, parser: &ParserKind, encoded: &mut Encoded) -> Result<Vec<OwnedData>> {
        let attachments: Vec<&[u8]> = self.attachments.iter().map(|data| &data[..]).collect();
        let packet = Outgoing {
            packet_type: self.packet_type,
            namespace: &self.namespace,
            id: self.id,
            payload: self.payload.as_deref(),
            attachments: &attachments,
        };
        match parser.encode(&packet, encoded) {
            Ok(messages) => Ok(messages.map(owned).collect()),
            Err(error) => Err(Error::new(ErrorCode::InvalidArgument, error.to_string())),
        }
    }
}

impl Foreign {
    pub(super) fn has_messages(&self) -> bool {
        !self.messages.is_empty() && !self.is_decoding
    }

    /// A message has come.
    pub(super) fn came(&mut self, link: u64, message: OwnedData) {
        self.messages.push_back((link, message));
    }

    fn push(&mut self, link: u64, compress: Option<bool>, what: What) -> u64 {
        self.last_place += 1;
        self.places.push_back(Place {
            number: self.last_place,
            link,
            compress,
            what,
        });
        self.last_place
    }

    fn fill(&mut self, number: u64, messages: Vec<OwnedData>) {
        if let Some(place) = self.places.iter_mut().find(|place| place.number == number) {
            place.what = What::Messages(messages);
        }
    }

    fn next_ready(&mut self) -> Option<Place> {
        let is_ready = |place: &&mut Place| !matches!(place.what, What::Awaited);
        self.places.front_mut().filter(is_ready)?;
        self.places.pop_front()
    }
}

impl State {
    /// Puts a packet among those that are to be encoded, if that is done by the application; without a connection it is
    /// dropped.
    pub(super) fn translates_later(
        &mut self,
        packet: &Outgoing<'_>,
        compress: Option<bool>,
        is_call: bool,
    ) -> bool {
        let Some(foreign) = &mut self.foreign else {
            return false;
        };
        if let Some(link) = self.current {
            let place = foreign.push(link, compress, What::Awaited);
            foreign.jobs.push(Job {
                place,
                packet_type: packet.packet_type,
                namespace: packet.namespace.to_owned(),
                id: packet.id,
                payload: packet.payload.map(str::to_owned),
                attachments: packet.attachments.iter().map(|data| data.to_vec()).collect(),
                is_call,
            });
        }
        true
    }

    /// Whether this connection has to be closed later: what was sent before is not encoded yet.
    pub(super) fn closes_later(&mut self, link: u64) -> bool {
        match &mut self.foreign {
            Some(foreign) if !foreign.places.is_empty() => {
                foreign.push(link, None, What::Close);
                true
            }
            _ => false,
        }
    }

    /// What whoever has the lock has to encode when it is let go of.
    #[inline]
    pub(super) fn jobs(&mut self) -> Option<Vec<Job>> {
        let foreign = self.foreign.as_mut()?;
        (!foreign.jobs.is_empty()).then(|| std::mem::take(&mut foreign.jobs))
    }

    /// Sends what is encoded, up to what isn't; says whether more than the high-water mark waits now.
    fn send_ready(&mut self) -> bool {
        let mut is_over = false;
        while let Some(place) = self.foreign.as_mut().and_then(|foreign| foreign.next_ready()) {
            match place.what {
                What::Messages(messages) => {
                    for message in &messages {
                        is_over |= self.send_message_over(place.link, borrowed(message), place.compress);
                    }
                }
                What::Close => {
                    if let Some(link) = self.link(place.link) {
                        link.engine.close();
                    }
                }
                What::Awaited => {}
            }
        }
        self.over_mark |= is_over;
        is_over
    }

    /// The next message of the present connection, and its decoder.
    fn next_message(&mut self) -> Option<(u64, OwnedData, Decoder)> {
        loop {
            let foreign = self.foreign.as_mut().filter(|foreign| !foreign.is_decoding)?;
            let (number, message) = foreign.messages.pop_front()?;
            if self.current != Some(number) {
                continue; // nobody hears it any more
            }
            if let Some(link) = self.link(number) {
                let decoder = std::mem::take(&mut link.decoder);
                if let Some(foreign) = &mut self.foreign {
                    foreign.is_decoding = true;
                }
                return Some((number, message, decoder));
            }
        }
    }

    /// Keeps a decoder for its connection's next message; given back if there is no such connection any more.
    fn put_back(&mut self, number: u64, decoder: Decoder) -> Option<Decoder> {
        if let Some(foreign) = &mut self.foreign {
            foreign.is_decoding = false;
        }
        match self.link(number) {
            Some(link) => {
                link.decoder = decoder;
                None
            }
            None => Some(decoder),
        }
    }
}

impl Core {
    #[inline]
    pub(super) fn translate_some(&self, jobs: Option<Vec<Job>>) {
        if let Some(jobs) = jobs {
            self.translate(jobs);
        }
    }

    /// Encodes packets, and what that brings about, and sends them; without the lock. Says what became of the one that a call
    /// is about.
    #[cold]
    pub(super) fn translate(&self, jobs: Vec<Job>) -> Option<Result<Sent>> {
        let (mut jobs, mut outcome, mut encoded) = (jobs, None, Encoded::default());
        loop {
            let done: Vec<_> = jobs
                .iter()
                .map(|job| (job, job.encode(&self.options.parser, &mut encoded)))
                .collect();
            let now = self.home.now();
            let more = self.look(|state| {
                for (job, result) in done {
                    let (messages, error) = match result {
                        Ok(messages) => (messages, None),
                        Err(error) => (Vec::new(), Some(error)),
                    };
                    if let Some(foreign) = &mut state.foreign {
                        foreign.fill(job.place, messages);
                    }
                    let is_over = state.send_ready();
                    match error {
                        None if job.is_call => outcome = Some(Ok(sent(is_over))),
                        None => {}
                        Some(error) if job.is_call => outcome = Some(Err(error)),
                        Some(error) => state.can_not_go_on(&error, now),
                    }
                }
                self.settle(state, now);
                state.jobs()
            });
            match more {
                Some(more) => jobs = more,
                None => return outcome,
            }
        }
    }

    /// Decodes what has come; on the loop's thread.
    pub(super) fn decode_waiting(&self) {
        if !matches!(self.options.parser, ParserKind::Custom(_)) {
            return;
        }
        while let Some((number, message, mut decoder)) = self.look(State::next_message) {
            let packet = decoder.decode(borrowed(&message), &self.limits);
            let packet = packet.map(|packet| packet.map(Packet::into_owned));
            let now = self.home.now();
            let (left, jobs) = self.look(|state| {
                let left = state.put_back(number, decoder);
                if state.current == Some(number) {
                    state.keep_packet(packet, now);
                }
                self.settle(state, now);
                (left, state.jobs())
            });
            drop(left);
            self.translate_some(jobs);
        }
    }
}
