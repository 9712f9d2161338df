//! What handlers are told, on the loop's thread and without the lock.

use std::borrow::Cow;

use std::time::Duration;

use super::core::Core;
use super::{AuthQuestion, ClientAck, ClientEvent, ClientReason, ClientSocket, ConnectError, Manager};
use crate::engineio::client::OwnedData;
use crate::engineio::{Data, PacketType};
use crate::error::Error;
use crate::handler::Message;
use crate::io::{AckResult, EnginePacket};
use crate::socketio::client::{AckOutcome, Delivery, Event, SocketKey};

/// Something to tell.
pub(super) enum Tell {
    /// With what went wrong, where that is told.
    Machine(Event, Option<Error>),
    Ping,
    /// A packet of Engine.IO.
    Packet(Direction, PacketType, OwnedData),
    Upgraded,
    UpgradeFailed(Error),
    Drain,
}

/// Which way a packet goes, and whether it may be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
    OutPlain,
}

impl Core {
    /// Tells what there is to tell; who is told may bring about more of it.
    pub(super) fn tell_all(&self) {
        loop {
            self.decode_waiting();
            if !self.tell_corked() {
                break;
            }
        }
        self.reside();
    }

    /// Tells what there is, then sends what handlers had to say to it. Says whether that has brought about more.
    fn tell_corked(&self) -> bool {
        let mut is_corked = false;
        loop {
            let tell = self.look(|state| {
                if state.is_telling {
                    return None; // a handler is being called, after which the list is looked at again
                }
                let tell = state.tells.pop_front();
                state.is_telling = tell.is_some();
                if state.is_telling && !std::mem::replace(&mut is_corked, true) {
                    state.cork();
                }
                tell
            });
            let Some(tell) = tell else { break };
            self.tell(tell);
            self.look(|state| state.is_telling = false);
        }
        let now = self.home.now();
        if !is_corked {
            return false;
        }
        let (has_more, jobs) = self.look(|state| {
            state.uncork();
            self.settle(state, now);
            (state.has_news(), state.jobs())
        });
        let is_changed = jobs.is_some();
        self.translate_some(jobs);
        has_more || is_changed
    }

    /// A message came over a WebSocket: what it brings is told from where it lies.
    pub(super) fn take_message(&self, link: u64, carrier: u32, message: Message<'_>) {
        let now = self.home.now();
        let (delivery, inner, has_more, jobs) = self.look(|state| {
            let delivery = state.take_message(link, carrier, message, &self.limits, now);
            self.settle(state, now);
            let key = delivery.as_ref().map(Delivery::socket);
            let inner = key.and_then(|key| state.sockets.get(key).cloned());
            let has_more = state.has_news();
            state.is_telling = inner.is_some() && !has_more;
            (delivery, inner, has_more, state.jobs())
        });
        let has_more = has_more || jobs.is_some();
        self.translate_some(jobs);
        if has_more {
            self.tell_all();
        }
        let (Some(delivery), Some(inner), Some(core)) = (delivery, inner, self.myself.upgrade()) else {
            return self.reside();
        };
        if has_more {
            self.look(|state| state.is_telling = true);
        }
        self.deliver(&ClientSocket { core, inner }, delivery);
        let has_more = self.look(|state| {
            state.is_telling = false;
            state.has_to_be_looked_at()
        });
        if has_more {
            self.tell_all();
        }
    }

    fn deliver(&self, socket: &ClientSocket, delivery: Delivery<'_>) {
        match delivery {
            Delivery::Event(_, data, attachments, ack) => {
                let event = ClientEvent {
                    name: Cow::Borrowed(&data.name),
                    array: data.array(),
                    args: data.args(),
                    attachments: &attachments,
                    ack: ack.map(|id| ClientAck::new(socket.clone(), id)),
                };
                socket.inner.handler.on_event(socket, event);
            }
            Delivery::Answer(_, token, array, attachments) => {
                let result = AckResult::Answered {
                    args: args_of(&array),
                    attachments: &attachments,
                };
                socket.inner.handler.on_ack(socket, token, result);
            }
        }
    }

    fn socket(&self, key: SocketKey) -> Option<ClientSocket> {
        let core = self.myself.upgrade()?;
        let inner = self.look(|state| state.sockets.get(key).cloned())?;
        Some(ClientSocket { core, inner })
    }

    fn tell(&self, tell: Tell) {
        match tell {
            Tell::Machine(event, error) => self.tell_event(event, error.as_ref()),
            Tell::Ping => self.tell_manager(|handler, manager| handler.on_ping(manager)),
            Tell::Packet(direction, kind, data) => self.tell_manager(|handler, manager| {
                let data = match &data {
                    OwnedData::Text(text) => Data::Text(text),
                    OwnedData::Binary(data) => Data::Binary(data),
                };
                let packet = EnginePacket {
                    outgoing: direction != Direction::In,
                    kind,
                    data,
                    compress: direction != Direction::OutPlain,
                };
                handler.on_packet(manager, &packet);
            }),
            Tell::Upgraded => self.tell_manager(|handler, manager| handler.on_upgrade(manager)),
            Tell::UpgradeFailed(error) => {
                self.tell_manager(|handler, manager| handler.on_upgrade_error(manager, &error));
            }
            Tell::Drain => self.tell_manager(|handler, manager| handler.on_drain(manager)),
        }
    }

    fn tell_manager(&self, tell: impl FnOnce(&dyn super::ManagerHandler, &Manager)) {
        if let (Some(handler), Some(core)) = (&self.handler, self.myself.upgrade()) {
            tell(&**handler, &Manager(core));
        }
    }

    fn tell_event(&self, event: Event, error: Option<&Error>) {
        match event {
            Event::Opened => self.tell_manager(|handler, manager| handler.on_open(manager)),
            Event::Failed(_) => self.tell_manager(|handler, manager| {
                error
                    .into_iter()
                    .for_each(|error| handler.on_error(manager, error));
            }),
            Event::Closed(reason, detail) => {
                self.tell_manager(|handler, manager| handler.on_close(manager, reason, &detail));
            }
            Event::ReconnectScheduled(attempt, delay) => {
                let delay = Duration::from_millis(delay);
                self.tell_manager(|handler, manager| handler.on_reconnect_scheduled(manager, attempt, delay));
            }
            Event::ReconnectAttempt(attempt) => self.attempt(attempt),
            Event::Reconnected(attempt) => {
                self.tell_manager(|handler, manager| handler.on_reconnect(manager, attempt));
            }
            Event::ReconnectError(_) => self.tell_manager(|handler, manager| {
                error
                    .into_iter()
                    .for_each(|error| handler.on_reconnect_error(manager, error));
            }),
            Event::ReconnectFailed => {
                self.tell_manager(|handler, manager| handler.on_reconnect_failed(manager));
            }
            event => self.tell_socket(event, error),
        }
    }

    /// An attempt begins once the application has heard of it.
    fn attempt(&self, attempt: u32) {
        self.tell_manager(|handler, manager| handler.on_reconnect_attempt(manager, attempt));
        self.call(|state, now| state.machine.attempt(now));
    }

    fn tell_socket(&self, event: Event, error: Option<&Error>) {
        match event {
            Event::Authenticate(key, question) => {
                if let Some(socket) = self.socket(key) {
                    let question = AuthQuestion::new(socket.clone(), question);
                    socket.inner.handler.on_auth(&socket, question);
                }
            }
            Event::Connected(key) => self.with(key, |socket| socket.inner.handler.on_connect(socket)),
            Event::Refused(key, message, data) => {
                let data = data.as_deref();
                self.unconnected(key, &message, data, None);
            }
            Event::Unreachable(key, message) => self.unconnected(key, &message, None, error),
            Event::Event(key, event) => {
                let delivery = Delivery::Event(key, event.data, event.attachments, event.ack);
                self.with(key, |socket| self.deliver(socket, delivery));
            }
            Event::Ack(key, token, outcome) => self.tell_ack(key, token, outcome),
            Event::Disconnected(key, reason, detail) => self.disconnected(key, reason, &detail),
            _ => {}
        }
    }

    fn with(&self, key: SocketKey, tell: impl FnOnce(&ClientSocket)) {
        if let Some(socket) = self.socket(key) {
            tell(&socket);
        }
    }

    fn unconnected(&self, key: SocketKey, message: &str, data: Option<&str>, error: Option<&Error>) {
        let error = ConnectError { message, data, error };
        self.with(key, |socket| socket.inner.handler.on_connect_error(socket, error));
    }

    fn disconnected(&self, key: SocketKey, reason: ClientReason, detail: &str) {
        self.with(key, |socket| {
            socket.inner.handler.on_disconnect(socket, reason, detail)
        });
    }

    fn tell_ack(&self, key: SocketKey, token: u64, outcome: AckOutcome) {
        match outcome {
            AckOutcome::Answered(array, attachments) => {
                let delivery = Delivery::Answer(key, token, array.into(), attachments);
                self.with(key, |socket| self.deliver(socket, delivery));
            }
            AckOutcome::TimedOut => {
                self.with(key, |socket| {
                    socket.inner.handler.on_ack(socket, token, AckResult::Timeout)
                });
            }
            AckOutcome::Disconnected => self.with(key, |socket| {
                socket
                    .inner
                    .handler
                    .on_ack(socket, token, AckResult::Disconnected);
            }),
        }
    }
}

/// What stands between the brackets of a checked array.
fn args_of(array: &str) -> &str {
    let inner = array.trim().strip_prefix('[');
    let inner = inner.and_then(|inner| inner.strip_suffix(']'));
    inner.unwrap_or_default().trim()
}
