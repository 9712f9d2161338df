//! `sockline io`: talks to a Socket.IO server.
//!
//! On a terminal events are shown as their names and arguments. Else each line is JSON: an event is its array,
//! `["name",1,2]`, or `{"event":["name",…],"attachments":["AQI="]}` if it has binary values; an answer is
//! `{"ack":"name","args":[…]}`.

mod hearing;

use std::collections::{HashMap, VecDeque};
use std::io::IsTerminal as _;
use std::sync::mpsc::{self, Receiver};

use data_encoding::BASE64;
use serde_json::{Deserializer, Value, json};
use sockline::io::{
    Auth, ClientAck, ClientReason, ClientSocket, EmitOptions, Manager, ManagerOptions, SocketOptions,
};
use sockline::{Error, ErrorCode, Loop, LoopOptions};

use self::hearing::{Heard, Hearer};
use crate::arguments::{Io, Wait};
use crate::connect::marked;
use crate::events::{Desk, Event, Patience};
use crate::failure::{Failure, exit};
use crate::input::Typed;
use crate::options;
use crate::show;

const HELP: &str = "\
emit NAME [JSON…]   sends an event, shows the answer:  emit add 1 2
ack [JSON…]         answers the oldest event that asks for it
disconnect          leaves the namespace; connect comes back
Ctrl-C and Ctrl-D leave";

const URL_HINT: &str = "a URL looks like http://host:port/namespace, or https:// for TLS";

pub(crate) fn run(arguments: &Io) -> Result<i32, Failure> {
    let url = options::url(&arguments.url, "http");
    let namespace = match &arguments.namespace {
        Some(namespace) => namespace.clone(),
        None => path(&url).to_owned(),
    };
    let desk = Desk::new(arguments.quiet)?;
    let beginning = |error: Error| Failure::beginning(&error);
    let on_loop = Loop::new(LoopOptions::default()).map_err(beginning)?;
    on_loop.start().map_err(beginning)?;
    let (hearer, heard) = Hearer::new(desk.bell());
    let settings = ManagerOptions {
        client: options::reach(&arguments.reach)?,
        path: arguments.path.clone(),
        transports: arguments.transports.clone(),
        timeout: Some(arguments.reach.connect_timeout),
        ..ManagerOptions::default()
    };
    let manager = Manager::new(Some(&on_loop), &url, settings, Some(hearer.clone())).map_err(|error| {
        match error.code() {
            ErrorCode::InvalidUrl => Failure::beginning(&error).with_hint(URL_HINT),
            _ => Failure::beginning(&error),
        }
    })?;
    let socket_settings = SocketOptions {
        auth: arguments.auth.clone().map_or(Auth::None, Auth::Json),
        ..SocketOptions::default()
    };
    let socket = manager
        .socket(&namespace, socket_settings, hearer)
        .map_err(beginning)?;
    let stays = arguments.wait == Some(Wait::Forever)
        || (arguments.execute.is_empty() && std::io::stdin().is_terminal());
    let mut session = Session {
        arguments,
        desk,
        manager,
        socket,
        heard,
        stays,
        was_connected: false,
        is_over: false,
        failed_answers: false,
        questions: VecDeque::new(),
        emitted: HashMap::new(),
        token: 0,
        patience: Patience::new(arguments.wait),
        leaving: None,
    };
    let done = session.run().map(|code| session.desk.exit_code(code));
    drop(session);
    // What the server is told at last is on its way.
    on_loop.shutdown(options::CLOSE_TIMEOUT);
    done
}

/// What follows the host, as far as the query.
fn path(url: &str) -> &str {
    let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
    let target = behind.find('/').map_or("/", |at| &behind[at..]);
    target.split(['?', '#']).next().unwrap_or("/")
}

struct Session<'a> {
    arguments: &'a Io,
    desk: Desk,
    manager: Manager,
    socket: ClientSocket,
    heard: Receiver<Heard>,
    /// It comes back when the connection is lost.
    stays: bool,
    was_connected: bool,
    /// There are no more lines.
    is_over: bool,
    /// An answer that was asked for has not come.
    failed_answers: bool,
    /// Events that ask for an answer.
    questions: VecDeque<ClientAck>,
    /// The names of events that wait for an answer.
    emitted: HashMap<u64, String>,
    token: u64,
    patience: Patience,
    leaving: Option<i32>,
}

impl Session<'_> {
    fn run(&mut self) -> Result<i32, Failure> {
        loop {
            match self.desk.next(self.patience.due()) {
                Event::Bell => {
                    if let Ok(heard) = self.heard.try_recv()
                        && let Some(end) = self.hear(heard)
                    {
                        return end;
                    }
                }
                Event::Typed => self.take_lines(),
                Event::Signal(signal) => self.leaving = Some(exit::SIGNAL + signal),
                Event::Due => {
                    if self.patience.ends(self.manager.buffered_amount() > 0) {
                        self.leaving = Some(exit::DONE);
                    }
                }
                Event::Broken => self.leaving = Some(exit::DONE),
            }
            self.see_whether_all_is_done();
            if let Some(code) = self.leaving {
                return Ok(self.leave(code));
            }
        }
    }

    fn hear(&mut self, heard: Heard) -> Option<Result<i32, Failure>> {
        self.patience.stir();
        match heard {
            Heard::Connected => self.connected(),
            Heard::Refused(text, data) => return Some(self.refused(&text, data.as_deref())),
            Heard::Unreachable(error) if !self.was_connected => {
                return Some(Err(Failure::beginning(&error)));
            }
            Heard::Unreachable(error) => self.desk.screen.notice(&format!("can't connect: {error}")),
            Heard::Event(event) => self.show_event(event),
            Heard::Answer(token, answer) => self.show_answer(token, answer),
            Heard::Disconnected(reason, detail) => return self.disconnected(reason, &detail),
            Heard::Notice(text) if self.arguments.verbose => self.desk.screen.notice(&text),
            Heard::Notice(_) => {}
        }
        None
    }

    fn connected(&mut self) {
        let transport = self.manager.transport().map_or("", |transport| transport.name());
        let id = self.socket.id().unwrap_or_default();
        let namespace = self.socket.namespace().to_owned();
        let recovered = if self.socket.recovered() {
            ", recovered"
        } else {
            ""
        };
        let text = format!("connected to {namespace} as {id} over {transport}{recovered}");
        self.desk.screen.notice(&show::text(&text));
        if !self.was_connected {
            self.was_connected = true;
            self.desk.read_lines(&self.arguments.execute);
        }
    }

    fn refused(&mut self, text: &str, data: Option<&str>) -> Result<i32, Failure> {
        let data = data.map_or(String::new(), |data| format!(" {}", show::text(data)));
        let text = format!("the server refused the connection: {}{data}", show::text(text));
        let failure = Failure::new(exit::NOT_CONNECTED, text);
        Err(failure.with_hint("--auth says who you are, --namespace where to"))
    }

    fn disconnected(&mut self, reason: ClientReason, detail: &str) -> Option<Result<i32, Failure>> {
        let detail = match detail {
            "" => String::new(),
            detail => format!(": {}", show::text(detail)),
        };
        let text = format!("disconnected ({}{detail})", reason.as_str());
        if self.socket.active() && self.stays || reason == ClientReason::IoClientDisconnect {
            self.desk.screen.notice(&text);
            return None;
        }
        if reason == ClientReason::IoServerDisconnect {
            self.desk.screen.notice(&text);
            return Some(Ok(exit::DONE));
        }
        Some(Err(Failure::new(exit::LOST, text)))
    }

    fn show_event(&mut self, event: hearing::HeardEvent) {
        let wanted = &self.arguments.events;
        if !wanted.is_empty() && !wanted.contains(&event.name) {
            return;
        }
        let screen = &mut self.desk.screen;
        if !screen.is_terminal() {
            let line = match event.attachments.is_empty() {
                true => event.array,
                false => format!(
                    "{{\"event\":{},{}}}",
                    event.array,
                    attachments(&event.attachments)
                ),
            };
            screen.message(&line);
        } else {
            let paint = screen.paint();
            let name = paint.strong(show::text(&event.name).into_owned()).to_string();
            let mut text = format!("{name} {}", arguments_of(&event.args, self.arguments.json, paint));
            text.push_str(&listed(&event.attachments));
            if event.ack.is_some() {
                text.push_str(&format!(" {}", paint.dim("(asks for an answer: ack [JSON…])")));
            }
            screen.message(&marked(&paint.received("<").to_string(), &text));
        }
        self.questions.extend(event.ack);
    }

    fn show_answer(&mut self, token: u64, answer: hearing::Answer) {
        let Some(name) = self.emitted.remove(&token) else {
            return;
        };
        let screen = &mut self.desk.screen;
        match answer {
            hearing::Answer::Came { args, binary } if !screen.is_terminal() => {
                let more = match binary.is_empty() {
                    true => String::new(),
                    false => format!(",{}", attachments(&binary)),
                };
                screen.message(&format!("{{\"ack\":{},\"args\":[{args}]{more}}}", json!(name)));
            }
            hearing::Answer::Came { args, binary } => {
                let paint = screen.paint();
                let args = arguments_of(&args, self.arguments.json, paint);
                let text = format!(
                    "{} {args}{}",
                    paint.dim(format!("answer to {name}:")),
                    listed(&binary)
                );
                screen.message(&marked(&paint.received("<").to_string(), &text));
            }
            hearing::Answer::Late => {
                self.failed_answers = true;
                let time = show::duration(self.arguments.ack_timeout);
                screen.complaint(&format!("no answer to {} within {time}", show::text(&name)));
            }
            hearing::Answer::Lost => {
                self.failed_answers = true;
                screen.complaint(&format!("no answer to {}: disconnected", show::text(&name)));
            }
        }
    }

    fn take_lines(&mut self) {
        while let Some(typed) = self.desk.input.next() {
            match typed {
                Typed::Line(line) => {
                    if let Err(text) = self.obey(&line) {
                        self.desk.not_obeyed(&text);
                    }
                }
                Typed::NoText(number) => self.desk.not_sent(number),
                Typed::Leave => self.leaving = Some(exit::DONE),
                Typed::End => self.is_over = true,
            }
        }
    }

    fn obey(&mut self, line: &str) -> Result<(), String> {
        let line = line.trim();
        let line = line.strip_prefix('/').unwrap_or(line);
        let (order, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let failed = |error: Error| error.text().to_owned();
        match order {
            "" => {}
            "emit" => return self.emit(rest),
            "ack" => {
                let args = values(rest)?;
                let question = self.questions.pop_front().ok_or("no event asks for an answer")?;
                let _ = question.send(&args, &[]).map_err(failed)?; // queued either way
            }
            "connect" => self.socket.connect().map_err(failed)?,
            "disconnect" => self.socket.disconnect(),
            "help" | "?" => self.desk.screen.notice(HELP),
            _ => {
                let order = show::text(order);
                return Err(format!(
                    "there is no command {order}; emit {order} sends an event, help lists them"
                ));
            }
        }
        Ok(())
    }

    fn emit(&mut self, rest: &str) -> Result<(), String> {
        let rest = rest.trim_start();
        let (name, rest) = event_name(rest)?;
        let args = values(rest)?;
        self.token += 1;
        let settings = EmitOptions {
            ack: (!self.arguments.no_ack).then_some(self.token),
            timeout: Some(self.arguments.ack_timeout),
            ..EmitOptions::default()
        };
        // Queued, or waiting for a connection: an event that is typed need not wait for room.
        let _ = self
            .socket
            .emit(&name, &args, &[], &settings)
            .map_err(|error| match error.code() {
                ErrorCode::Closed => "not connected".to_owned(),
                _ => error.text().to_owned(),
            })?;
        if !self.arguments.no_ack {
            self.emitted.insert(self.token, name);
        }
        Ok(())
    }

    /// When nothing more is to be sent, the answers are waited for, and then the time that was asked for.
    fn see_whether_all_is_done(&mut self) {
        if self.is_over && self.emitted.is_empty() {
            self.patience.begin();
        }
    }

    fn leave(&mut self, code: i32) -> i32 {
        self.manager.set_reconnection(false);
        self.socket.disconnect();
        self.manager.close();
        self.desk.screen.notice("disconnected");
        match code {
            exit::DONE if self.failed_answers => exit::LOST,
            code => code,
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // The loop's thread may wait to tell something: nobody listens any more.
        self.heard = mpsc::sync_channel(0).1;
        self.manager.close();
    }
}

/// JSON values that stand beside each other, as an event has them: with commas between.
fn values(typed: &str) -> Result<String, String> {
    let mut args = String::new();
    let mut stream = Deserializer::from_str(typed).into_iter::<Value>();
    let mut begin = 0;
    while let Some(value) = stream.next() {
        value.map_err(|error| {
            let word = typed[begin..].trim();
            format!(
                "not JSON: {} ({error}); texts are in quotes, as in emit hello \"world\" 1 {{\"a\":true}}",
                show::text(word)
            )
        })?;
        let end = stream.byte_offset();
        if !args.is_empty() {
            args.push(',');
        }
        args.push_str(typed[begin..end].trim());
        begin = end;
    }
    Ok(args)
}

/// An event's name: a word, or a JSON string where it has blanks.
fn event_name(typed: &str) -> Result<(String, &str), String> {
    if typed.starts_with('"') {
        let mut stream = Deserializer::from_str(typed).into_iter::<String>();
        return match stream.next() {
            Some(Ok(name)) => Ok((name, &typed[stream.byte_offset()..])),
            _ => Err("the event's name is not a JSON string".to_owned()),
        };
    }
    let (name, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    match name {
        "" => Err("emit NAME [JSON…]: which event?".to_owned()),
        name => Ok((name.to_owned(), rest)),
    }
}

/// The arguments of an event for people.
fn arguments_of(args: &str, is_pretty: bool, paint: crate::paint::Paint) -> String {
    let array = format!("[{args}]");
    match is_pretty.then(|| show::json::pretty(&array, paint)).flatten() {
        Some(pretty) if !args.is_empty() => pretty,
        _ => show::text(args).into_owned(),
    }
}

/// Binary values below an event.
fn listed(binary: &[Vec<u8>]) -> String {
    let lines = binary.iter().enumerate().map(|(number, data)| {
        let hex: Vec<String> = data.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let more = if data.len() > 16 { " …" } else { "" };
        format!(
            "\nattachment {number}: {}: {}{more}",
            show::size(data.len() as u64),
            hex.join(" ")
        )
    });
    lines.collect()
}

/// Binary values as a member of a JSON object.
fn attachments(binary: &[Vec<u8>]) -> String {
    let coded: Vec<String> = binary.iter().map(|data| BASE64.encode(data)).collect();
    format!("\"attachments\":{}", json!(coded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_json_values_beside_each_other() {
        assert_eq!(values(""), Ok(String::new()));
        assert_eq!(
            values(r#" 1 "a b" {"x": [1, 2]} null "#),
            Ok(r#"1,"a b",{"x": [1, 2]},null"#.to_owned())
        );
        assert!(values("1 world").is_err());
        assert!(values("{").is_err());
    }

    #[test]
    fn names_with_blanks_are_in_quotes() {
        assert_eq!(event_name("hello 1"), Ok(("hello".to_owned(), "1")));
        assert_eq!(event_name("\"a b\" 1"), Ok(("a b".to_owned(), " 1")));
        assert!(event_name("").is_err());
        assert!(event_name("\"a").is_err());
    }

    #[test]
    fn the_path_of_the_url_is_the_namespace() {
        assert_eq!(path("http://h:1/admin?x=/y"), "/admin");
        assert_eq!(path("http://h?x=1"), "/");
        assert_eq!(path("http://h"), "/");
    }
}
