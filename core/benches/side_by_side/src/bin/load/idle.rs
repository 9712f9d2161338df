//! Many open connections, for the server's memory to be read from outside.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};

use crate::clock::Clocks;
use crate::frames::Frames;
use crate::options::Options;
use crate::replies::Check;
use crate::session;
use crate::socket::Opening;
use crate::transport::Transport;

pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let clocks = Clocks::of_servers(&options.servers)?;
    let start = clocks.mark()?;
    let mut opened = Opening::new(options, options.port())?.open(options.connections)?;
    println!("{{{}}}", clocks.since(&start)?.json(0));

    let frames = options.frames();
    let takeover = opened.takeover;
    let mut checks: Vec<Check> = opened
        .streams
        .iter()
        .map(|_| Check::new(&frames, 0, takeover))
        .collect();
    for (round, line) in io::stdin().lines().enumerate() {
        if line? != "echo" {
            break;
        }
        let start = clocks.mark()?;
        for (stream, check) in opened.streams.iter_mut().zip(&mut checks) {
            exchange(stream, check, &frames, round as u64, options.io)?;
        }
        println!("{{{}}}", clocks.since(&start)?.json(opened.streams.len() as u64));
    }
    Ok(())
}

/// One message there and back. Before the reply to it there may be pings of Socket.IO, which come every 25 seconds.
fn exchange(
    stream: &mut Transport,
    check: &mut Check,
    frames: &Frames,
    message: u64,
    io: bool,
) -> io::Result<()> {
    let start = frames.requests.position(message);
    let length = frames.requests.position(message + 1) - start;
    stream.write_all(frames.requests.piece(start, length as usize))?;
    stream.flush()?;
    let mut buffer = [0; 4096];
    let mut replies = 0;
    while replies == 0 {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server hung up"));
        }
        let mut received = &buffer[..length];
        if io {
            received = session::answer_pings(stream, received)?;
        }
        replies = check.take(frames, received)?;
    }
    Ok(())
}
