//! `sockline listen`: is a WebSocket server, which prints what comes and sends what is typed to all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use sockline::{
    Accept, Address, CloseEvent, Compression, Error, EventQueue, Handler, Loop, LoopOptions, Message,
    MessageType, Queued, QueuedEvent, QueuedUpgrade, Sent, Server, ServerOptions, ServerTls,
    ServerTlsOptions, SlowConsumer, WebSocket,
};

use crate::arguments::Listen;
use crate::connect::{WAITING_BYTES, WAITING_EVENTS, marked, payload};
use crate::events::{Desk, Event};
use crate::failure::{Failure, exit};
use crate::input::Typed;
use crate::options;
use crate::show;
use crate::typed::Order;

const HELP: &str = "\
text is sent to all, //text sends /text; and:
  /ping [text]            pings all, shows the round trips
  /list                   shows who is here
  /close [code] [reason]  closes all connections; Ctrl-C and Ctrl-D end the server";

pub(crate) fn run(arguments: &Listen) -> Result<i32, Failure> {
    let mut settings = ServerOptions::new(Address::Tcp(arguments.host.clone(), arguments.port));
    settings.path = arguments.path.clone();
    settings.tls = tls(arguments)?;
    settings.settings.max_message = arguments.max_message;
    settings.settings.close_timeout = options::CLOSE_TIMEOUT;
    settings.settings.compression = arguments.compress.then(Compression::server);
    // Who reads its echoes too slowly is closed, in place of missing some.
    settings.settings.slow_consumer = SlowConsumer::Close;
    let desk = Desk::new(arguments.format.quiet)?;
    let beginning = |error: Error| Failure::beginning(&error);
    let on_loop = Loop::new(LoopOptions::default()).map_err(beginning)?;
    on_loop.start().map_err(beginning)?;
    let queue = EventQueue::new(WAITING_EVENTS, WAITING_BYTES, desk.bell());
    settings.server_handler = queue.clone();
    let handler: Arc<dyn Handler> = match arguments.silent && arguments.echo {
        true => Arc::new(Mirror(queue.clone())),
        false => queue.clone(),
    };
    let server = sockline::listen(Some(&on_loop), settings, Some(handler)).map_err(beginning)?;
    let mut hall = Hall {
        arguments,
        desk,
        queue,
        server,
        clients: HashMap::new(),
        last: 0,
        ending: None,
    };
    hall.say_where();
    hall.run()
}

fn tls(arguments: &Listen) -> Result<Option<ServerTls>, Failure> {
    let identity = options::identity(arguments.cert.as_deref(), arguments.key.as_deref())?;
    let Some(identity) = identity else { return Ok(None) };
    let mut settings = ServerTlsOptions::new(vec![identity]);
    if let Some(path) = &arguments.ca {
        settings.client_ca = vec![options::read(path)?];
        settings.require_client_certificate = true;
    }
    ServerTls::new(settings)
        .map(Some)
        .map_err(|error| Failure::beginning(&error))
}

/// Sends messages back on the loop's own thread, and tells the command the rest.
struct Mirror(Arc<EventQueue>);

impl Handler for Mirror {
    fn on_open(&self, ws: WebSocket) {
        self.0.on_open(ws);
    }

    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        if let Ok(Sent::OverMark) = ws.send_checked(message.kind(), message.as_bytes()) {
            let _ = ws.pause(); // until it has taken half; it may be ending
        }
    }

    fn on_drain(&self, ws: WebSocket) {
        let _ = ws.resume(); // as above
    }

    fn on_error(&self, ws: WebSocket, error: &Error) {
        self.0.on_error(ws, error);
    }

    fn on_close(&self, ws: WebSocket, event: &CloseEvent) {
        self.0.on_close(ws, event);
    }
}

/// Who is connected.
struct Client {
    number: u64,
    pinged: Option<Instant>,
    error: Option<Error>,
}

struct Hall<'a> {
    arguments: &'a Listen,
    desk: Desk,
    queue: Arc<EventQueue>,
    server: Server,
    clients: HashMap<WebSocket, Client>,
    /// The number of who came last.
    last: u64,
    /// The code to exit with when all are gone.
    ending: Option<i32>,
}

impl Hall<'_> {
    fn say_where(&mut self) {
        let scheme = if self.arguments.cert.is_some() {
            "wss"
        } else {
            "ws"
        };
        let port = self
            .server
            .local_address()
            .map_or(self.arguments.port, |at| at.port());
        let host = match self.arguments.host.as_str() {
            host if host.contains(':') => format!("[{host}]"),
            host => host.to_owned(),
        };
        let path = self.arguments.path.as_deref().unwrap_or_default();
        self.desk
            .screen
            .notice(&format!("listening on {scheme}://{host}:{port}{path}"));
        self.desk.read_lines(&[]);
    }

    fn run(&mut self) -> Result<i32, Failure> {
        loop {
            match self.desk.next(None) {
                Event::Bell => match self.desk.take(&self.queue) {
                    Some(Queued::Connection(ws, event)) => self.heard(ws, event),
                    Some(Queued::ServerClosed(_)) => return Ok(self.ending.unwrap_or(exit::DONE)),
                    None => {}
                },
                Event::Typed => self.take_lines(),
                Event::Signal(signal) if self.ending.is_some() => return Ok(exit::SIGNAL + signal),
                Event::Signal(signal) => self.end(exit::SIGNAL + signal),
                Event::Broken => {
                    self.end(exit::DONE);
                    self.wait_for_the_end();
                    return Ok(exit::DONE);
                }
                Event::Due => {}
            }
        }
    }

    fn heard(&mut self, ws: WebSocket, event: QueuedEvent) {
        match event {
            QueuedEvent::Upgrade(request) => self.answer(ws, &request),
            QueuedEvent::Open => self.opened(ws),
            QueuedEvent::Message(kind, data) => self.came(ws, kind, &data),
            QueuedEvent::Ping(data) if self.arguments.verbose => {
                self.say(ws, &format!("ping{}", payload(&data)));
            }
            QueuedEvent::Pong(data) => {
                let since = self.clients.get_mut(&ws).and_then(|client| client.pinged.take());
                if let Some(since) = since {
                    let text = format!("pong{} after {}", payload(&data), show::duration(since.elapsed()));
                    self.say(ws, &text);
                }
            }
            QueuedEvent::Error(error) => {
                if let Some(client) = self.clients.get_mut(&ws) {
                    client.error = Some(error);
                }
            }
            QueuedEvent::Close(event) => self.closed(ws, &event),
            _ => {}
        }
    }

    fn answer(&mut self, ws: WebSocket, request: &QueuedUpgrade) {
        if self.arguments.verbose {
            let from = request
                .remote_address()
                .map_or(String::new(), |from| format!(" from {from}"));
            let mut text = format!("request for {}{from}", request.target());
            for (name, value) in request.headers() {
                text.push_str(&format!("\n  {name}: {}", String::from_utf8_lossy(value)));
            }
            self.desk.screen.notice(&show::text(&text));
        }
        let offered = request.subprotocols();
        let agreed = self.arguments.subprotocols.iter();
        let agreed = agreed.into_iter().find(|name| offered.contains(&name.as_str()));
        let _ = ws.accept(Accept {
            subprotocol: agreed.cloned(),
            ..Accept::default()
        }); // it may have gone
    }

    fn opened(&mut self, ws: WebSocket) {
        self.last += 1;
        let client = Client {
            number: self.last,
            pinged: None,
            error: None,
        };
        self.clients.insert(ws, client);
        let mut facts = Vec::new();
        if let Some(address) = ws.remote_address() {
            facts.push(format!("from {address}"));
        }
        facts.push(format!("to {}", ws.url()));
        let agreed = [ws.protocol(), ws.extensions()];
        facts.extend(agreed.into_iter().filter(|agreed| !agreed.is_empty()));
        facts.extend(
            ws.tls()
                .map(|tls| format!("{} {}", tls.version, tls.cipher_suite)),
        );
        self.say(ws, &format!("connected: {}", show::text(&facts.join(", "))));
    }

    fn came(&mut self, ws: WebSocket, kind: MessageType, data: &[u8]) {
        if !self.arguments.silent {
            let mark = self.clients.get(&ws).map_or(0, |client| client.number);
            let screen = &mut self.desk.screen;
            let paint = screen.paint();
            let text = show::message(kind, data, &self.arguments.format, screen.is_terminal(), paint);
            match screen.is_terminal() {
                true => screen.message(&marked(&paint.received(format!("#{mark} <")).to_string(), &text)),
                false => screen.message(&text),
            }
        }
        if self.arguments.echo {
            let _ = ws.send_checked(kind, data); // it may be ending
        }
    }

    fn closed(&mut self, ws: WebSocket, event: &CloseEvent) {
        let ending = show::ending(event.code, &event.reason);
        let error = self.clients.get(&ws).and_then(|client| client.error.clone());
        match error {
            Some(error) => self.say(ws, &format!("lost: {}", show::text(error.text()))),
            None => self.say(ws, &format!("closed: {ending}")),
        }
        self.clients.remove(&ws);
    }

    /// A notice about one connection; of those that never opened there is none.
    fn say(&mut self, ws: WebSocket, text: &str) {
        if let Some(client) = self.clients.get(&ws) {
            self.desk.screen.notice(&format!("#{} {text}", client.number));
        }
    }

    fn take_lines(&mut self) {
        while self.ending.is_none() {
            match self.desk.input.next() {
                Some(Typed::Line(line)) => self.typed(&line),
                Some(Typed::NoText(number)) => self.desk.not_sent(number),
                Some(Typed::Leave) => self.end(exit::DONE),
                // A server goes on without lines to send.
                Some(Typed::End) => {}
                None => return,
            }
        }
    }

    fn typed(&mut self, line: &str) {
        let order = self.desk.order(line, self.arguments.slash);
        let done = order.and_then(|order| self.obey(order));
        if let Err(text) = done {
            self.desk.screen.complaint(&text);
        }
    }

    fn obey(&mut self, order: Order<'_>) -> Result<(), String> {
        let failed = |error: Error| error.text().to_owned();
        match order {
            Order::Send(text) => {
                if self.clients.is_empty() {
                    return Err("nobody is connected".to_owned());
                }
                let sent = match self.arguments.format.binary {
                    Some(coding) => {
                        let data = show::bytes(text, coding)?;
                        self.server.broadcast(MessageType::Binary, &data)
                    }
                    None => self.server.broadcast(MessageType::Text, text.as_bytes()),
                };
                sent.map_err(failed)?;
            }
            Order::Ping(text) => {
                for (ws, client) in &mut self.clients {
                    ws.ping(text.as_bytes()).map_err(failed)?;
                    client.pinged = Some(Instant::now());
                }
            }
            Order::Pong(text) => {
                for ws in self.clients.keys() {
                    ws.pong(text.as_bytes()).map_err(failed)?;
                }
            }
            Order::Close(code, reason) => {
                for ws in self.clients.keys() {
                    ws.close(code, reason).map_err(failed)?;
                }
            }
            Order::List => self.list(),
            Order::Help => self.desk.screen.notice(HELP),
            Order::Nothing => {}
        }
        Ok(())
    }

    fn list(&mut self) {
        let mut here: Vec<(u64, WebSocket)> = self
            .clients
            .iter()
            .map(|(ws, client)| (client.number, *ws))
            .collect();
        here.sort_unstable_by_key(|(number, _)| *number);
        self.desk
            .screen
            .notice(&show::count(here.len() as u64, "connection"));
        for (_, ws) in here {
            let from = ws
                .remote_address()
                .map_or(String::new(), |address| address.to_string());
            let counts = ws.metrics().map_or(String::new(), |counts| {
                let received = show::count(counts.messages_in, "message");
                let sent = show::count(counts.messages_out, "message");
                format!(", {received} received, {sent} sent")
            });
            self.say(ws, &format!("{from}{counts}"));
        }
    }

    /// Begins to end: the others are told, and have some time to answer.
    fn end(&mut self, code: i32) {
        self.ending.get_or_insert(code);
        let _ = self.server.close(Some(1001), ""); // it may have been closed before
    }

    fn wait_for_the_end(&mut self) {
        let end = Instant::now() + 2 * options::CLOSE_TIMEOUT;
        self.desk.wait_for(&self.queue, end, |queued| {
            matches!(queued, Queued::ServerClosed(_))
        });
    }
}
