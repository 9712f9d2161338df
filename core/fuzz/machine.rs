//! Two machines of ours, a wire between them, and any sequence of calls, deliveries and times: what one sends the
//! other hears, in order and once, and the states only go forward. Included by the fuzz target and by the tests.

use std::collections::VecDeque;

use sockline::ws::{
    Agreement, Compression, Config, Connection, Event, MessageType, Millis, ProtocolError, ReadyState, Role,
    Scratch, SendError,
};

/// Plays what a file of the corpus says: a byte for what was agreed on, then a byte for what to do and one for how much,
/// again and again.
pub fn play_input(input: &[u8]) {
    let Some((agreed, steps)) = input.split_first() else {
        return;
    };
    let mut play = Play::new(*agreed);
    for step in steps.chunks_exact(2) {
        play.step(step[0], step[1]);
    }
    play.deliver_the_rest();
}

/// The lowest bit says whether messages are compressed, the others how.
fn machine(role: Role, agreed: u8) -> Connection {
    let bit = |n: u8| agreed >> n & 1 == 1;
    if !bit(0) {
        return Connection::new(role, 0);
    }
    let bits = if bit(3) { 9 } else { 15 };
    let agreement = Agreement {
        server_no_context_takeover: bit(1),
        client_no_context_takeover: bit(2),
        server_max_window_bits: Some(bits),
        client_max_window_bits: bit(4).then_some(bits),
    };
    let wanted = Compression {
        threshold: if bit(5) { 0 } else { 20 },
        ..Compression::client()
    };
    Connection::with_deflate(role, 0, &agreement, &wanted)
}

const LIMIT: usize = 600;

fn config() -> Config {
    Config {
        max_message: LIMIT,
        max_fragments: 0,
        answer_pings: true,
        message_parts: false,
        ping_interval: 50,
        ping_timeout: 40,
        close_timeout: 30,
    }
}

/// What the other side has to hear next.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sent {
    Message(MessageType, Vec<u8>),
    Ping(Vec<u8>),
    /// Asked for by the application.
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

struct End {
    machine: Connection,
    scratch: Scratch,
    /// What it has sent and the wire has not delivered.
    wire: VecDeque<u8>,
    /// The same as what it stands for.
    sent: VecDeque<Sent>,
    state: ReadyState,
    /// The transport is at its end.
    over: bool,
}

struct Play {
    ends: [End; 2],
    now: Millis,
    /// The ends take turns with two scratches, as if each had been used by others.
    swaps: bool,
    /// A foreign byte came in: from then on either end may fail for its sake.
    disturbed: bool,
    counter: u8,
}

impl End {
    fn new(role: Role, agreed: u8) -> End {
        End {
            machine: machine(role, agreed),
            scratch: Scratch::new(),
            wire: VecDeque::new(),
            sent: VecDeque::new(),
            state: ReadyState::Open,
            over: false,
        }
    }
}

impl Play {
    fn new(agreed: u8) -> Play {
        Play {
            ends: [End::new(Role::Client, agreed), End::new(Role::Server, agreed)],
            now: 0,
            swaps: agreed >> 6 & 1 == 1,
            disturbed: false,
            counter: 0,
        }
    }

    fn step(&mut self, what: u8, amount: u8) {
        let who = usize::from(what & 1);
        if self.swaps {
            let [client, server] = &mut self.ends;
            std::mem::swap(&mut client.scratch, &mut server.scratch);
        }
        match what >> 1 & 15 {
            0 => self.send(who, MessageType::Text, usize::from(amount), None),
            1 => self.send(who, MessageType::Text, usize::from(amount), Some(amount & 1 == 1)),
            2 => self.send(who, MessageType::Binary, usize::from(amount), None),
            3 => self.send(who, MessageType::Binary, usize::from(amount) * 4, None),
            4 => self.control(who, amount, true),
            5 => self.control(who, amount, false),
            6 => self.close(who, amount),
            7..=9 => self.deliver(who, usize::from(amount)),
            10 => self.deliver(who, usize::MAX),
            11 | 12 => self.pass(Millis::from(amount)),
            13 if amount & 1 == 0 => self.ends[who].machine.suspend_liveness(),
            13 => self.ends[who].machine.resume_liveness(self.now),
            14 if amount > 250 => self.eof(who),
            14 => self.pass(1),
            _ if amount & 0xf0 == 0xf0 => self.disturb(who, amount),
            _ => self.deliver(who, 1),
        }
        self.check();
    }

    /// A call of the application at one end: what it appends goes onto the wire.
    fn call<T>(
        &mut self,
        who: usize,
        act: impl FnOnce(&mut Connection, Millis, &mut Scratch, &mut Vec<u8>) -> T,
    ) -> T {
        let end = &mut self.ends[who];
        let (mut out, closed) = (Vec::new(), end.machine.close_sent());
        let result = act(&mut end.machine, self.now, &mut end.scratch, &mut out);
        assert!(!closed || out.is_empty(), "something follows a close frame");
        if !end.over {
            end.wire.extend(out);
        }
        result
    }

    fn send(&mut self, who: usize, kind: MessageType, length: usize, compress: Option<bool>) {
        self.counter = self.counter.wrapping_add(1);
        let payload = match kind {
            MessageType::Text => "aß€😀".repeat(length / 10).into_bytes(),
            MessageType::Binary => noise(self.counter, length),
        };
        let open = self.ends[who].state == ReadyState::Open;
        let result = self.call(who, |machine, _, scratch, out| match compress {
            None => machine.send(kind, &payload, scratch, out),
            Some(_) => machine.send_with(kind, &payload, compress, scratch, out),
        });
        assert_eq!(result, if open { Ok(()) } else { Err(SendError::NotOpen) });
        if open {
            self.ends[who].sent.push_back(Sent::Message(kind, payload));
        }
    }

    fn control(&mut self, who: usize, amount: u8, ping: bool) {
        let payload = vec![amount; usize::from(amount)];
        let open = self.ends[who].state == ReadyState::Open;
        let result = self.call(who, |machine, now, scratch, out| match ping {
            true => machine.ping(&payload, now, scratch, out),
            false => machine.pong(&payload, scratch, out),
        });
        match result {
            Err(SendError::ControlTooLong(length)) => assert!(length > 125),
            Err(SendError::NotOpen) => assert!(!open),
            Err(error) => panic!("{error}"),
            Ok(()) => {
                assert!(open && payload.len() <= 125);
                self.ends[who].sent.push_back(if ping {
                    Sent::Ping(payload)
                } else {
                    Sent::Pong(payload)
                });
            }
        }
    }

    fn close(&mut self, who: usize, amount: u8) {
        let (code, reason) = match amount % 4 {
            0 => (None, String::new()),
            1 => (Some(1000), "fertig: ß".to_owned()),
            2 => (
                Some(3000 + u16::from(amount)),
                "x".repeat(usize::from(amount / 2).min(123)),
            ),
            _ => (Some(1000 + u16::from(amount)), String::new()),
        };
        let open = self.ends[who].state == ReadyState::Open;
        let valid = code.is_none_or(sockline::ws::is_sendable_close_code);
        let result = self.call(who, |machine, now, scratch, out| {
            machine.close(code, &reason, now, &config(), scratch, out)
        });
        assert_eq!(result.is_ok(), valid, "{result:?}");
        if open && valid {
            self.ends[who].sent.push_back(Sent::Close(code, reason));
        }
    }

    /// Lets so many bytes that `who` has sent arrive at the other end.
    fn deliver(&mut self, who: usize, count: usize) {
        let count = count.min(self.ends[who].wire.len());
        let mut bytes: Vec<u8> = self.ends[who].wire.drain(..count).collect();
        let mut input = bytes.as_mut_slice();
        while !input.is_empty() && !self.ends[1 - who].over {
            let (now, mut out) = (self.now, Vec::new());
            let end = &mut self.ends[1 - who];
            let was_closed = end.machine.close_sent();
            let received = end
                .machine
                .receive(input, now, &config(), &mut end.scratch, &mut out);
            assert!(received.consumed > 0, "no progress");
            assert!(!was_closed || out.is_empty(), "something follows a close frame");
            let (consumed, event) = (received.consumed, received.event.map(Heard::from));
            input = &mut input[consumed..];
            self.answered(1 - who, &event, &out);
            self.ends[1 - who].wire.extend(out);
            if let Some(event) = event {
                self.heard(who, event);
            }
            self.check();
        }
    }

    /// What a machine sends by itself is on the wire too, in its place.
    fn answered(&mut self, who: usize, event: &Option<Heard>, out: &[u8]) {
        match event {
            Some(Heard::Ping(payload)) if !out.is_empty() => {
                self.ends[who].sent.push_back(Sent::Pong(payload.clone()));
            }
            Some(Heard::Close(code, reason)) if !out.is_empty() => {
                self.ends[who].sent.push_back(Sent::Close(*code, reason.clone()));
            }
            Some(Heard::Failed(_)) => {}
            _ => assert!(out.is_empty(), "an answer to what asks for none"),
        }
    }

    /// The other end has heard this from `who`.
    fn heard(&mut self, who: usize, event: Heard) {
        if self.disturbed {
            return;
        }
        let expected = self.ends[who].sent.pop_front();
        match (event, expected) {
            (Heard::Failed(ProtocolError::MessageTooBig { .. }), Some(Sent::Message(_, payload))) => {
                assert!(payload.len() > LIMIT);
                self.disturbed = true; // the end of what can be told about this connection
            }
            (Heard::Message(kind, payload), Some(Sent::Message(expected, sent))) => {
                assert!((kind, &payload) == (expected, &sent) && payload.len() <= LIMIT);
            }
            (Heard::Ping(payload), Some(Sent::Ping(sent))) => assert_eq!(payload, sent),
            (Heard::Pong(payload), Some(Sent::Pong(sent))) => assert_eq!(payload, sent),
            (Heard::Close(code, reason), Some(Sent::Close(sent, why))) => {
                let sent = if why.is_empty() { sent } else { sent.or(Some(1000)) };
                assert_eq!((code, reason), (sent, why));
            }
            (event, expected) => panic!("{event:?} instead of {expected:?}"),
        }
    }

    fn pass(&mut self, millis: Millis) {
        self.now += millis;
        for who in 0..2 {
            let (now, end) = (self.now, &mut self.ends[who]);
            let (mut out, was_closed) = (Vec::new(), end.machine.close_sent());
            let due = end.machine.next_timeout(&config());
            let timeout = end
                .machine
                .handle_timeout(now, &config(), &mut end.scratch, &mut out);
            let acted = timeout.is_some() || !out.is_empty();
            assert!(!acted || due.is_some_and(|due| due <= now), "before its time");
            assert!(!was_closed || out.is_empty(), "something follows a close frame");
            if let Some(next) = end.machine.next_timeout(&config()) {
                assert!(next > now, "a loop would turn on the spot");
            }
            if !out.is_empty() && !end.over {
                end.sent
                    .push_back(Sent::Ping(own_payload(end.machine.role(), &out)));
                end.wire.extend(out);
            }
            if timeout.is_some() {
                assert_eq!(end.machine.ready_state(), ReadyState::Closed);
                end.over = true;
            }
        }
        self.check();
    }

    fn eof(&mut self, who: usize) {
        self.ends[who].machine.eof();
        self.ends[who].over = true;
        assert_eq!(self.ends[who].machine.ready_state(), ReadyState::Closed);
    }

    /// A byte that nobody sent.
    fn disturb(&mut self, who: usize, byte: u8) {
        self.disturbed = true;
        self.ends[who].wire.push_back(byte);
    }

    fn check(&mut self) {
        for end in &mut self.ends {
            let state = end.machine.ready_state();
            assert!(
                state as i32 >= end.state as i32,
                "{state:?} after {:?}",
                end.state
            );
            end.state = state;
            let closing = end.machine.close_sent() || end.machine.close_received();
            match state {
                ReadyState::Open => assert!(!closing),
                ReadyState::Closing => assert!(end.machine.close_sent()),
                _ => assert_eq!(end.machine.next_timeout(&config()), None),
            }
        }
    }

    /// At last all arrives, and both ends agree on whether they have closed.
    fn deliver_the_rest(&mut self) {
        while self.ends.iter().any(|end| !end.wire.is_empty()) {
            self.deliver(0, usize::MAX);
            self.deliver(1, usize::MAX);
        }
        let [client, server] = &self.ends;
        if self.disturbed || client.over || server.over {
            return;
        }
        assert!(
            client.sent.is_empty() && server.sent.is_empty(),
            "something was lost"
        );
        assert_eq!(client.machine.close_sent(), server.machine.close_received());
        assert_eq!(client.machine.close_received(), server.machine.close_sent());
        assert_eq!(client.machine.close_sent(), client.machine.close_received());
    }
}

/// Bytes that hardly compress, others each time.
fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut state = u32::from(seed) | 0x100;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..length).map(next).collect()
}

/// The payload of a whole control frame of a machine's own.
fn own_payload(role: Role, frame: &[u8]) -> Vec<u8> {
    match role {
        Role::Server => frame[2..].to_vec(),
        Role::Client => {
            let mask = frame[2..6].iter().cycle();
            frame[6..]
                .iter()
                .zip(mask)
                .map(|(byte, mask)| byte ^ mask)
                .collect()
        }
    }
}

/// An event that owns what it brought.
#[derive(Debug)]
enum Heard {
    Message(MessageType, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Failed(ProtocolError),
}

impl From<Event<'_>> for Heard {
    fn from(event: Event<'_>) -> Heard {
        match event {
            Event::Message { kind, payload } => {
                let text = std::str::from_utf8(&payload);
                assert!(kind == MessageType::Binary || text.is_ok(), "text that is none");
                Heard::Message(kind, payload.to_vec())
            }
            Event::Part { .. } => unreachable!("parts were not asked for"),
            Event::Ping(payload) => Heard::Ping(payload.to_vec()),
            Event::Pong { payload, .. } => Heard::Pong(payload.to_vec()),
            Event::Close { code, reason } => Heard::Close(
                code,
                String::from_utf8(reason.to_vec()).expect("a reason is text"),
            ),
            Event::Failed(error) => Heard::Failed(error),
        }
    }
}
