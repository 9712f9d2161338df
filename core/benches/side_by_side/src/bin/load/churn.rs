//! Connections that come, upgrade, and close again.

use std::error::Error;
use std::io;
use std::time::Instant;

use crate::measured::{Course, Measured};
use crate::options::Options;
use crate::socket::{self, Opening};

/// `connections` at a time. The latency of one is that from before the first of them opens until the last has closed.
pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let opening = Opening::new(options, options.port())?;
    let mut measured = Measured::default();
    let mut course = Course::begin(options)?;
    loop {
        cycle(&opening, options, &mut measured)?;
        course.advance(&mut measured)?;
        if let Some(span) = course.measured_span() {
            println!("{}", measured.json(span));
            return Ok(());
        }
    }
}

fn cycle(opening: &Opening, options: &Options, measured: &mut Measured) -> io::Result<()> {
    let start = Instant::now();
    let mut opened = opening.open(options.connections)?;
    if !options.raw {
        socket::close(&mut opened.streams)?;
    }
    for _ in &opened.streams {
        measured.record(start.elapsed());
    }
    Ok(())
}
