//! One message to many connections of a server: to all of them, or to those who subscribe to its topic.

use std::sync::Arc;

use super::command::Command;
use super::connection::{Conn, Flag, NO_SERVER, Stage};
use super::core::LoopCore;
use super::memory;
use super::messages::{not_open, send_failed};
use super::parts::Deferred;
use super::queueing;
use super::shared::Shared;
use super::site::Site;
use super::tracking::{Tracking, Verdict};
use crate::error::{Error, ErrorCode, Result};
use crate::handle::Id;
use crate::server::Publication;
use crate::topics::Topics;
use crate::websocket::Sent;
use crate::ws::{Frame, SendError, SharedMessage};

/// Sends a message to every open connection of a server.
pub(crate) fn broadcast(server: Id, message: &Arc<SharedMessage>) -> Result<()> {
    Shared::site(server)?.on_each_loop(
        |core, id| core.broadcast(id, message),
        |id| Command::Broadcast(id, message.clone()),
    );
    Ok(())
}

/// Sends a publication to all subscribers of its topic at a server, and at the others of its cluster.
pub(crate) fn publish(server: Id, publication: Publication) -> Result<()> {
    let site = Shared::site(server)?;
    let publication = Arc::new(publication);
    publish_here(&site, &publication);
    site.tell_others(&publication);
    Ok(())
}

/// Sends what was published at another server of the cluster.
#[cfg(feature = "redis")]
pub(crate) fn publish_from_others(server: Id, publication: Publication) -> Result<()> {
    publish_here(&*Shared::site(server)?, &Arc::new(publication));
    Ok(())
}

fn publish_here(site: &Site, publication: &Arc<Publication>) {
    site.on_each_loop(
        |core, id| core.publish(id, publication),
        |id| Command::Publish(id, publication.clone()),
    );
}

/// Sends a message that others get too to one connection.
pub(crate) fn send_shared(id: Id, message: &Arc<SharedMessage>) -> Result<Sent> {
    let shared = Shared::at(id)?;
    match shared.enter() {
        Some(core) => core.send_shared(id, message),
        None => queueing::send_shared(shared, id, message),
    }
}

impl LoopCore {
    pub(crate) fn subscribe(&self, id: Id, filter: &str) -> Result<()> {
        self.with_topics(id, |topics| topics.subscribe(id.slot(), filter))
    }

    pub(crate) fn unsubscribe(&self, id: Id, filter: &str) -> Result<()> {
        self.with_topics(id, |topics| topics.unsubscribe(id.slot(), filter))
    }

    fn with_topics(&self, id: Id, act: impl FnOnce(&mut Topics)) -> Result<()> {
        let server = self.server_of(id)?;
        if let Some(listener) = self.servers.borrow_mut().get_mut(&server) {
            act(&mut listener.topics);
        }
        Ok(())
    }

    /// Publishes for a connection of this loop's.
    pub(crate) fn publish_from(&self, id: Id, publication: Publication) -> Result<()> {
        let server = self.server_of(id)?;
        let site = self
            .servers
            .borrow()
            .get(&server)
            .map(|listener| listener.site.clone());
        let Some(site) = site else {
            return Err(ErrorCode::Closed.into());
        };
        publish(site.server.id(), publication)
    }

    /// The slot of the server that a living connection came to.
    fn server_of(&self, id: Id) -> Result<u32> {
        let server = self.with_conn(id, |conn| (!conn.flags.has(Flag::Ended)).then_some(conn.server));
        match server.flatten() {
            None => Err(ErrorCode::Closed.into()),
            Some(NO_SERVER) => {
                let text = "topics are a server's; a client's connection has none";
                Err(Error::new(ErrorCode::InvalidArgument, text))
            }
            Some(server) => Ok(server),
        }
    }

    /// Sends a publication to its subscribers on this loop.
    pub(crate) fn publish(&self, server: Id, publication: &Publication) {
        let subscribers = match self.servers.borrow().get(&server.slot()) {
            Some(listener) if listener.id == server => listener.topics.matching(&publication.topic),
            _ => return,
        };
        let mut conns = self.conns.borrow_mut();
        let mut missed = Missed::default();
        for slot in subscribers {
            if let Some(conn) = conns.at(slot)
                && publication.except != Some(conn.id)
            {
                self.share(conn, &publication.message, &mut missed);
            }
        }
        drop(conns);
        self.shared_out(missed);
    }

    /// Sends one message to all open connections of a server on this loop.
    pub(crate) fn broadcast(&self, server: Id, message: &Arc<SharedMessage>) {
        let is_here = self
            .servers
            .borrow()
            .get(&server.slot())
            .is_some_and(|listener| listener.id == server);
        if !is_here {
            return;
        }
        let mut conns = self.conns.borrow_mut();
        let mut missed = Missed::default();
        for conn in conns.iter_mut() {
            if conn.server == server.slot() && !conn.flags.has(Flag::Routed) {
                self.share(conn, message, &mut missed);
            }
        }
        drop(conns);
        self.shared_out(missed);
    }

    /// Sends a message that others get too, if the connection is open.
    pub(super) fn share(&self, conn: &mut Conn, message: &Arc<SharedMessage>, missed: &mut Missed) {
        if !conn.is_open() {
            return;
        }
        if self.corked.get() != conn.id.slot()
            && conn.outbox.len() <= conn.profile.hard_limit
            && !memory::is_over()
            && let Stage::Open(machine) = &conn.stage
            && let Some(frame) = machine.share_plain(message)
        {
            return self.put_shared(conn, frame); // nothing else is to be asked, as with nearly all
        }
        let mut cork = self.cork.borrow_mut();
        match self.judge(conn, &mut cork) {
            Ok(Verdict::Welcome) => {}
            Ok(Verdict::TooSlow(error)) => return missed.slow.push((conn.id, error)),
            Ok(Verdict::Dropped) | Err(_) => return missed.by(conn),
        }
        if self.share_welcome(conn, &mut cork, message).is_err() {
            missed.by(conn);
        }
    }

    /// The same for a message that nothing is against but the state of the connection.
    fn share_welcome(&self, conn: &mut Conn, cork: &mut Vec<u8>, message: &Arc<SharedMessage>) -> Result<()> {
        let Stage::Open(machine) = &mut conn.stage else {
            return Err(not_open(conn.slot));
        };
        let mut scratch = self.scratch.borrow_mut();
        let frame = machine.share(message, &mut scratch);
        if let Some(ratio) = scratch.take_ratio() {
            conn.slot.count_ratio(&ratio);
        }
        drop(scratch);
        match frame {
            Ok(frame) => self.write_shared(conn, cork, frame),
            Err(SendError::Unfinished) if conn.has_room_to_defer() => {
                conn.slot.add_buffered(message.frame().len());
                let deferred = Deferred::Shared(message.clone());
                conn.rare_mut().deferred.get_or_insert_default().0.push(deferred);
            }
            Err(error) => return Err(send_failed(error, conn.slot)),
        }
        Ok(())
    }

    fn write_shared(&self, conn: &mut Conn, cork: &mut Vec<u8>, frame: Frame) {
        if self.corked.get() != conn.id.slot() {
            return self.put_shared(conn, frame);
        }
        conn.slot.counters.messages_out.add(1);
        let start = cork.len();
        cork.extend_from_slice(&frame); // after what it has sent in this turn
        self.mark(start, cork.len(), conn.profile.tracking(Tracking::NONE));
    }

    /// Has it wait for the next flush.
    #[inline]
    fn put_shared(&self, conn: &mut Conn, frame: Frame) {
        conn.slot.counters.messages_out.add(1);
        conn.slot.add_buffered(frame.len());
        let tracking = conn.profile.tracking(Tracking::NONE);
        conn.outbox.share_message(frame, tracking);
        if conn.outbox.len() > conn.profile.high_water_mark {
            conn.slot.set_over_mark();
        }
        self.mark_dirty(conn);
    }

    /// Sends a message that others get too to one connection.
    pub(crate) fn send_shared(&self, id: Id, message: &Arc<SharedMessage>) -> Result<Sent> {
        let sent = self.with_conn(id, |conn| self.share_judged(conn, message));
        let sent = match sent.unwrap_or_else(|| Err(ErrorCode::Closed.into()))? {
            Ok(sent) => sent,
            Err(too_slow) => {
                self.close_slow(id, too_slow);
                Sent::Dropped
            }
        };
        if sent == Sent::Dropped {
            self.with_conn(id, |conn| conn.slot.count_dropped());
        }
        self.ask_for_flush();
        Ok(sent)
    }

    /// What became of it; the inner error is what a connection that is too slow is to be closed for.
    fn share_judged(&self, conn: &mut Conn, message: &Arc<SharedMessage>) -> Result<Result<Sent, Error>> {
        conn.check_open()?;
        let mut cork = self.cork.borrow_mut();
        match self.judge(conn, &mut cork)? {
            Verdict::Welcome => {}
            Verdict::TooSlow(error) => return Ok(Err(error)),
            Verdict::Dropped => return Ok(Ok(Sent::Dropped)),
        }
        self.share_welcome(conn, &mut cork, message)?;
        if self.waiting(conn, &cork) <= conn.profile.high_water_mark {
            return Ok(Ok(Sent::Queued));
        }
        conn.slot.set_over_mark();
        self.mark_dirty(conn); // the next flush looks whether on_drain is due, even if the cork took it all
        Ok(Ok(Sent::OverMark))
    }

    /// Another thread's message that others get too; it was judged there.
    pub(crate) fn queued_shared(&self, id: Id, message: &Arc<SharedMessage>) {
        let Some(slot) = self.shared().slots.get(id) else {
            return;
        };
        let length = message.frame().len();
        slot.take_queued(length);
        slot.sub_buffered(length);
        let shared = self.with_conn(id, |conn| {
            self.share_welcome(conn, &mut self.cork.borrow_mut(), message)?;
            // Its sender may have been told to wait for what the system has taken at once: the next flush looks.
            if slot.is_over_mark() {
                self.mark_dirty(conn);
            }
            Ok::<(), Error>(())
        });
        if let Some(Err(error)) = shared {
            log::debug!("a message from another thread was dropped: {error}");
        }
    }

    /// Sends a message to these connections of this loop's, as far as they are open.
    pub(crate) fn share_with_many(&self, ids: impl Iterator<Item = Id>, message: &Arc<SharedMessage>) {
        let mut conns = self.conns.borrow_mut();
        let mut missed = Missed::default();
        for id in ids {
            if let Some(conn) = conns.find(id) {
                self.share(conn, message, &mut missed);
            }
        }
        drop(conns);
        self.shared_out(missed);
    }

    /// The same for one connection, later.
    pub(super) fn share_with(&self, id: Id, message: &Arc<SharedMessage>) {
        let mut missed = Missed::default();
        self.with_conn(id, |conn| self.share(conn, message, &mut missed));
        self.shared_out(missed);
    }

    pub(super) fn shared_out(&self, missed: Missed) {
        if missed.count > 0 {
            let count = missed.count;
            log::warn!("{count} connections missed a message to many: too much waits already");
        }
        for (id, error) in missed.slow {
            self.with_conn(id, |conn| conn.slot.count_dropped());
            self.close_slow(id, error);
        }
        self.ask_for_flush();
    }
}

impl Conn {
    /// What waits for the end of a message is bounded as what waits for the system.
    fn has_room_to_defer(&self) -> bool {
        self.slot.buffered() <= self.profile.hard_limit as u64 && !memory::is_over()
    }
}

/// Who did not get a message to many.
#[derive(Default)]
pub(super) struct Missed {
    count: u64,
    /// These are to be closed for it.
    slow: Vec<(Id, Error)>,
}

impl Missed {
    fn by(&mut self, conn: &Conn) {
        conn.slot.count_dropped();
        self.count += 1;
    }
}
