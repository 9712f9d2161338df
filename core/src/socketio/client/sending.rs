//! Events on their way: buffers, acknowledgements, the queue of retries.

use std::borrow::Cow;

use bytes::Bytes;

use super::super::PacketType;
use super::socket::{Phase, Socket};
use super::{
    AckOutcome, Action, Carrier, Client, Delivery, Emitted, Event, Full, NewEvent, OwnedPacket, SocketKey,
};
use crate::ws::Millis;

/// An acknowledgement that is waited for.
#[derive(Debug)]
pub(super) struct Pending {
    waiter: Waiter,
    deadline: Option<Millis>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiter {
    /// The application, by its token.
    Application(u64),
    /// The event of the queue with this number.
    Queue(u64),
}

/// An event that is sent until it is acknowledged.
#[derive(Debug)]
pub(super) struct Queued {
    number: u64,
    array: String,
    attachments: Vec<Bytes>,
    compress: Option<bool>,
    token: Option<u64>,
    timeout: Option<Millis>,
    tries: u32,
    /// It was sent, and what becomes of it is not known yet.
    is_pending: bool,
}

impl Queued {
    fn len(&self) -> usize {
        length(&self.array, &self.attachments)
    }
}

impl OwnedPacket {
    fn len(&self) -> usize {
        length(self.payload.as_deref().unwrap_or_default(), &self.attachments)
    }
}

/// What something that waits counts for.
fn length(array: &str, attachments: &[Bytes]) -> usize {
    array.len() + attachments.iter().map(Bytes::len).sum::<usize>()
}

impl Client {
    /// Takes an event that is to be sent. After [`Emitted::Send`] whoever drives the machine sends it at once.
    ///
    /// # Errors
    /// Too much waits already; nothing follows.
    pub fn emit(
        &mut self,
        key: SocketKey,
        event: &NewEvent<'_>,
        carrier: Carrier,
        now: Millis,
    ) -> Result<Emitted, Full> {
        let Some(socket) = self.sockets.get(key) else {
            return Ok(Emitted::Dropped);
        };
        if socket.settings.retries > 0 && !event.volatile {
            return self.queue(key, event, now);
        }
        let is_connected = socket.phase == Phase::Connected && !carrier.has_expired;
        let is_dropped = event.volatile && !carrier.is_writable;
        let is_kept = !is_dropped && !is_connected;
        if is_kept {
            self.has_room(event)?;
        }
        let timeout = event.timeout.or(socket.settings.ack_timeout);
        if is_dropped && !is_connected && timeout.is_none() {
            // Neither a time nor an end would ever settle it.
            if let Some(token) = event.token {
                self.events
                    .push_back(Event::Ack(key, token, AckOutcome::Disconnected));
            }
            return Ok(Emitted::Dropped);
        }
        let waiter = event.token.map(Waiter::Application);
        let id = waiter.and_then(|waiter| self.expect_ack(key, waiter, timeout, now));
        if is_dropped {
            return Ok(Emitted::Dropped);
        }
        if is_connected {
            return Ok(Emitted::Send(id));
        }
        self.keep(key, owned(key, event, id));
        Ok(Emitted::Kept)
    }

    /// How many events of a socket wait.
    pub fn buffered(&self, key: SocketKey) -> usize {
        self.sockets
            .get(key)
            .map_or(0, |socket| socket.buffer.len() + socket.queue.len())
    }

    /// Drops the events of a socket that wait for a connection.
    pub fn clear_buffer(&mut self, key: SocketKey) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        let mut tokens = Vec::new();
        for packet in std::mem::take(&mut socket.buffer) {
            self.waiting = self.waiting.saturating_sub(packet.len());
            let pending = packet
                .id
                .and_then(|id| socket.acks.remove(&id).map(|ack| (id, ack)));
            if let Some((id, Pending { waiter, deadline })) = pending {
                forget_deadline(&mut self.ack_deadlines, deadline, key, id);
                tokens.extend(waiter.token());
            }
        }
        if socket.phase != Phase::Connected {
            for queued in std::mem::take(&mut socket.queue) {
                self.waiting = self.waiting.saturating_sub(queued.len());
                tokens.extend(queued.token);
            }
        }
        for token in tokens {
            self.events
                .push_back(Event::Ack(key, token, AckOutcome::Disconnected));
        }
    }

    /// Nothing will happen any more: settles all acknowledgements.
    pub fn abandon(&mut self, now: Millis) {
        self.settings.reconnection = false;
        self.close(now);
        for key in 0..self.sockets.len() {
            self.clear_buffer(key);
            self.clear_acks(key, now);
        }
    }

    fn has_room(&self, event: &NewEvent<'_>) -> Result<(), Full> {
        let attached: usize = event.attachments.iter().map(|data| data.len()).sum();
        let total = self
            .waiting
            .saturating_add(event.array.len())
            .saturating_add(attached);
        if total > self.settings.max_waiting {
            return Err(Full);
        }
        Ok(())
    }

    fn keep(&mut self, key: SocketKey, packet: OwnedPacket) {
        self.waiting += packet.len();
        if let Some(socket) = self.sockets.get_mut(key) {
            socket.buffer.push_back(packet);
        }
    }

    fn expect_ack(
        &mut self,
        key: SocketKey,
        waiter: Waiter,
        timeout: Option<Millis>,
        now: Millis,
    ) -> Option<u64> {
        let socket = self.sockets.get_mut(key)?;
        let id = socket.next_ack;
        socket.next_ack += 1;
        let deadline = timeout.map(|timeout| now.saturating_add(timeout));
        socket.acks.insert(id, Pending { waiter, deadline });
        if let Some(deadline) = deadline {
            self.ack_deadlines.insert((deadline, key, id));
        }
        Some(id)
    }

    /// The server's answer to one of our events.
    pub(super) fn answered<'a>(
        &mut self,
        key: SocketKey,
        id: u64,
        array: Cow<'a, str>,
        attachments: Vec<Bytes>,
        now: Millis,
    ) -> Option<Delivery<'a>> {
        let Pending { waiter, deadline } = self.sockets.get_mut(key)?.acks.remove(&id)?;
        forget_deadline(&mut self.ack_deadlines, deadline, key, id);
        let token = match waiter {
            Waiter::Application(token) => Some(token),
            Waiter::Queue(number) => self.queue_answered(key, number, now)?,
        };
        token.map(|token| Delivery::Answer(key, token, array, attachments))
    }

    pub(super) fn ack_timed_out(&mut self, key: SocketKey, id: u64, now: Millis) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        let Some(Pending { waiter, .. }) = socket.acks.remove(&id) else {
            return;
        };
        if let Some(at) = socket.buffer.iter().position(|packet| packet.id == Some(id))
            && let Some(packet) = socket.buffer.remove(at)
        {
            self.waiting = self.waiting.saturating_sub(packet.len());
        }
        self.ack_failed(key, waiter, AckOutcome::TimedOut, now);
    }

    /// No answer comes any more to what was sent.
    pub(super) fn clear_acks(&mut self, key: SocketKey, now: Millis) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        let buffered: Vec<u64> = socket.buffer.iter().filter_map(|packet| packet.id).collect();
        // What waits has its answer yet to come. Ids in the buffer ascend, as they do in the map.
        let lost: Vec<u64> = socket
            .acks
            .keys()
            .copied()
            .filter(|id| buffered.binary_search(id).is_err())
            .collect();
        for id in lost {
            let Some(Pending { waiter, deadline }) = self
                .sockets
                .get_mut(key)
                .and_then(|socket| socket.acks.remove(&id))
            else {
                continue;
            };
            forget_deadline(&mut self.ack_deadlines, deadline, key, id);
            self.ack_failed(key, waiter, AckOutcome::Disconnected, now);
        }
    }

    fn ack_failed(&mut self, key: SocketKey, waiter: Waiter, outcome: AckOutcome, now: Millis) {
        match waiter {
            Waiter::Application(token) => self.events.push_back(Event::Ack(key, token, outcome)),
            Waiter::Queue(number) => self.queue_failed(key, number, outcome, now),
        }
    }

    /// Sends what has waited for the connection.
    pub(super) fn send_buffered(&mut self, key: SocketKey) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        for packet in std::mem::take(&mut socket.buffer) {
            self.waiting = self.waiting.saturating_sub(packet.len());
            self.actions.push_back(Action::Send(packet));
        }
    }

    fn queue(&mut self, key: SocketKey, event: &NewEvent<'_>, now: Millis) -> Result<Emitted, Full> {
        self.has_room(event)?;
        let Some(socket) = self.sockets.get_mut(key) else {
            return Ok(Emitted::Dropped);
        };
        let queued = Queued {
            number: socket.next_queued,
            array: event.array.to_owned(),
            attachments: copied(event.attachments),
            compress: event.compress,
            token: event.token,
            timeout: event.timeout,
            tries: 0,
            is_pending: false,
        };
        socket.next_queued += 1;
        self.waiting += queued.len();
        socket.queue.push_back(queued);
        self.drain_queue(key, false, now);
        Ok(Emitted::Kept)
    }

    /// Sends the first event of the queue, unless it has been sent and may be answered yet; `again`: over a new
    /// connection, so it may not.
    pub(super) fn drain_queue(&mut self, key: SocketKey, again: bool, now: Millis) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if socket.phase != Phase::Connected {
            return;
        }
        let ack_timeout = socket.settings.ack_timeout;
        let Some(first) = socket
            .queue
            .front_mut()
            .filter(|first| again || !first.is_pending)
        else {
            return;
        };
        first.is_pending = true;
        first.tries = first.tries.saturating_add(1);
        let mut packet = OwnedPacket {
            packet_type: PacketType::Event,
            socket: key,
            id: None,
            payload: Some(first.array.clone()),
            attachments: first.attachments.clone(),
            compress: first.compress,
        };
        let (waiter, timeout) = (Waiter::Queue(first.number), first.timeout.or(ack_timeout));
        packet.id = self.expect_ack(key, waiter, timeout, now);
        self.actions.push_back(Action::Send(packet));
    }

    /// An event of the queue was acknowledged: its token, if it is still the first.
    fn queue_answered(&mut self, key: SocketKey, number: u64, now: Millis) -> Option<Option<u64>> {
        let queued = self.pop_queue(key, number)?;
        self.drain_queue(key, false, now);
        Some(queued.token)
    }

    fn queue_failed(&mut self, key: SocketKey, number: u64, outcome: AckOutcome, now: Millis) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        let retries = socket.settings.retries;
        let Some(first) = socket.queue.front_mut().filter(|first| first.number == number) else {
            return;
        };
        first.is_pending = false;
        if first.tries > retries
            && let Some(queued) = self.pop_queue(key, number)
            && let Some(token) = queued.token
        {
            self.events.push_back(Event::Ack(key, token, outcome));
        }
        self.drain_queue(key, false, now);
    }

    fn pop_queue(&mut self, key: SocketKey, number: u64) -> Option<Queued> {
        let socket: &mut Socket = self.sockets.get_mut(key)?;
        let queued = socket.queue.pop_front_if(|first| first.number == number)?;
        self.waiting = self.waiting.saturating_sub(queued.len());
        Some(queued)
    }
}

impl Waiter {
    fn token(self) -> Option<u64> {
        match self {
            Waiter::Application(token) => Some(token),
            Waiter::Queue(_) => None,
        }
    }
}

fn forget_deadline(
    deadlines: &mut std::collections::BTreeSet<(Millis, SocketKey, u64)>,
    deadline: Option<Millis>,
    key: SocketKey,
    id: u64,
) {
    if let Some(deadline) = deadline {
        deadlines.remove(&(deadline, key, id));
    }
}

fn owned(key: SocketKey, event: &NewEvent<'_>, id: Option<u64>) -> OwnedPacket {
    OwnedPacket {
        packet_type: PacketType::Event,
        socket: key,
        id,
        payload: Some(event.array.to_owned()),
        attachments: copied(event.attachments),
        compress: event.compress,
    }
}

fn copied(attachments: &[&[u8]]) -> Vec<Bytes> {
    attachments
        .iter()
        .map(|data| Bytes::copy_from_slice(data))
        .collect()
}
