//! The floor: a bare TCP echo on mio, one read and one send per readiness.

use std::io;

use side_by_side::Protocol;

#[derive(Default)]
struct Bytes;

impl Protocol for Bytes {
    fn reply<'a>(&mut self, received: &'a mut [u8], _cork: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        Ok(received)
    }
}

fn main() -> io::Result<()> {
    side_by_side::main::<Bytes>()
}
