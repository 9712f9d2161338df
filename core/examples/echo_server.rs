//! Sends every message back: `echo_server PORT`, or over TLS: `echo_server PORT CERTIFICATES KEY` (files in PEM).

use std::process::ExitCode;
use std::sync::Arc;

use sockline::{
    Address, Compression, Error, ErrorCode, Handler, Identity, Loop, LoopOptions, Message, ServerOptions,
    ServerTls, ServerTlsOptions, Settings, WebSocket, listen,
};

struct Echo;

impl Handler for Echo {
    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        if let Err(error) = ws.send_checked(message.kind(), message.as_bytes()) {
            eprintln!("a message was not echoed: {error}");
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (port, files) = match arguments.as_slice() {
        [port] => (port.parse(), None),
        [port, certificates, key] => (port.parse(), Some((certificates, key))),
        _ => return usage(),
    };
    let Ok(port) = port else { return usage() };
    match tls(files).and_then(|tls| serve(port, tls)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo_server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: echo_server PORT [CERTIFICATES KEY]");
    ExitCode::from(2)
}

fn tls(files: Option<(&String, &String)>) -> sockline::Result<Option<ServerTls>> {
    let Some((certificates, key)) = files else {
        return Ok(None);
    };
    let read = |path: &String| {
        std::fs::read(path).map_err(|error| Error::new(ErrorCode::Io, format!("{path}: {error}")))
    };
    let identity = Identity {
        certificates: read(certificates)?,
        private_key: read(key)?,
    };
    ServerTls::new(ServerTlsOptions::new(vec![identity])).map(Some)
}

fn serve(port: u16, tls: Option<ServerTls>) -> sockline::Result<()> {
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    let mut options = ServerOptions::new(Address::Tcp(String::new(), port));
    options.settings = Settings {
        max_message: 64 << 20,
        hard_limit: 0,
        compression: Some(Compression::server()),
        ..Settings::server()
    };
    options.tls = tls;
    let on_loop = Loop::new(LoopOptions::default())?;
    let server = listen(Some(&on_loop), options, Some(Arc::new(Echo)))?;
    if let Some(address) = server.local_address() {
        println!("echoing at {scheme}://localhost:{}", address.port());
    }
    on_loop.run()
}
