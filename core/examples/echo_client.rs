//! Sends COUNT messages of SIZE bytes, checks the echoes and prints the rate: `echo_client URL COUNT SIZE`.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use sockline::{
    ClientOptions, CloseEvent, Error, Handler, Loop, LoopOptions, Message, Settings, WebSocket, connect,
};

/// At most so many messages are on their way at once.
const IN_FLIGHT: u64 = 64;

struct Client {
    payload: Vec<u8>,
    count: u64,
    sent: AtomicU64,
    received: AtomicU64,
    failed: AtomicBool,
    on_loop: Arc<Loop>,
}

impl Client {
    fn send_more(&self, ws: WebSocket) {
        while self.sent.load(Ordering::Relaxed)
            < self.count.min(self.received.load(Ordering::Relaxed) + IN_FLIGHT)
        {
            if let Err(error) = ws.send_binary(&self.payload) {
                return self.fail(&error.to_string());
            }
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn fail(&self, why: &str) {
        eprintln!("echo_client: {why}");
        self.failed.store(true, Ordering::Relaxed);
        self.on_loop.stop();
    }
}

impl Handler for Client {
    fn on_open(&self, ws: WebSocket) {
        if self.count == 0 {
            let _ = ws.close(Some(1000), "done");
        }
        self.send_more(ws);
    }

    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        if message.as_bytes() != self.payload {
            return self.fail("an echo differs from what was sent");
        }
        if self.received.fetch_add(1, Ordering::Relaxed) + 1 == self.count {
            let _ = ws.close(Some(1000), "done");
        } else {
            self.send_more(ws);
        }
    }

    fn on_error(&self, _: WebSocket, error: &Error) {
        self.fail(error.text());
    }

    fn on_close(&self, _: WebSocket, event: &CloseEvent) {
        let received = self.received.load(Ordering::Relaxed);
        if received < self.count && !self.failed.load(Ordering::Relaxed) {
            self.fail(&format!(
                "closed with {} after {received} of {} echoes",
                event.code, self.count
            ));
        }
        self.on_loop.stop();
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, count, size] = arguments.as_slice() else {
        return usage();
    };
    let (Ok(count), Ok(size)) = (count.parse(), size.parse()) else {
        return usage();
    };
    match run(url, count, size) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("echo_client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: echo_client URL COUNT SIZE");
    ExitCode::from(2)
}

fn run(url: &str, count: u64, size: usize) -> sockline::Result<bool> {
    let on_loop = Arc::new(Loop::new(LoopOptions::default())?);
    let client = Arc::new(Client {
        payload: (0..size).map(|index| index as u8).collect(),
        count,
        sent: AtomicU64::new(0),
        received: AtomicU64::new(0),
        failed: AtomicBool::new(false),
        on_loop: on_loop.clone(),
    });
    let options = ClientOptions {
        settings: Settings {
            max_message: 64 << 20,
            hard_limit: 0,
            ..Settings::client()
        },
        ..ClientOptions::default()
    };
    let start = Instant::now();
    connect(Some(&on_loop), url, options, Some(client.clone()))?;
    on_loop.run()?;
    let seconds = start.elapsed().as_secs_f64();
    if client.failed.load(Ordering::Relaxed) {
        return Ok(false);
    }
    println!(
        "{count} messages of {size} bytes in {seconds:.3} s: {:.0} messages/s",
        count as f64 / seconds
    );
    Ok(true)
}
