//! A manager's state behind one lock, and what becomes of calls and of what comes.
//!
//! Calls of the application may come on any thread, also from inside handlers: they change the state, what has to be done
//! at once is done while the lock is held (sending calls nobody), and what there is to tell waits in a list. That list is
//! told on the loop's thread, without the lock: [`telling`](super::telling).

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::link::Link;
use super::socket::SocketInner;
use super::telling::Tell;
use super::translating::Foreign;
use super::{ManagerHandler, ManagerOptions};
use crate::client::ClientOptions;
use crate::engineio::Data;
use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::{Home, Resident, Timed, TimerKey};
use crate::io::registry;
use crate::settings::{SlowConsumer, millis};
use crate::socketio::client::{Action, Client, Event, OwnedPacket, Settings};
use crate::socketio::{Encoded, Limits, Outgoing, ParserKind};
use crate::websocket::Sent;
use crate::ws::Millis;
use crate::ws::url::Url;

pub(super) const NEVER: Millis = Millis::MAX;

pub(super) struct Core {
    pub(super) home: Home,
    pub(super) url: Url,
    pub(super) options: ManagerOptions,
    /// Of WebSockets and of requests.
    pub(super) connection: Arc<ClientOptions>,
    pub(super) limits: Limits,
    pub(super) handler: Option<Arc<dyn ManagerHandler>>,
    pub(super) raw: u64,
    pub(super) myself: Weak<Core>,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) machine: Client,
    /// By their keys.
    pub(super) sockets: Vec<Arc<SocketInner>>,
    /// The present one, and those that are on their way out.
    pub(super) links: Vec<Link>,
    pub(super) current: Option<u64>,
    pub(super) last_link: u64,
    pub(super) tells: VecDeque<Tell>,
    /// What has just gone wrong, for who is told of it.
    pub(super) failure: Option<Error>,
    /// A sender was told to wait, until no more than half of the mark waits.
    pub(super) over_mark: bool,
    pub(super) high_water_mark: u64,
    /// Whether each packet is told.
    pub(super) tells_packets: bool,
    /// Answers and questions that have become numbers.
    pub(super) numbers: HashSet<u64>,
    encoded: Encoded,
    /// What a parser of the application's own has to do.
    pub(super) foreign: Option<Box<Foreign>>,
    pub(super) frame: String,
    /// The timer that is set.
    armed: Millis,
    timer: TimerKey,
    /// A handler is being called, after which the list is looked at again.
    pub(super) is_telling: bool,
    /// The loop's thread was asked to look.
    is_posted: bool,
    is_resident: bool,
    /// The loop has ended.
    pub(super) has_ended: bool,
}

impl Core {
    pub(super) fn new(
        home: Home,
        url: Url,
        options: ManagerOptions,
        handler: Option<Arc<dyn ManagerHandler>>,
    ) -> Arc<Core> {
        let machine = Client::new(settings(&options), Box::new(random));
        let connection = Arc::new(for_connections(&options.client));
        let foreign = matches!(options.parser, ParserKind::Custom(_)).then(Box::default);
        let high_water_mark = options.client.settings.high_water_mark as u64;
        let limits = Limits {
            max_attachments: options.max_attachments,
            // A text and its attachments, each a message.
            max_bytes: connection
                .settings
                .max_message
                .saturating_mul(options.max_attachments.saturating_add(1)),
        };
        Arc::new_cyclic(|myself| Core {
            home,
            url,
            options,
            connection,
            limits,
            handler,
            raw: registry::fresh(),
            myself: myself.clone(),
            state: Mutex::new(State {
                machine,
                sockets: Vec::new(),
                links: Vec::new(),
                current: None,
                last_link: 0,
                tells: VecDeque::new(),
                failure: None,
                over_mark: false,
                high_water_mark,
                tells_packets: false,
                numbers: HashSet::new(),
                encoded: Encoded::default(),
                foreign,
                frame: String::new(),
                armed: NEVER,
                timer: TimerKey::NONE,
                is_telling: false,
                is_posted: false,
                is_resident: false,
                has_ended: false,
            }),
        })
    }

    /// A look at the state, or a change that brings nothing about.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock())
    }

    /// A call of the application's, on any thread. What there is to tell is told later.
    pub(super) fn call<T>(&self, act: impl FnOnce(&mut State, Millis) -> T) -> T {
        self.call_and_translate(act).0
    }

    /// The same for a call that sends.
    pub(super) fn call_sending(&self, act: impl FnOnce(&mut State, Millis) -> Result<Sent>) -> Result<Sent> {
        match self.call_and_translate(act) {
            (Ok(_), Some(outcome)) => outcome,
            (result, _) => result,
        }
    }

    /// With what became of the packet that was sent, if that was encoded afterwards.
    fn call_and_translate<T>(&self, act: impl FnOnce(&mut State, Millis) -> T) -> (T, Option<Result<Sent>>) {
        let now = self.home.now();
        let mut state = self.state.lock();
        let result = act(&mut state, now);
        self.settle(&mut state, now);
        let mut outcome = None;
        if let Some(jobs) = state.jobs() {
            drop(state);
            outcome = self.translate(jobs);
            state = self.state.lock();
        }
        let needs_thread = !state.is_telling && !state.is_posted && state.has_to_be_looked_at();
        state.is_posted |= needs_thread;
        drop(state);
        if needs_thread {
            self.post();
        }
        (result, outcome)
    }

    /// Something has come, on the loop's thread.
    pub(super) fn enter(&self, act: impl FnOnce(&mut State, Millis)) {
        let now = self.home.now();
        let mut state = self.state.lock();
        act(&mut state, now);
        self.settle(&mut state, now);
        let jobs = state.jobs();
        drop(state);
        self.translate_some(jobs);
        self.tell_all();
    }

    /// For calls that can't be done any more once the loop has ended.
    pub(super) fn check_alive(&self) -> Result<()> {
        self.home.place()?;
        if self.look(|state| state.has_ended) {
            return Err(ErrorCode::Closed.into());
        }
        Ok(())
    }

    /// Whether the loop lives, without which nothing can happen any more.
    pub(super) fn is_alive(&self, state: &State) -> bool {
        !state.has_ended && self.home.is_alive()
    }

    fn post(&self) {
        let Some(myself) = self.myself.upgrade() else {
            return;
        };
        self.home.run(Box::new(move || {
            myself.look(|state| state.is_posted = false);
            myself.tell_all();
        }));
    }

    /// Does what has become due, until nothing is left, and sets the timer.
    pub(super) fn settle(&self, state: &mut State, now: Millis) {
        loop {
            let mut is_done = true;
            for at in 0..state.links.len() {
                while let Some(output) = state.links.get_mut(at).and_then(|link| link.engine.output()) {
                    self.link_says(state, at, output, now);
                    is_done = false;
                }
            }
            while let Some(action) = state.machine.action() {
                self.act(state, action, now);
                is_done = false;
            }
            is_done &= !state.collect();
            if is_done {
                break;
            }
        }
        if !state.links.is_empty() {
            state.drop_links();
        }
        if state.over_mark {
            state.look_at_mark();
        }
        self.arm(state);
    }

    fn act(&self, state: &mut State, action: Action, now: Millis) {
        match action {
            Action::Open => self.open_link(state),
            Action::Close => {
                let current = state.current.take();
                state.forget_numbers();
                let Some(number) = current.filter(|number| !state.closes_later(*number)) else {
                    return;
                };
                if let Some(link) = state.link(number) {
                    link.engine.close();
                }
            }
            Action::Send(packet) => self.send_owned(state, &packet, now),
        }
    }

    fn arm(&self, state: &mut State) {
        let links = state.links.iter().filter_map(|link| link.engine.deadline());
        let deadline = links.chain(state.machine.deadline()).min().unwrap_or(NEVER);
        if deadline < state.armed {
            let myself: Weak<dyn Timed> = self.myself.clone();
            state.disarm(self.home, &myself);
            state.armed = deadline;
            state.timer = self.home.at(deadline, myself);
        }
    }

    fn send_owned(&self, state: &mut State, packet: &OwnedPacket, now: Millis) {
        let Some(socket) = state.sockets.get(packet.socket).cloned() else {
            return;
        };
        let attachments: Vec<&[u8]> = packet.attachments.iter().map(|data| &data[..]).collect();
        let outgoing = Outgoing {
            packet_type: packet.packet_type,
            namespace: &socket.namespace,
            id: packet.id,
            payload: packet.payload.as_deref(),
            attachments: &attachments,
        };
        if state.translates_later(&outgoing, packet.compress, false) {
            return;
        }
        if let Err(error) = self.send(state, &outgoing, packet.compress) {
            state.can_not_go_on(&error, now);
        }
    }

    /// Sends a packet over the present connection; without one it is dropped.
    ///
    /// # Errors
    /// It can't be encoded.
    pub(super) fn send(
        &self,
        state: &mut State,
        packet: &Outgoing<'_>,
        compress: Option<bool>,
    ) -> Result<Sent> {
        if let ParserKind::Json = self.options.parser
            && packet.attachments.is_empty()
            && !state.tells_packets
            && let Some(is_over) = state.send_text(packet, compress)
        {
            state.over_mark |= is_over;
            return Ok(sent(is_over));
        }
        if state.translates_later(packet, compress, true) {
            return Ok(Sent::Queued);
        }
        let mut encoded = std::mem::take(&mut state.encoded);
        let mut is_over = false;
        let result = match self.options.parser.encode(packet, &mut encoded) {
            Ok(messages) => {
                for message in messages {
                    is_over |= state.send_message(message, compress);
                }
                Ok(sent(is_over))
            }
            Err(error) => Err(Error::new(ErrorCode::InvalidArgument, error.to_string())),
        };
        state.encoded = encoded;
        state.over_mark |= is_over;
        result
    }

    /// Sends a message that the application has written itself.
    ///
    /// # Errors
    /// `NotOpen`, `OutboxFull`.
    pub(super) fn send_raw(
        &self,
        state: &mut State,
        message: Data<'_>,
        compress: Option<bool>,
    ) -> Result<Sent> {
        if state.transport().is_none() {
            return Err(ErrorCode::NotOpen.into());
        }
        self.check_room(state)?;
        let is_over = state.send_message(message, compress);
        state.over_mark |= is_over;
        Ok(sent(is_over))
    }

    /// Whether a sender would have to wait too long.
    ///
    /// # Errors
    /// `OutboxFull`.
    pub(super) fn check_room(&self, state: &State) -> Result<()> {
        let limit = self.options.client.settings.hard_limit as u64;
        let waiting = state.carried();
        if limit != 0 && waiting > limit {
            let text = format!("{waiting} bytes already wait to be sent, and the hard limit is {limit}");
            return Err(Error::new(ErrorCode::OutboxFull, text));
        }
        Ok(())
    }

    /// Has the loop keep this manager for as long as there is something to wait for; on its thread.
    pub(super) fn reside(&self) {
        let change = self.look(|state| {
            let wants = state.wants_to_reside();
            (wants != std::mem::replace(&mut state.is_resident, wants)).then_some(wants)
        });
        match (change, self.myself.upgrade()) {
            (Some(true), Some(myself)) => self.home.move_in(self.raw, myself),
            (Some(false), _) => drop(self.home.move_out(self.raw)),
            _ => {}
        }
    }
}

impl State {
    pub(super) fn has_to_be_looked_at(&self) -> bool {
        self.has_news() || self.is_resident != self.wants_to_reside()
    }

    /// Whether there is something to tell, or to find out.
    pub(super) fn has_news(&self) -> bool {
        !self.tells.is_empty()
            || self
                .foreign
                .as_ref()
                .is_some_and(|foreign| foreign.has_messages())
    }

    /// A packet that was accepted before can't be sent: the connection can't go on without it.
    pub(super) fn can_not_go_on(&mut self, error: &Error, now: Millis) {
        log::warn!("a packet could not be sent: {error}");
        let reason = crate::socketio::client::Reason::TransportError;
        self.machine.closed(reason, error.text(), now);
    }

    fn wants_to_reside(&self) -> bool {
        !self.has_ended && (self.machine.is_active() || !self.links.is_empty())
    }

    /// Takes over what the machine has to tell; says whether there was something.
    pub(super) fn collect(&mut self) -> bool {
        let mut has_some = false;
        while let Some(event) = self.machine.event() {
            has_some = true;
            if let Event::Authenticate(key, question) = event
                && let Some(socket) = self.sockets.get(key).cloned()
                && let Some(payload) = socket.fixed_auth()
            {
                self.machine.authenticate(key, question, payload.as_deref());
                continue;
            }
            let error = match &event {
                Event::Failed(what) | Event::Unreachable(_, what) | Event::ReconnectError(what) => {
                    Some(self.failure.clone().unwrap_or_else(|| timeout(what)))
                }
                _ => None,
            };
            self.tells.push_back(Tell::Machine(event, error));
        }
        has_some
    }

    pub(super) fn timers(&mut self, now: Millis) {
        if self.armed <= now {
            self.armed = NEVER;
        }
        self.machine.handle_timeout(now);
        for link in &mut self.links {
            link.engine.handle_timeout(now);
        }
    }

    fn disarm(&mut self, home: Home, core: &Weak<dyn Timed>) {
        let armed = std::mem::replace(&mut self.armed, NEVER);
        if armed != NEVER {
            home.forget(armed, self.timer, core);
        }
    }

    /// Answers that are owed over a connection that has ended are nobody's.
    fn forget_numbers(&mut self) {
        for number in std::mem::take(&mut self.numbers) {
            super::answers::forget(number);
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let myself: Weak<dyn Timed> = self.myself.clone();
        self.state.get_mut().disarm(self.home, &myself);
        super::manager::forget(self.raw);
    }
}

impl Timed for Core {
    fn due(self: Arc<Self>, _: Millis) {
        self.enter(State::timers);
    }
}

impl Resident for Core {
    fn loop_shuts_down(&self) {
        self.call(|state, _| state.machine.set_reconnection(false));
    }

    fn loop_ended(self: Arc<Self>) {
        self.enter(|state, now| {
            state.has_ended = true;
            state.is_resident = false;
            state.machine.abandon(now);
            state.links.clear();
        });
    }
}

pub(super) fn sent(is_over: bool) -> Sent {
    if is_over { Sent::OverMark } else { Sent::Queued }
}

/// An attempt that has taken too long fails without an error of its own.
fn timeout(what: &str) -> Error {
    Error::new(ErrorCode::HandshakeTimeout, what.to_owned())
}

fn settings(options: &ManagerOptions) -> Settings {
    let reconnection = &options.reconnection;
    Settings {
        reconnection: reconnection.enabled,
        attempts: reconnection.attempts,
        delay: millis(reconnection.delay),
        delay_max: millis(reconnection.delay_max),
        randomization_factor: reconnection.randomization_factor,
        timeout: options.timeout.map(millis),
        max_waiting: match options.send_buffer {
            0 => usize::MAX,
            limit => limit,
        },
    }
}

/// Engine.IO has pings and reconnection of its own, and what waits is looked at before a message is taken.
fn for_connections(given: &ClientOptions) -> ClientOptions {
    let mut options = ClientOptions {
        reconnect: None,
        max_redirects: 0,
        socket: None,
        user_data: 0,
        ..given.clone()
    };
    options.settings.ping_interval = std::time::Duration::ZERO;
    options.settings.hard_limit = 0;
    options.settings.slow_consumer = SlowConsumer::Error;
    options.settings.message_parts = false;
    options
}

/// From 0 to below 1. Without randomness all clients wait the same, which is no worse than that.
fn random() -> f64 {
    let bits = getrandom::u64().unwrap_or_default() >> 11;
    bits as f64 / (1u64 << 53) as f64
}
