//! Connections that come, upgrade, and close again.

use std::error::Error;

use crate::clock::Clocks;
use crate::options::Options;
use crate::socket::{self, Opening};

const DEFAULT_COUNT: u64 = 5_000;

pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let clocks = Clocks::of_servers(&options.servers)?;
    let count = options.count.unwrap_or(DEFAULT_COUNT);
    let opening = Opening::new(options, options.port())?;
    cycle(&opening, options)?;
    let start = clocks.mark()?;
    let mut done = 0;
    while done < count {
        done += cycle(&opening, options)?;
    }
    println!("{{{}}}", clocks.since(&start)?.json(done));
    Ok(())
}

fn cycle(opening: &Opening, options: &Options) -> std::io::Result<u64> {
    let mut opened = opening.open(options.connections)?;
    if !options.raw {
        socket::close(&mut opened.streams)?;
    }
    Ok(opened.streams.len() as u64)
}
