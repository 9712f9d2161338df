//! A Socket.IO server for measuring and trying out: `io_echo_server PORT`. Each socket joins the room `room`; the event
//! `msg` is acknowledged with its argument, the event `bc` goes to the room.

use std::process::ExitCode;
use std::sync::Arc;

use sockline::{Address, Loop, LoopOptions, ServerOptions, io, listen};

struct Echo;

impl io::Handler for Echo {
    fn on_connection(&self, socket: &io::Socket) {
        socket.join(&["room"]);
    }

    fn on_event(&self, socket: &io::Socket, event: io::Event<'_>) {
        let attachments: Vec<&[u8]> = event.attachments.iter().map(|data| &**data).collect();
        let done = match (&*event.name, event.ack) {
            ("msg", Some(ack)) => ack.send(event.args, &attachments).map(drop),
            ("bc", _) => socket.namespace().to("room").emit("bc", event.args, &attachments),
            _ => Ok(()),
        };
        if let Err(error) = done {
            eprintln!("an event was not answered: {error}");
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port] = arguments.as_slice() else {
        return usage();
    };
    let Ok(port) = port.parse() else { return usage() };
    match serve(port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("io_echo_server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: io_echo_server PORT");
    ExitCode::from(2)
}

fn serve(port: u16) -> sockline::Result<()> {
    let on_loop = Loop::new(LoopOptions::default())?;
    let io_options = io::ServerOptions {
        ask_connecting: false,
        ..io::ServerOptions::default()
    };
    let io = io::Server::new(Some(&on_loop), io_options, Arc::new(Echo))?;
    let mut options = ServerOptions::new(Address::Tcp(String::new(), port));
    options.routes.push(io.route());
    let server = listen(Some(&on_loop), options, None)?;
    if let Some(address) = server.local_address() {
        println!("echoing at http://localhost:{}", address.port());
    }
    on_loop.run()
}
