//! The course of a closed loop, and what is counted in its measured part.

use std::io;
use std::time::{Duration, Instant};

use crate::clock::{Clocks, Mark, Span};
use crate::histogram::Histogram;
use crate::options::Options;
use crate::pace::Pace;

/// What is counted between the two marks.
#[derive(Default)]
pub struct Measured {
    running: bool,
    messages: u64,
    /// Of replies, with their headers.
    bytes: u64,
    latencies: Histogram,
}

/// From the warm-up over the measured part to the end, when what is still out is awaited and checked.
pub struct Course<'a> {
    options: &'a Options,
    clocks: Clocks,
    began: Instant,
    phase: Phase,
}

enum Phase {
    WarmUp,
    Measured(Mark),
    Draining(Span),
}

impl Measured {
    /// Whether what happens now is in the measured part.
    pub fn is_running(&self) -> bool {
        self.running
    }

    pub fn messages(&self) -> u64 {
        self.messages
    }

    pub fn record(&mut self, latency: Duration) {
        if self.running {
            self.messages += 1;
            self.latencies.record(latency);
        }
    }

    pub fn add_bytes(&mut self, bytes: usize) {
        if self.running {
            self.bytes += bytes as u64;
        }
    }

    pub fn json(&self, span: &Span) -> String {
        format!("{{{}}}", self.members(span))
    }

    /// With the whole histogram: only where messages were due at a pace are latencies of use for more than a glance.
    pub fn paced_json(&self, span: &Span, pace: &Pace) -> String {
        format!(
            "{{{}, \"rate\": {:.1}, \"late_p999_us\": {:.2}, \"histogram\": {}}}",
            self.members(span),
            pace.rate(),
            pace.late_p999_us(),
            self.latencies.json(),
        )
    }

    fn members(&self, span: &Span) -> String {
        format!(
            "{}, \"reply_bytes\": {}, \"p50_us\": {:.2}, \"p99_us\": {:.2}, \"p999_us\": {:.2}",
            span.json(self.messages),
            self.bytes,
            self.latencies.quantile_us(0.50),
            self.latencies.quantile_us(0.99),
            self.latencies.quantile_us(0.999),
        )
    }
}

impl<'a> Course<'a> {
    pub fn begin(options: &'a Options) -> io::Result<Self> {
        Ok(Self {
            options,
            clocks: Clocks::of_servers(&options.servers)?,
            began: Instant::now(),
            phase: Phase::WarmUp,
        })
    }

    /// Goes on where it is time to, after each turn of the loop.
    pub fn advance(&mut self, measured: &mut Measured) -> io::Result<()> {
        match self.phase {
            Phase::WarmUp if self.began.elapsed() >= self.options.warmup => {
                measured.running = true;
                self.began = Instant::now();
                self.phase = Phase::Measured(self.clocks.mark()?);
            }
            Phase::Measured(ref start) if self.is_enough(measured) => {
                measured.running = false;
                self.phase = Phase::Draining(self.clocks.since(start)?);
            }
            _ => {}
        }
        Ok(())
    }

    /// The measured part, once it is over: nothing new is to be sent.
    pub fn measured_span(&self) -> Option<&Span> {
        match &self.phase {
            Phase::Draining(span) => Some(span),
            _ => None,
        }
    }

    fn is_enough(&self, measured: &Measured) -> bool {
        match self.options.count {
            Some(count) => measured.messages >= count,
            None => self.began.elapsed() >= self.options.duration,
        }
    }
}
