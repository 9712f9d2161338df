//! Wall time and the CPU time of all processes, taken together.

use std::io;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// The CPU clocks of the servers: user and system time of all their threads, in nanoseconds. Unlike
/// the ticks in /proc/PID/stat they are exact at the moment of reading.
pub struct Clocks {
    servers: Vec<ClockId>,
}

/// One reading of the clocks.
pub struct Mark {
    wall: Instant,
    servers: Vec<Duration>,
    load: Duration,
}

/// What passed between two marks.
pub struct Span {
    pub wall: Duration,
    /// Of each.
    pub servers: Vec<Duration>,
    pub load: Duration,
}

impl Clocks {
    pub fn of_servers(pids: &[i32]) -> io::Result<Self> {
        let clocks = pids.iter().map(|pid| clock_getcpuclockid(Pid::from_raw(*pid)));
        Ok(Self {
            servers: clocks.collect::<Result<_, _>>()?,
        })
    }

    pub fn mark(&self) -> io::Result<Mark> {
        let load = read(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
        Ok(Mark {
            wall: Instant::now(),
            servers: self
                .servers
                .iter()
                .map(|clock| read(*clock))
                .collect::<Result<_, _>>()?,
            load,
        })
    }

    pub fn since(&self, start: &Mark) -> io::Result<Span> {
        let end = self.mark()?;
        Ok(Span {
            wall: end.wall - start.wall,
            servers: end
                .servers
                .iter()
                .zip(&start.servers)
                .map(|(end, start)| end.saturating_sub(*start))
                .collect(),
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
            self.servers.iter().copied().map(micros).sum::<f64>(),
            micros(self.load),
        )
    }
}

fn read(clock: ClockId) -> io::Result<Duration> {
    Ok(clock_gettime(clock)?.into())
}

pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
