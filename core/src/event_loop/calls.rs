//! What the application asks of a connection, done on the loop's thread.

use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::time::Duration;

use super::command::{Call, Command};
use super::connection::{Conn, Flag, Stage};
use super::core::LoopCore;
use super::slot::Slot;
use crate::error::{ErrorCode, Result};
use crate::handle::Id;
use crate::handler::Handler;
use crate::server::{Accept, Refusal};
use crate::ws::{Connection, Millis, ReadyState, Scratch, SendError};

impl LoopCore {
    /// Does what other threads have asked for so far.
    pub(crate) fn run_commands(&self) {
        self.shared().listen_to_bell();
        // No more than there are now: a thread that never stops asking must not keep the loop from its sockets.
        for _ in 0..self.shared().commands.len() {
            let Ok(command) = self.shared().commands.try_recv() else {
                break;
            };
            self.run_command(command);
        }
        if !self.shared().commands.is_empty() {
            self.shared().ring();
        }
    }

    fn run_command(&self, command: Command) {
        match command {
            Command::Send(id, outgoing) => self.queued_send(id, outgoing),
            Command::Overflow(id, token) => self.queued_overflow(id, token),
            Command::Call(id, Call::Accept(accept)) => self.queued_accept(id, *accept),
            Command::Call(id, call) => {
                if let Err(error) = self.call(id, call) {
                    log::warn!("a call from another thread could not be done any more: {error}");
                }
            }
            Command::Connect(id, plan) => self.connect(id, *plan),
            Command::Resolved(id, number, found) => self.resolved(id, number, found),
            Command::Dialed(id, number, found) => self.dialed(id, number, found),
            Command::Listen(id, listening) => self.listen(id, *listening),
            Command::SendShared(id, message) => self.queued_shared(id, &message),
            Command::ShareWith(ids, message) => self.share_with_many(ids.iter().copied(), &message),
            Command::Adopt(id, adopted) => self.take_over(id, *adopted),
            Command::Handle(id, coming) => self.handle(id, *coming),
            Command::HandOver(id, handed) => self.handed_over(id, *handed),
            Command::Broadcast(id, frame) => self.broadcast(id, &frame),
            Command::Publish(id, publication) => self.publish(id, &publication),
            Command::Drain(id, within) => self.drain(id, within),
            Command::CloseServer(id, close) => {
                self.close_server(id, close.as_ref().map(|(code, reason)| (*code, reason.as_str())));
            }
            Command::WorkerClosed(id) => self.worker_closed(id),
            Command::Answer(id, exchange, answer) => self.answer(id, exchange, *answer),
            Command::AnswerShared(id, exchange, head, body) => {
                self.answer_shared(id, exchange, &head, body.into());
            }
            Command::Pass(id, exchange, head) => self.pass(id, exchange, *head),
            Command::Run(life, job) => self.run_job(life, job),
            Command::Timed(life, deadline, key, timed) => self.set_queued_timed(life, deadline, key, timed),
            Command::Forget(life, deadline, key, timed) => self.forget_queued(life, deadline, key, &timed),
            Command::Stop => self.stopping.set(true),
            Command::Shutdown(within) => self.begin_shutdown(crate::settings::millis(within)),
        }
    }

    /// Another thread was told that its answer is on the way. If it can't be given, the client gets status 500, and the
    /// handler hears of the end: that is where its user data is freed.
    fn queued_accept(&self, id: Id, accept: Accept) {
        let (handler, user_data) = (accept.handler.clone(), accept.user_data);
        let Err(error) = self.call(id, Call::Accept(Box::new(accept))) else {
            return;
        };
        log::warn!("an upgrade could not be accepted: {error}");
        self.with_conn(id, |conn| {
            conn.flags.set(Flag::FailedAnswer, true);
            conn.change_hearer(handler, user_data);
        });
        self.answer_and_fail(id, &Refusal::new(500, "the server could not answer"), Some(error));
    }

    /// A call on a connection that is alive.
    pub(crate) fn call(&self, id: Id, call: Call) -> Result<()> {
        let result = match call {
            Call::Ping(payload) => {
                self.with_conn(id, |conn| conn.flags.set(Flag::AskedByApplication, true));
                self.control_frame(id, |machine, scratch, out, now| {
                    machine.ping(&payload, now, scratch, out)?;
                    machine.pinged_at(self.micros());
                    Ok(())
                })
            }
            Call::Pong(payload) => self.control_frame(id, |machine, scratch, out, _| {
                machine.pong(&payload, scratch, out)
            }),
            Call::Close(code, reason) => {
                self.begin_close(id, code, &reason);
                Ok(())
            }
            Call::Terminate => {
                self.with_conn(id, |conn| conn.ending().was_clean = false);
                self.finish(id, None, false);
                Ok(())
            }
            Call::Pause => self.pause(id),
            Call::Resume => self.resume(id),
            Call::SetHandler(handler, user_data) => self.set_handler(id, handler, user_data),
            Call::Accept(accept) => self.accept(id, *accept),
            Call::Refuse(refusal) => self.refuse(id, &refusal),
            Call::Subscribe(filter) => self.subscribe(id, &filter),
            Call::Unsubscribe(filter) => self.unsubscribe(id, &filter),
            Call::Publish(publication) => self.publish_from(id, *publication),
            Call::Request(asking) => self.ask(id, *asking),
        };
        self.ask_for_flush();
        result
    }

    pub(super) fn control_frame(
        &self,
        id: Id,
        write: impl FnOnce(&mut Connection, &mut Scratch, &mut Vec<u8>, u64) -> Result<(), SendError>,
    ) -> Result<()> {
        let now = self.now();
        let slot = self.shared().slots.get(id).ok_or(ErrorCode::Closed)?;
        let sent = self.with_conn(id, |conn| {
            let mut scratch = self.scratch.borrow_mut();
            self.write_control(conn, slot, |stage, out| match stage {
                Stage::Open(machine) => write(machine, &mut scratch, out, now),
                _ => Err(SendError::NotOpen),
            })
        });
        self.arm(id);
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(super::messages::send_failed(error, slot)),
            None => Err(ErrorCode::Closed.into()),
        }
    }

    /// Starts the closing handshake, or gives up what is not open yet.
    pub(crate) fn begin_close(&self, id: Id, code: Option<u16>, reason: &str) {
        self.begin_close_within(id, code, reason, None);
    }

    /// With another time for the closing handshake than the connection's own, if it is longer.
    pub(crate) fn begin_close_within(
        &self,
        id: Id,
        code: Option<u16>,
        reason: &str,
        close_timeout: Option<Millis>,
    ) {
        let Some(slot) = self.shared().slots.get(id) else {
            return;
        };
        let now = self.now();
        let open = self.with_conn(id, |conn| {
            if !matches!(conn.stage, Stage::Open(_)) {
                return false;
            }
            conn.flags.set(Flag::Leaving, true);
            let mut protocol = conn.profile.protocol.clone();
            protocol.close_timeout = protocol.close_timeout.max(close_timeout.unwrap_or(0));
            let mut scratch = self.scratch.borrow_mut();
            self.close_frame(conn, slot, |machine, out| {
                machine.close(code, reason, now, &protocol, &mut scratch, out)
            });
            conn.note_closing(now);
            true
        });
        match open {
            Some(true) => self.arm(id),
            Some(false) if self.with_conn(id, |conn| conn.flags.has(Flag::Ended)) == Some(false) => {
                self.finish(id, None, false);
            }
            _ => {}
        }
        self.ask_for_flush();
    }

    fn close_frame(
        &self,
        conn: &mut Conn,
        slot: &Slot,
        close: impl FnOnce(&mut Connection, &mut Vec<u8>) -> Result<(), SendError>,
    ) {
        let written = self.write_control(conn, slot, |stage, out| match stage {
            Stage::Open(machine) => close(machine, out),
            _ => Ok(()),
        });
        if let Err(error) = written {
            log::debug!("no close frame was sent: {error}");
        }
        slot.set_ready_state(ReadyState::Closing);
    }

    fn pause(&self, id: Id) -> Result<()> {
        self.with_conn(id, |conn| {
            conn.flags.set(Flag::Detour, true);
            if !conn.flags.raise(Flag::Paused)
                && let Stage::Open(machine) = &mut conn.stage
            {
                machine.suspend_liveness();
                conn.set_user_timeout(true);
            }
        });
        Ok(())
    }

    fn resume(&self, id: Id) -> Result<()> {
        let now = self.now();
        let resumed = self.with_conn(id, |conn| {
            if !conn.flags.take(Flag::Paused) {
                return false;
            }
            conn.flags.set(Flag::Detour, conn.profile.protocol.message_parts);
            if let Stage::Open(machine) = &mut conn.stage {
                machine.resume_liveness(now);
                conn.set_user_timeout(false);
            }
            true
        });
        if resumed == Some(true) {
            self.arm(id);
            self.reconsider(id);
        }
        Ok(())
    }

    fn set_handler(&self, id: Id, handler: Arc<dyn Handler>, user_data: usize) -> Result<()> {
        let orphaned = self.with_conn(id, |conn| {
            conn.handler = Some(handler);
            conn.user_data = user_data;
            conn.flags.take(Flag::Orphaned)
        });
        self.reconsider(id);
        if orphaned == Some(true) {
            self.ended.borrow_mut().push(id.slot());
        }
        Ok(())
    }

    /// Has what waited for a handler, for `on_open` or for reading looked at again, once no handler runs.
    pub(crate) fn reconsider(&self, id: Id) {
        self.opened.borrow_mut().push(id);
    }
}

impl Conn {
    /// While the application does not read, the dead-peer timer stands still; the system watches instead whether
    /// the peer acknowledges what is sent.
    pub(super) fn set_user_timeout(&self, on: bool) {
        let timeout = self.profile.protocol.ping_timeout;
        #[cfg(target_os = "linux")]
        if let Some(stream) = self.stream.as_ref().filter(|stream| stream.is_tcp())
            && timeout > 0
        {
            // What the application chose for all times is for all times.
            let limit = self
                .profile
                .user_timeout
                .or(on.then(|| Duration::from_millis(timeout)));
            let _ = stream.socket().set_tcp_user_timeout(limit);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (on, timeout);
    }
}
