//! Connections that come, upgrade, and close again.

use std::error::Error;

use crate::clock::Clocks;
use crate::options::Options;
use crate::socket;

const DEFAULT_COUNT: u64 = 5_000;

pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let clocks = Clocks::of_server(options.server)?;
    let count = options.count.unwrap_or(DEFAULT_COUNT);
    cycle(options)?;
    let start = clocks.mark()?;
    let mut done = 0;
    while done < count {
        done += cycle(options)?;
    }
    println!("{{{}}}", clocks.since(&start)?.json(done));
    Ok(())
}

fn cycle(options: &Options) -> std::io::Result<u64> {
    let mut streams = socket::open(options.port, options.connections, options.raw)?;
    if !options.raw {
        socket::close(&mut streams)?;
    }
    Ok(streams.len() as u64)
}
