//! `sockline connect`: talks to a WebSocket server.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sockline::{
    CloseEvent, Error, ErrorCode, EventQueue, Loop, LoopOptions, MessageType, Queued, QueuedEvent, Sent,
    WebSocket,
};

use crate::arguments::Connect;
use crate::events::{Desk, Event, Patience};
use crate::failure::{Failure, exit};
use crate::input::Typed;
use crate::options;
use crate::show;
use crate::typed::Order;

/// How much may wait to be shown before the server is no longer read from.
pub(crate) const WAITING_EVENTS: usize = 1024;
pub(crate) const WAITING_BYTES: usize = 4 << 20;
/// Codes that say that all went well.
const GOOD_CODES: [u16; 3] = [1000, 1001, 1005];
const HELP: &str = "\
text is sent, //text sends /text; and:
  /ping [text]            sends a ping, shows the round trip
  /pong [text]            sends a pong that nobody has asked for
  /close [code] [reason]  closes, as Ctrl-C and Ctrl-D do";

pub(crate) fn run(arguments: &Connect) -> Result<i32, Failure> {
    let url = options::url(&arguments.url, "ws");
    let mut client = options::client(&arguments.client, arguments.compress)?;
    client.subprotocols = arguments.subprotocols.clone();
    client.settings.max_message = arguments.max_message;
    client.max_redirects = if arguments.location { 10 } else { 0 };
    let desk = Desk::new(arguments.format.quiet)?;
    let beginning = |error: Error| Failure::beginning(&error);
    let on_loop = Loop::new(LoopOptions::default()).map_err(beginning)?;
    on_loop.start().map_err(beginning)?;
    let queue = EventQueue::new(WAITING_EVENTS, WAITING_BYTES, desk.bell());
    let websocket =
        sockline::connect(Some(&on_loop), &url, client, Some(queue.clone())).map_err(beginning)?;
    let mut session = Session {
        arguments,
        desk,
        queue,
        websocket,
        error: None,
        is_open: false,
        is_over_mark: false,
        leaving: None,
        patience: Patience::new(arguments.wait),
        pings: VecDeque::new(),
    };
    let done = session.run();
    done.map(|code| session.desk.exit_code(code))
}

/// Why we close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    /// There is no more to send, or the user wants to.
    Done,
    Signal(i32),
}

struct Session<'a> {
    arguments: &'a Connect,
    desk: Desk,
    queue: Arc<EventQueue>,
    websocket: WebSocket,
    /// What the core said right before the end.
    error: Option<Error>,
    is_open: bool,
    /// Too much waits to be sent: no lines are taken.
    is_over_mark: bool,
    leaving: Option<Leaving>,
    patience: Patience,
    pings: VecDeque<(Vec<u8>, Instant)>,
}

impl Session<'_> {
    fn run(&mut self) -> Result<i32, Failure> {
        loop {
            let due = self.patience.due().filter(|_| self.leaving.is_none());
            match self.desk.next(due) {
                Event::Bell => {
                    if let Some(Queued::Connection(_, event)) = self.desk.take(&self.queue)
                        && let Some(end) = self.heard(event)
                    {
                        return end;
                    }
                }
                Event::Typed => self.take_lines(),
                Event::Due => {
                    if self.patience.ends(self.websocket.buffered_amount() > 0) {
                        self.leave(Leaving::Done);
                    }
                }
                Event::Signal(signal) if self.leaving.is_some() => return Ok(exit::SIGNAL + signal),
                Event::Signal(signal) => self.leave(Leaving::Signal(signal)),
                Event::Broken => {
                    self.leave(Leaving::Done);
                    self.wait_for_the_end();
                    return Ok(exit::DONE);
                }
            }
        }
    }

    /// What the connection says; the last event has the end.
    fn heard(&mut self, event: QueuedEvent) -> Option<Result<i32, Failure>> {
        self.patience.stir();
        match event {
            QueuedEvent::Open => self.opened(),
            QueuedEvent::Message(kind, data) => self.show(kind, &data),
            QueuedEvent::Ping(data) if self.arguments.verbose => {
                let text = format!("ping{}", payload(&data));
                self.desk.screen.notice(&text);
            }
            QueuedEvent::Pong(data) => self.ponged(&data),
            QueuedEvent::Drain => {
                self.is_over_mark = false;
                self.take_lines();
            }
            QueuedEvent::Error(error) => self.error = Some(error),
            QueuedEvent::Close(event) => return Some(self.closed(&event)),
            _ => {}
        }
        None
    }

    fn opened(&mut self) {
        self.is_open = true;
        let ws = self.websocket;
        let screen = &mut self.desk.screen;
        let mut text = format!("connected to {}", show::text(&ws.url()));
        let agreed: Vec<String> = [ws.protocol(), ws.extensions()]
            .into_iter()
            .filter(|agreed| !agreed.is_empty())
            .collect();
        if !agreed.is_empty() {
            text.push_str(&format!(" ({})", show::text(&agreed.join(", "))));
        }
        screen.notice(&text);
        if self.arguments.verbose {
            self.say_timings();
            for (name, value) in ws.response_headers() {
                let line = format!("  {name}: {}", String::from_utf8_lossy(&value));
                self.desk.screen.notice(&show::text(&line));
            }
        }
        if self.arguments.tls || self.arguments.verbose {
            self.say_tls();
        }
        if self.leaving.is_none() {
            self.desk.read_lines(&self.arguments.execute);
        }
    }

    fn say_timings(&mut self) {
        let ws = self.websocket;
        let timings = ws.timings();
        let steps = [
            ("name", timings.dns),
            ("TCP", timings.tcp),
            ("proxy", timings.proxy),
            ("TLS", timings.tls),
            ("upgrade", timings.upgrade),
        ];
        let taken: Vec<String> = steps
            .iter()
            .filter_map(|(step, time)| Some(format!("{step} {}", show::duration((*time)?))))
            .collect();
        let total: Duration = steps.iter().filter_map(|(_, time)| *time).sum();
        let from = ws
            .remote_address()
            .map_or(String::new(), |address| format!(", {address}"));
        let line = format!("  {} in all: {}{from}", show::duration(total), taken.join(", "));
        self.desk.screen.notice(&line);
    }

    fn say_tls(&mut self) {
        let Some(info) = self.websocket.tls() else {
            if self.arguments.tls {
                self.desk
                    .screen
                    .notice("  no TLS: everybody in between can read and change all");
            }
            return;
        };
        for (name, value) in show::tls(&info) {
            self.desk.screen.notice(&format!("  {name:<15}{value}"));
        }
    }

    fn show(&mut self, kind: MessageType, data: &[u8]) {
        let screen = &mut self.desk.screen;
        let paint = screen.paint();
        let format = &self.arguments.format;
        let text = show::message(kind, data, format, screen.is_terminal(), paint);
        match screen.is_terminal() {
            true => screen.message(&marked(&paint.received("<").to_string(), &text)),
            false => screen.message(&text),
        }
    }

    fn ponged(&mut self, data: &[u8]) {
        // A pong may stand for earlier pings, too (RFC 6455 §5.5.3).
        let found = self.pings.iter().position(|(sent, _)| sent == data);
        let text = match found.and_then(|at| self.pings.drain(..=at).next_back()) {
            Some((_, since)) => {
                format!("pong{} after {}", payload(data), show::duration(since.elapsed()))
            }
            None if self.arguments.verbose => format!("pong{}, which nobody asked for", payload(data)),
            None => return,
        };
        self.desk.screen.notice(&text);
    }

    fn closed(&mut self, event: &CloseEvent) -> Result<i32, Failure> {
        if !self.is_open {
            return match (&self.error, self.leaving) {
                (_, Some(Leaving::Signal(signal))) => Ok(exit::SIGNAL + signal),
                (Some(error), _) => Err(Failure::beginning(error)),
                (None, _) => Err(Failure::new(exit::NOT_CONNECTED, "no connection was made")),
            };
        }
        let ending = show::ending(event.code, &event.reason);
        match (self.leaving, &self.error) {
            (Some(Leaving::Signal(signal)), _) => {
                self.desk.screen.notice(&format!("closed: {ending}"));
                Ok(exit::SIGNAL + signal)
            }
            (_, Some(error)) => Err(Failure::losing(error)),
            (Some(_), None) => {
                self.desk.screen.notice(&format!("closed: {ending}"));
                Ok(exit::DONE)
            }
            (None, None) if GOOD_CODES.contains(&event.code) => {
                self.desk
                    .screen
                    .notice(&format!("closed by the server: {ending}"));
                Ok(exit::DONE)
            }
            (None, None) => {
                let text = match event.code {
                    1006 => "the connection was lost: it ended without a close frame".to_owned(),
                    _ => format!("closed by the server: {ending}"),
                };
                Err(Failure::new(exit::LOST, text))
            }
        }
    }

    fn take_lines(&mut self) {
        while !self.is_over_mark && self.leaving.is_none() {
            match self.desk.input.next() {
                Some(Typed::Line(line)) => self.typed(&line),
                Some(Typed::NoText(number)) => self.desk.not_sent(number),
                Some(Typed::Leave) => self.leave(Leaving::Done),
                Some(Typed::End) => self.patience.begin(),
                None => return,
            }
        }
    }

    fn typed(&mut self, line: &str) {
        let order = self.desk.order(line, self.arguments.slash);
        let done = order.and_then(|order| self.obey(order));
        if let Err(text) = done {
            self.desk.not_obeyed(&text);
        }
    }

    fn obey(&mut self, order: Order<'_>) -> Result<(), String> {
        match order {
            Order::Send(text) => return self.send(text),
            Order::Ping(text) => {
                if unless_ended(self.websocket.ping(text.as_bytes()))?.is_some() {
                    self.pings.push_back((text.as_bytes().to_vec(), Instant::now()));
                }
            }
            Order::Pong(text) => {
                unless_ended(self.websocket.pong(text.as_bytes()))?;
            }
            Order::Close(code, reason) => {
                unless_ended(self.websocket.close(code, reason))?;
                self.leaving = Some(Leaving::Done);
            }
            Order::Help | Order::List => self.desk.screen.notice(HELP),
            Order::Nothing => {}
        }
        Ok(())
    }

    fn send(&mut self, text: &str) -> Result<(), String> {
        let sent = match self.arguments.format.binary {
            Some(coding) => self.websocket.send_binary(&show::bytes(text, coding)?),
            None => self.websocket.send_text(text),
        };
        if unless_ended(sent)? == Some(Sent::OverMark) {
            self.is_over_mark = true;
        }
        Ok(())
    }

    fn leave(&mut self, why: Leaving) {
        self.leaving.get_or_insert(why);
        let _ = self.websocket.close(Some(1000), ""); // it may be closed already
    }

    /// Until the closing handshake is done, which takes [`options::CLOSE_TIMEOUT`] at most.
    fn wait_for_the_end(&mut self) {
        let end = Instant::now() + 2 * options::CLOSE_TIMEOUT;
        self.desk.wait_for(&self.queue, end, |queued| {
            matches!(queued, Queued::Connection(_, QueuedEvent::Close(_)))
        });
    }
}

/// That the connection has ended meanwhile is no fault of a line's: what comes next says why.
fn unless_ended<T>(done: Result<T, Error>) -> Result<Option<T>, String> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if matches!(error.code(), ErrorCode::NotOpen | ErrorCode::Closed) => Ok(None),
        Err(error) => Err(error.text().to_owned()),
    }
}

/// A message behind its mark, its further lines below the first.
pub(crate) fn marked(mark: &str, text: &str) -> String {
    format!("{mark} {}", text.replace('\n', "\n  "))
}

/// What a ping or pong has with it, if it is text.
pub(crate) fn payload(data: &[u8]) -> String {
    match std::str::from_utf8(data) {
        Ok("") => String::new(),
        Ok(text) => format!(" {}", show::text(text)),
        Err(_) => format!(" of {}", show::size(data.len() as u64)),
    }
}
