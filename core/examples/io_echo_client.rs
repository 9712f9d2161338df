//! Sends COUNT events `msg` to a Socket.IO server, 16 at a time, and checks their acknowledgements:
//! `cargo run --release --example io_echo_client -- URL COUNT [polling|websocket|msgpack]`

use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use sockline::io::{
    AckResult, ClientHandler, ClientReason, ClientSocket, ConnectError, EmitOptions, ManagerOptions,
    ParserKind, SocketOptions, Transport, connect,
};
use sockline::{Loop, LoopOptions};

const PIPELINE: u64 = 16;

struct Client {
    count: u64,
    sent: AtomicU64,
    answered: AtomicU64,
    began: Mutex<Option<Instant>>,
    on_loop: Arc<Loop>,
}

impl Client {
    fn end_if_done(&self, socket: &ClientSocket) {
        if self.answered.load(Ordering::Relaxed) < self.count {
            return;
        }
        let took = self.began.lock().map(|began| began.elapsed()).unwrap_or_default();
        let took = took.as_secs_f64();
        let rate = self.count as f64 / took.max(1e-9);
        println!("{} events in {took:.3} s: {rate:.0} events/s", self.count);
        socket.disconnect();
        self.on_loop.stop();
    }

    fn send(&self, socket: &ClientSocket) {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        if number >= self.count {
            return;
        }
        let options = EmitOptions {
            ack: Some(number),
            ..EmitOptions::default()
        };
        if let Err(error) = socket.emit("msg", &text(number), &[], &options) {
            give_up(&error.to_string());
        }
    }
}

fn text(number: u64) -> String {
    format!("\"message number {number}\"")
}

fn give_up(why: &str) {
    eprintln!("io_echo_client: {why}");
    exit(1);
}

impl ClientHandler for Client {
    fn on_connect(&self, socket: &ClientSocket) {
        *self.began.lock() = Some(Instant::now());
        (0..PIPELINE).for_each(|_| self.send(socket));
        self.end_if_done(socket);
    }

    fn on_connect_error(&self, _: &ClientSocket, error: ConnectError<'_>) {
        let more = error.error.map(ToString::to_string).unwrap_or_default();
        give_up(&format!("can't connect: {} {more}", error.message));
    }

    fn on_ack(&self, socket: &ClientSocket, token: u64, result: AckResult<'_>) {
        match result {
            AckResult::Answered { args, .. } if args == text(token) => {}
            other => give_up(&format!("{token} was answered {other:?}")),
        }
        self.send(socket);
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.end_if_done(socket);
    }

    fn on_disconnect(&self, _: &ClientSocket, reason: ClientReason, detail: &str) {
        if reason != ClientReason::IoClientDisconnect {
            give_up(&format!("{} {detail}", reason.as_str()));
        }
    }
}

fn main() {
    let mut words = std::env::args().skip(1);
    let (Some(url), Some(count)) = (words.next(), words.next().and_then(|word| word.parse().ok())) else {
        eprintln!("usage: io_echo_client URL COUNT [polling|websocket|msgpack]");
        exit(2);
    };
    let mut options = ManagerOptions::default();
    match words.next().as_deref() {
        Some("polling") => options.transports = vec![Transport::Polling],
        Some("websocket") => options.transports = vec![Transport::WebSocket],
        Some("msgpack") => options.parser = ParserKind::Msgpack,
        _ => {}
    }
    let on_loop = Arc::new(Loop::new(LoopOptions::default()).unwrap());
    let client = Client {
        count,
        sent: AtomicU64::new(0),
        answered: AtomicU64::new(0),
        began: Mutex::new(None),
        on_loop: on_loop.clone(),
    };
    let socket = connect(
        Some(&on_loop),
        &url,
        options,
        SocketOptions::default(),
        Arc::new(client),
    );
    let _socket = socket.unwrap();
    on_loop.run().unwrap();
}
