//! Many open connections, for the server's memory to be read from outside.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::clock::Clocks;
use crate::frames::Frames;
use crate::options::Options;
use crate::socket;

pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let clocks = Clocks::of_server(options.server)?;
    let start = clocks.mark()?;
    let mut streams = socket::open(options.port, options.connections, options.raw)?;
    println!("{{{}}}", clocks.since(&start)?.json(0));

    let frames = Frames::new(options.size, 1, options.raw);
    for (round, line) in io::stdin().lines().enumerate() {
        if line? != "echo" {
            break;
        }
        let start = clocks.mark()?;
        for stream in &mut streams {
            exchange(stream, &frames, round)?;
        }
        println!("{{{}}}", clocks.since(&start)?.json(streams.len() as u64));
    }
    Ok(())
}

/// One message there and back.
fn exchange(stream: &mut TcpStream, frames: &Frames, round: usize) -> io::Result<()> {
    let request = (round * frames.requests.frame) as u64;
    stream.write_all(frames.requests.piece(request, frames.requests.frame))?;
    let mut answer = vec![0; frames.replies.frame];
    stream.read_exact(&mut answer)?;
    let expected = (round * frames.replies.frame) as u64;
    if frames.replies.matches(expected, &answer) {
        return Ok(());
    }
    Err(io::Error::new(
        ErrorKind::InvalidData,
        "a reply differs from its message",
    ))
}
