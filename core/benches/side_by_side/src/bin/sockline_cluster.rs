//! One node of a cluster over Redis: `sockline_cluster PORT classic|sharded|streams URL`. Each socket joins the room `room`;
//! the event `bc` goes to that room, `nobody` to a room that nobody is in, `nobodies` to two such.

use std::process::ExitCode;
use std::sync::Arc;

use sockline::adapter::AdapterError;
use sockline::adapter::redis::{Redis, RedisEvents, RedisMode, RedisOptions};
use sockline::{Address, Loop, LoopOptions, ServerOptions, io, listen};

struct Node;

impl io::Handler for Node {
    fn on_connection(&self, socket: &io::Socket) {
        socket.join(&["room"]);
    }

    fn on_event(&self, socket: &io::Socket, event: io::Event<'_>) {
        let namespace = socket.namespace();
        let target = match &*event.name {
            "bc" => namespace.to("room"),
            "nobody" => namespace.to("empty"),
            "nobodies" => namespace.to("empty").to("deserted"),
            _ => return,
        };
        if let Err(error) = target.emit("bc", event.args, &[]) {
            eprintln!("an event was not sent: {error}");
        }
    }
}

struct Complaints;

impl RedisEvents for Complaints {
    fn on_error(&self, error: &AdapterError) {
        eprintln!("{error}");
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, mode, url] = arguments.as_slice() else {
        return usage();
    };
    let mode = match mode.as_str() {
        "classic" => RedisMode::Classic,
        "sharded" => RedisMode::Sharded,
        "streams" => RedisMode::Streams,
        _ => return usage(),
    };
    let Ok(port) = port.parse() else { return usage() };
    match serve(port, mode, url) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sockline_cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: sockline_cluster PORT classic|sharded|streams URL");
    ExitCode::from(2)
}

fn serve(port: u16, mode: RedisMode, url: &str) -> sockline::Result<()> {
    let redis_options = RedisOptions {
        mode,
        ..RedisOptions::new(url)
    };
    let redis = Redis::new(redis_options, Some(Arc::new(Complaints)))?;
    let on_loop = Loop::new(LoopOptions::default())?;
    let io_options = io::ServerOptions {
        ask_connecting: false,
        adapter: Some(redis),
        ..io::ServerOptions::default()
    };
    let io = io::Server::new(Some(&on_loop), io_options, Arc::new(Node))?;
    let mut options = ServerOptions::new(Address::Tcp(String::new(), port));
    options.routes.push(io.route());
    listen(Some(&on_loop), options, None)?;
    println!("listening at port {port}");
    on_loop.run()
}
