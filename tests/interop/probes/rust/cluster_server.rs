//! A Socket.IO server of the interop tests that is one of a cluster, in Rust: `cluster_server PORT [msgpack] [recovery]`. What
//! its environment and its events say is told in `tests/interop/peers/README.md`.

use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sockline::adapter::redis::{Emitter, Redis, RedisMode, RedisOptions};
use sockline::io::{self, Ack, BroadcastOperator, Event, Handler, Namespace, ParserKind, Socket};
use sockline::{Address, Loop, LoopOptions, Result, ServerOptions, listen};

struct Node {
    name: String,
    emitter: Emitter,
}

impl Handler for Node {
    fn on_connection(&self, socket: &Socket) {
        let auth: Value = serde_json::from_str(socket.auth()).unwrap_or_default();
        socket.set_data_json(&json!({ "name": auth["name"] }).to_string());
    }

    fn on_event(&self, socket: &Socket, event: Event<'_>) {
        if let Err(error) = self.hear(socket, event) {
            eprintln!("cluster_server: {error}");
        }
    }

    fn on_broadcast_ack(&self, _: &Namespace, token: u64, acks: io::BroadcastAcks<'_>) {
        let note = if acks.timed_out { "partial" } else { "complete" };
        let Ok(ack) = Ack::from_raw(token) else { return };
        answer(ack, list(acks.responses), note);
    }

    fn on_server_side_emit(&self, namespace: &Namespace, event: io::ServerEvent<'_>) {
        let attachments = slices(event.attachments);
        let args = with_first(&self.name, event.args);
        let done = match (&*event.name, event.ack) {
            ("hello", _) => namespace.all().local().emit("heard", &args, &attachments),
            ("who", Some(ack)) => ack.send(&format!("[{args}]"), &attachments),
            _ => Ok(()),
        };
        if let Err(error) = done {
            eprintln!("cluster_server: {error}");
        }
    }
}

impl Node {
    fn hear(&self, socket: &Socket, event: Event<'_>) -> Result<()> {
        let args = Arguments::new(event.args);
        let namespace = socket.namespace();
        match (event.name.strip_prefix("emitter-"), event.ack) {
            (Some(order), _) => self.have_emitter(order, namespace, &args, &slices(event.attachments)),
            (None, None) => order(&event.name, namespace, &args, &slices(event.attachments)),
            (None, Some(ack)) if event.name.starts_with("do-") => {
                ask(&event.name, namespace, &args, &slices(event.attachments), ack)
            }
            (None, Some(ack)) => self.answer(&event.name, socket, &args, ack),
        }
    }

    fn answer(&self, name: &str, socket: &Socket, args: &Arguments, ack: Ack) -> Result<()> {
        let mut answer = String::new();
        match name {
            "node" => {
                let (pid, recovered) = (std::process::id(), socket.recovered());
                answer = json!({ "name": self.name, "pid": pid, "recovered": recovered }).to_string();
            }
            "join" => socket.join(&args.words(0)),
            _ => {}
        }
        ack.send(&answer, &[]).map(drop)
    }

    fn have_emitter(
        &self,
        order: &str,
        namespace: &Namespace,
        args: &Arguments,
        attachments: &[&[u8]],
    ) -> Result<()> {
        let emitter = self.emitter.of(namespace.name());
        let whom = emitter.all().to_all(&args.words(0)).except_all(&args.words(1));
        match order {
            "broadcast" => whom.emit("said", &args.from(2), attachments)?,
            "join" => whom.sockets_join(&args.words(2)),
            "leave" => whom.sockets_leave(&args.words(2)),
            "disconnect" => whom.disconnect_sockets(args.is_true(2)),
            "server-emit" => emitter.server_side_emit("hello", &args.from(0), attachments)?,
            _ => {}
        }
        Ok(())
    }
}

fn order(name: &str, namespace: &Namespace, args: &Arguments, attachments: &[&[u8]]) -> Result<()> {
    let whom = args.whom(namespace);
    match name {
        "do-broadcast" => whom.emit("said", &args.from(2), attachments)?,
        "do-local" => whom.local().emit("said", &args.from(2), attachments)?,
        "do-join" => whom.sockets_join(&args.words(2)),
        "do-leave" => whom.sockets_leave(&args.words(2)),
        "do-disconnect" => whom.disconnect_sockets(args.is_true(2)),
        "do-server-emit" => namespace.server_side_emit("hello", &args.from(0), attachments)?,
        _ => {}
    }
    Ok(())
}

fn ask(name: &str, namespace: &Namespace, args: &Arguments, attachments: &[&[u8]], ack: Ack) -> Result<()> {
    match name {
        "do-ask" => {
            let time = Duration::from_millis(args.0[2].as_u64().unwrap_or_default());
            let whom = args.whom(namespace).timeout(time);
            whom.emit_with_ack("question", &args.from(3), attachments, ack.into_raw())?;
        }
        "do-fetch" => {
            let whom = args.whom(namespace);
            whom.fetch_sockets(move |found| fetched(ack, found));
        }
        "do-server-ask" => {
            let told = move |answers: Result<io::Answered<Vec<io::AckResponse>>>| match answers {
                Ok(answers) => answer(ack, list(&answers.value), note(answers.missing)),
                Err(_) => answer(ack, nothing(), "failed"),
            };
            namespace.server_side_emit_with_ack("who", &args.from(0), attachments, told)?;
        }
        "do-count" => namespace.server_count(move |count| {
            let _ = ack.send(&count.unwrap_or_default().to_string(), &[]);
        }),
        _ => {}
    }
    Ok(())
}

/// The arguments of an event. Of those that say whom it is for, the first are rooms, the second rooms that are left out.
struct Arguments(Vec<Value>);

impl Arguments {
    fn new(args: &str) -> Arguments {
        Arguments(serde_json::from_str(&format!("[{args}]")).unwrap_or_default())
    }

    fn words(&self, place: usize) -> Vec<&str> {
        self.0
            .get(place)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .split_whitespace()
            .collect()
    }

    fn is_true(&self, place: usize) -> bool {
        self.0.get(place) == Some(&Value::Bool(true))
    }

    fn from(&self, place: usize) -> String {
        let texts: Vec<String> = self.0.iter().skip(place).map(Value::to_string).collect();
        texts.join(",")
    }

    fn whom(&self, namespace: &Namespace) -> BroadcastOperator {
        let whom = self
            .words(0)
            .into_iter()
            .fold(namespace.all(), BroadcastOperator::to);
        self.words(1).into_iter().fold(whom, BroadcastOperator::except)
    }
}

fn slices(attachments: &[bytes::Bytes]) -> Vec<&[u8]> {
    attachments.iter().map(|data| &**data).collect()
}

fn with_first(name: &str, args: &str) -> String {
    let comma = if args.is_empty() { "" } else { "," };
    format!("{}{comma}{args}", Value::from(name))
}

fn note(missing: usize) -> &'static str {
    if missing > 0 { "partial" } else { "complete" }
}

/// First arguments of all answers as one array, whose placeholders point to the attachments of all.
fn list(responses: &[io::AckResponse]) -> (String, Vec<bytes::Bytes>) {
    let (mut values, mut attachments) = (Vec::new(), Vec::new());
    for response in responses {
        let mut args = Arguments::new(&response.args).0;
        let mut first = if args.is_empty() {
            Value::Null
        } else {
            args.swap_remove(0)
        };
        renumber(&mut first, attachments.len());
        values.push(first);
        attachments.extend_from_slice(&response.attachments);
    }
    (Value::from(values).to_string(), attachments)
}

fn renumber(value: &mut Value, by: usize) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| renumber(value, by)),
        Value::Object(members) if members.get("_placeholder") == Some(&Value::Bool(true)) => {
            let number = members["num"].as_u64().unwrap_or_default() + by as u64;
            members.insert("num".into(), number.into());
        }
        Value::Object(members) => members.values_mut().for_each(|value| renumber(value, by)),
        _ => {}
    }
}

fn nothing() -> (String, Vec<bytes::Bytes>) {
    ("[]".to_owned(), Vec::new())
}

fn fetched(ack: Ack, found: Result<io::Answered<Vec<io::SocketDetails>>>) {
    let Ok(found) = found else {
        return answer(ack, nothing(), "failed");
    };
    let sockets = found.value.iter().map(|socket| {
        let rooms: Vec<&String> = socket.rooms.iter().filter(|room| **room != socket.id).collect();
        let data: Value = serde_json::from_str(&socket.data_json).unwrap_or_default();
        json!({ "id": socket.id, "rooms": rooms, "data": data })
    });
    let sockets = Value::from(sockets.collect::<Vec<_>>());
    answer(ack, (sockets.to_string(), Vec::new()), note(found.missing));
}

fn answer(ack: Ack, (list, attachments): (String, Vec<bytes::Bytes>), note: &str) {
    if let Err(error) = ack.send(&format!("{list},\"{note}\""), &slices(&attachments)) {
        eprintln!("cluster_server: {error}");
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let Some(Ok(port)) = words.first().map(|port| port.parse()) else {
        eprintln!("usage: cluster_server PORT [msgpack] [recovery]");
        return ExitCode::from(2);
    };
    match serve(port, &words[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cluster_server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the environment says, which has to.
fn told(name: &str) -> Result<String> {
    let missing = |_| {
        sockline::Error::new(
            sockline::ErrorCode::InvalidArgument,
            format!("${name} is missing"),
        )
    };
    env::var(name).map_err(missing)
}

fn serve(port: u16, words: &[String]) -> Result<()> {
    let says = |wanted: &str| words.iter().any(|word| word == wanted);
    let on_loop = Loop::new(LoopOptions::default())?;
    let redis = Redis::new(redis_options()?, None)?;
    let node = Node {
        name: told("NAME")?,
        emitter: redis.emitter(),
    };
    let options = io::ServerOptions {
        adapter: Some(redis),
        parser: if says("msgpack") {
            ParserKind::Msgpack
        } else {
            ParserKind::Json
        },
        connection_state_recovery: says("recovery").then(io::Recovery::default),
        ask_connecting: false,
        ..io::ServerOptions::default()
    };
    let io = io::Server::new(Some(&on_loop), options, Arc::new(node))?;
    io.of("/admin");
    let mut options = ServerOptions::new(Address::Tcp(String::new(), port));
    options.routes.push(io.route());
    let server = listen(Some(&on_loop), options, None)?;
    if let Some(address) = server.local_address() {
        println!("listening {}", address.port());
    }
    on_loop.run()
}

fn redis_options() -> Result<RedisOptions> {
    let timeout = env::var("REQUESTS_TIMEOUT").ok();
    Ok(RedisOptions {
        mode: match told("MODE")?.as_str() {
            "sharded" => RedisMode::Sharded,
            "streams" => RedisMode::Streams,
            _ => RedisMode::Classic,
        },
        requests_timeout: timeout.and_then(|time| time.parse().ok()).unwrap_or(5_000),
        ..RedisOptions::new(told("ADAPTER")?)
    })
}
