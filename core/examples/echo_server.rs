//! Sends every message back: `echo_server PORT`.

use std::process::ExitCode;
use std::sync::Arc;

use sockline::{Address, Handler, Loop, LoopOptions, Message, ServerOptions, Settings, WebSocket, listen};

struct Echo;

impl Handler for Echo {
    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        if let Err(error) = ws.send_checked(message.kind(), message.as_bytes()) {
            eprintln!("a message was not echoed: {error}");
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(Ok(port)), None) = (arguments.next().map(|port| port.parse()), arguments.next()) else {
        eprintln!("usage: echo_server PORT");
        return ExitCode::from(2);
    };
    match serve(port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo_server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(port: u16) -> sockline::Result<()> {
    let mut options = ServerOptions::new(Address::Tcp(String::new(), port));
    options.settings = Settings {
        max_message: 64 << 20,
        hard_limit: 0,
        ..Settings::server()
    };
    let on_loop = Loop::new(LoopOptions::default())?;
    let server = listen(Some(&on_loop), options, Some(Arc::new(Echo)))?;
    if let Some(address) = server.local_address() {
        println!("echoing at ws://localhost:{}", address.port());
    }
    on_loop.run()
}
