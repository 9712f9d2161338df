//! sockline's servers for the cases that its example does not serve: `sockline_server PORT deflate`, `PORT takeover`,
//! `PORT tls CERTIFICATE KEY` and `PORT topic`. The servers in C, Node and Python beside the peers do the same.

use std::process::ExitCode;
use std::sync::Arc;

use sockline::{
    Address, Compression, Error, ErrorCode, Handler, Identity, Loop, LoopOptions, Message, ServerOptions,
    ServerTls, ServerTlsOptions, WebSocket, listen,
};

const TOPIC: &str = "news";

struct Echo;

impl Handler for Echo {
    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        if let Err(error) = ws.send_checked(message.kind(), message.as_bytes()) {
            eprintln!("a message was not echoed: {error}");
        }
    }
}

/// Every connection subscribes, and what one sends goes to all.
struct News;

impl Handler for News {
    fn on_open(&self, ws: WebSocket) {
        if let Err(error) = ws.subscribe(TOPIC) {
            eprintln!("not subscribed: {error}");
        }
    }

    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        if let Err(error) = ws.publish(TOPIC, message.kind(), message.as_bytes(), true) {
            eprintln!("a message was not published: {error}");
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (port, mode) = match arguments.as_slice() {
        [port, mode @ ..] => (port.parse().ok(), mode),
        [] => (None, &[][..]),
    };
    let Some(port) = port else { return usage() };
    let served = match mode {
        ["deflate"] => serve(port, Some(Compression::server()), None, Arc::new(Echo)),
        ["takeover"] => serve(port, Some(Compression::client()), None, Arc::new(Echo)),
        ["tls", certificate, key] => {
            tls(certificate, key).and_then(|tls| serve(port, None, Some(tls), Arc::new(Echo)))
        }
        ["topic"] => serve(port, None, None, Arc::new(News)),
        _ => return usage(),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sockline_server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: sockline_server PORT deflate|takeover|topic|tls CERTIFICATE KEY");
    ExitCode::from(2)
}

fn tls(certificate: &str, key: &str) -> sockline::Result<ServerTls> {
    let read = |path: &str| {
        std::fs::read(path).map_err(|error| Error::new(ErrorCode::Io, format!("{path}: {error}")))
    };
    let identity = Identity {
        certificates: read(certificate)?,
        private_key: read(key)?,
    };
    ServerTls::new(ServerTlsOptions::new(vec![identity]))
}

fn serve(
    port: u16,
    compression: Option<Compression>,
    tls: Option<ServerTls>,
    handler: Arc<dyn Handler>,
) -> sockline::Result<()> {
    let mut options = ServerOptions::new(Address::Tcp(String::new(), port));
    options.settings.compression = compression;
    options.tls = tls;
    let on_loop = Loop::new(LoopOptions::default())?;
    listen(Some(&on_loop), options, Some(handler))?;
    println!("listening at port {port}");
    on_loop.run()
}
