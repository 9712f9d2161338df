//! Wall time and the CPU time of both processes, taken together.

use std::io;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// The CPU clock of the server: user and system time of all its threads, in nanoseconds. Unlike
/// the ticks in /proc/PID/stat it is exact at the moment of reading.
pub struct Clocks {
    server: ClockId,
}

/// One reading of the clocks.
pub struct Mark {
    wall: Instant,
    server: Duration,
    load: Duration,
}

/// What passed between two marks.
pub struct Span {
    pub wall: Duration,
    pub server: Duration,
    pub load: Duration,
}

impl Clocks {
    pub fn of_server(pid: i32) -> io::Result<Self> {
        Ok(Self {
            server: clock_getcpuclockid(Pid::from_raw(pid))?,
        })
    }

    pub fn mark(&self) -> io::Result<Mark> {
        let load = read(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
        Ok(Mark {
            wall: Instant::now(),
            server: read(self.server)?,
            load,
        })
    }

    pub fn since(&self, start: &Mark) -> io::Result<Span> {
        let end = self.mark()?;
        Ok(Span {
            wall: end.wall - start.wall,
            server: end.server.saturating_sub(start.server),
            load: end.load.saturating_sub(start.load),
        })
    }
}

impl Span {
    /// The members that every mode prints, without braces.
    pub fn json(&self, messages: u64) -> String {
        format!(
            "\"messages\": {messages}, \"seconds\": {:.6}, \"server_cpu_us\": {:.3}, \"load_cpu_us\": {:.3}",
            self.wall.as_secs_f64(),
            micros(self.server),
            micros(self.load),
        )
    }
}

fn read(clock: ClockId) -> io::Result<Duration> {
    Ok(clock_gettime(clock)?.into())
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
