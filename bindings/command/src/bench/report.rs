//! The result of a measurement.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::json;

use crate::paint::Paint;
use crate::show;

/// From this share of its threads' processors on, the command is itself what limits the rate.
const BUSY: f64 = 0.9;
/// The width of the longest bar.
const BAR: f64 = 40.0;
/// Rows for less than this share of the messages are left out.
const LEAST: f64 = 0.000_5;
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

pub(super) struct Result {
    pub(super) url: String,
    pub(super) connections: u32,
    pub(super) size: usize,
    pub(super) pipeline: u32,
    pub(super) threads: u32,
    pub(super) is_binary: bool,
    /// What was agreed on.
    pub(super) extensions: String,
    /// All of them together.
    pub(super) connected_in: Duration,
    /// From the first message to the last echo.
    pub(super) time: Duration,
    pub(super) messages: u64,
    /// What this process has used of processors in that time.
    pub(super) cpu: Duration,
    /// In nanoseconds.
    pub(super) latencies: Histogram<u64>,
    /// It was not interrupted.
    pub(super) is_complete: bool,
}

impl Result {
    /// For people.
    pub(super) fn text(&self, paint: Paint) -> String {
        let kind = if self.is_binary { "binary" } else { "text" };
        let mut facts = vec![
            show::count(self.connections.into(), "connection"),
            format!("{kind} of {}", show::size(self.size as u64)),
            format!("{} under way on each", self.pipeline),
        ];
        facts.extend((!self.extensions.is_empty()).then(|| show::text(&self.extensions).into_owned()));
        let rate = show::number(self.rate() as u64);
        let bytes = show::size(show::rate(self.messages * self.size as u64, self.time) as u64);
        let mut lines = vec![
            paint.strong(show::text(&self.url).into_owned()).to_string(),
            paint.dim(format!("  {}", facts.join(", "))).to_string(),
            String::new(),
            format!(
                "  messages   {} in {}, all echoes right{}",
                show::number(self.messages),
                show::duration(self.time),
                if self.is_complete { "" } else { "; interrupted" }
            ),
            format!(
                "  rate       {} messages/s, {bytes}/s each way",
                paint.strong(rate)
            ),
            format!("  latency    {}", self.quantiles()),
            format!("  connected  in {}", show::duration(self.connected_in)),
            format!("  CPU        {}", self.processors()),
            String::new(),
        ];
        lines.extend(self.bars(paint));
        lines.join("\n")
    }

    /// For programs: one JSON object.
    pub(super) fn json(&self) -> String {
        let micros = |nanos: f64| (nanos / 10.0).round() / 100.0;
        let at = |quantile| micros(self.latencies.value_at_quantile(quantile) as f64);
        let result = json!({
            "url": self.url,
            "connections": self.connections,
            "size": self.size,
            "binary": self.is_binary,
            "pipeline": self.pipeline,
            "threads": self.threads,
            "extensions": self.extensions,
            "complete": self.is_complete,
            "messages": self.messages,
            "seconds": self.time.as_secs_f64(),
            "messages_per_second": self.rate(),
            "bytes_per_second": show::rate(self.messages * self.size as u64, self.time),
            "connect_seconds": self.connected_in.as_secs_f64(),
            "cpu_seconds": self.cpu.as_secs_f64(),
            "cpu_share": self.share(),
            "generator_is_bottleneck": self.is_bottleneck(),
            "latency_us": {
                "min": micros(self.latencies.min() as f64),
                "mean": micros(self.latencies.mean()),
                "p50": at(0.5),
                "p90": at(0.9),
                "p99": at(0.99),
                "p99.9": at(0.999),
                "max": micros(self.latencies.max() as f64),
            },
        });
        result.to_string()
    }

    fn rate(&self) -> f64 {
        show::rate(self.messages, self.time)
    }

    /// What was used of the processors that the threads could use.
    fn share(&self) -> f64 {
        self.cpu.as_secs_f64() / self.time.as_secs_f64().max(1e-9) / f64::from(self.threads)
    }

    fn is_bottleneck(&self) -> bool {
        self.share() >= BUSY
    }

    fn quantiles(&self) -> String {
        let shown = |nanos| show::duration(Duration::from_nanos(nanos));
        let mut texts: Vec<String> = QUANTILES
            .iter()
            .map(|(name, quantile)| format!("{name} {}", shown(self.latencies.value_at_quantile(*quantile))))
            .collect();
        texts.push(format!("max {}", shown(self.latencies.max())));
        texts.join("   ")
    }

    fn processors(&self) -> String {
        let share = format!("{:.0} %", 100.0 * self.share());
        let threads = show::count(self.threads.into(), "thread");
        match self.is_bottleneck() {
            true => format!(
                "{share} of {threads}: this program is the bottleneck, the server may be faster; try --threads {}",
                self.threads * 2
            ),
            false => format!("{share} of {threads} of this program"),
        }
    }

    /// How many messages took how long, each row twice as long as the one above.
    fn bars(&self, paint: Paint) -> Vec<String> {
        let total = self.latencies.len().max(1) as f64;
        let mut rows: Vec<(u64, f64)> = Vec::new();
        for step in self.latencies.iter_log(1_000, 2.0) {
            let share = step.count_since_last_iteration() as f64 / total;
            rows.push((step.value_iterated_to() + 1, share));
        }
        let counts = |row: &(u64, f64)| row.1 >= LEAST;
        let first = rows.iter().position(counts).unwrap_or(0);
        let last = rows.iter().rposition(counts).map_or(0, |at| at + 1);
        let shown = rows.get(first..last).unwrap_or_default();
        let widest = shown.iter().map(|row| row.1).fold(0.0, f64::max).max(1e-9);
        shown
            .iter()
            .map(|(below, share)| {
                let bar = "█".repeat((share / widest * BAR).round() as usize);
                let below = show::duration(Duration::from_nanos(*below));
                let percent = format!("{:.1} %", 100.0 * share);
                format!("  < {below:>8} {percent:>7}  {}", paint.value(bar))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(cpu: Duration) -> Result {
        let mut latencies = Histogram::new_with_bounds(1, 1 << 40, 3).expect("the crate allows these bounds");
        for micros in 1..=1000 {
            latencies.saturating_record(micros * 1000);
        }
        Result {
            url: "ws://h".to_owned(),
            connections: 2,
            size: 100,
            pipeline: 4,
            threads: 1,
            is_binary: false,
            extensions: String::new(),
            connected_in: Duration::from_millis(3),
            time: Duration::from_secs(1),
            messages: 1000,
            cpu,
            latencies,
            is_complete: true,
        }
    }

    #[test]
    fn programs_get_numbers_and_the_quantiles() {
        let json = result(Duration::from_millis(500)).json();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
        assert_eq!(value["messages_per_second"], 1000.0);
        assert_eq!(value["bytes_per_second"], 100_000.0);
        assert_eq!(value["generator_is_bottleneck"], false);
        let p50 = value["latency_us"]["p50"].as_f64().unwrap_or_default();
        assert!((499.0..502.0).contains(&p50), "{json}");
    }

    #[test]
    fn a_busy_generator_says_so() {
        assert!(
            result(Duration::from_millis(950))
                .text(Paint::OFF)
                .contains("bottleneck")
        );
        assert!(
            !result(Duration::from_millis(500))
                .text(Paint::OFF)
                .contains("bottleneck")
        );
    }

    #[test]
    fn the_bars_hold_all_messages() {
        let text = result(Duration::ZERO).text(Paint::OFF);
        let shares: f64 = text
            .lines()
            .filter(|line| line.starts_with("  < "))
            .filter_map(|line| {
                line.split('%')
                    .next()?
                    .split_whitespace()
                    .last()?
                    .parse::<f64>()
                    .ok()
            })
            .sum();
        assert!((99.0..101.0).contains(&shares), "{text}");
    }
}
