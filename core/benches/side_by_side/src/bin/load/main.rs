//! The load generator: one thread, every reply compared byte for byte with what it has to be, after inflating where it
//! is compressed.
//!
//! It reads the server's CPU clock itself, at the very turn where the measured part begins and ends, so
//! that neither handshakes nor warm-up are in the figure. Results are one JSON object a line on stdout.

mod churn;
mod clock;
mod cluster;
mod connection;
mod echo;
mod frames;
mod histogram;
mod http;
mod idle;
mod measured;
mod options;
mod pace;
mod peer;
mod polling;
mod random;
mod replies;
mod serve;
mod session;
mod socket;
mod texts;
mod transport;

use std::error::Error;
use std::process::ExitCode;

use options::{Mode, Options};

const USAGE: &str = "\
usage: load MODE --port PORT --server PID [option value]…
  echo     closed loop: --connections 64 --pipeline 1 --size 64 --warmup SECONDS
           --seconds SECONDS or --count MESSAGES; --raw 1 for a bare TCP echo; --topic 1: only the
           first connection sends, and every message must come back on all; counted are deliveries;
           --rate MESSAGES a second makes it an open loop, with latencies from when each was due
  idle     opens --connections and prints a line; sends and checks one message on each for a line
           \"echo\" on stdin, prints a line; keeps them until stdin ends
  connect  connections that open and close, --connections at a time, for --seconds or --count of them
  serve    the server of a client whose CPU is measured: prints a line when it listens at --port and one when all
           --connections are open, then one for each line `measure PID WARMUP SECONDS` on stdin;
           only then messages are sent back
  polling  the closed loop over Socket.IO's long polling: each connection posts an event, then gets its
           acknowledgement; counted are such pairs. Options as for echo, without --pipeline
  cluster  Socket.IO on several nodes: --port P,P,… --server PID,PID,… with --connections on each. One on the
           first node sends --pipeline messages for all, --unheard of them for nobody (--rooms 1: for nobody
           in several rooms); the next ones when all have come, and --pace SECONDS after the last ones
all of them: --tls FILE speaks TLS to a server with that certificate; --deflate 1 agrees on
permessage-deflate and sends compressed JSON; --io 1 speaks Socket.IO: the messages are events with
acknowledgements, or with --topic 1 events for a room";

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("load: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    match options.mode {
        Mode::Echo => echo::run(options),
        Mode::Idle => idle::run(options),
        Mode::Connect => churn::run(options),
        Mode::Serve => serve::run(options),
        Mode::Polling => polling::run(options),
        Mode::Cluster => cluster::run(options),
    }
}
