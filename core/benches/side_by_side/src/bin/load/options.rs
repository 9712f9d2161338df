//! The command line.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use crate::frames::Frames;
use crate::texts::MIN_TEXT;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Echo,
    Idle,
    Connect,
    Serve,
    Polling,
    Cluster,
}

pub struct Options {
    pub mode: Mode,
    /// Of all nodes, if there are several.
    pub ports: Vec<u16>,
    /// The processes whose CPU clocks are read.
    pub servers: Vec<i32>,
    pub connections: usize,
    /// Messages in flight on each connection.
    pub pipeline: usize,
    /// Payload bytes of a message.
    pub size: usize,
    pub warmup: Duration,
    /// How long the measured part lasts, unless `count` is given.
    pub duration: Duration,
    pub count: Option<u64>,
    /// Messages a second that are due on all connections together; without it each reply brings the next message.
    pub rate: Option<f64>,
    /// No WebSocket: the server sends back what it gets.
    pub raw: bool,
    /// Offers permessage-deflate, and sends compressed texts.
    pub deflate: bool,
    /// The certificate of a server that speaks TLS.
    pub tls: Option<String>,
    /// Only the first connection sends, and every message comes back on all.
    pub topic: bool,
    /// Socket.IO over WebSocket.
    pub io: bool,
    /// In a cluster, how many of the messages that are in flight together concern nobody.
    pub unheard: usize,
    /// In a cluster, whether those are for several rooms, not for one.
    pub rooms: bool,
    /// In a cluster, how long it takes at least until the next messages are sent.
    pub pace: Duration,
}

impl Options {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mode = match arguments.next().as_deref() {
            Some("echo") => Mode::Echo,
            Some("idle") => Mode::Idle,
            Some("connect") => Mode::Connect,
            Some("serve") => Mode::Serve,
            Some("polling") => Mode::Polling,
            Some("cluster") => Mode::Cluster,
            other => return Err(format!("unknown mode {other:?}")),
        };
        let mut options = Self::defaults(mode);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            options.set(&name, &value)?;
        }
        options.check()
    }

    pub fn defaults(mode: Mode) -> Self {
        Self {
            mode,
            ports: Vec::new(),
            servers: Vec::new(),
            connections: 64,
            pipeline: 1,
            size: 64,
            warmup: Duration::from_millis(500),
            duration: Duration::from_secs(1),
            count: None,
            rate: None,
            raw: false,
            deflate: false,
            tls: None,
            topic: false,
            io: mode == Mode::Cluster,
            unheard: 0,
            rooms: false,
            pace: Duration::ZERO,
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "--port" => self.ports = list(name, value)?,
            "--server" => self.servers = list(name, value)?,
            "--connections" => self.connections = parsed(name, value)?,
            "--pipeline" => self.pipeline = parsed(name, value)?,
            "--size" => self.size = parsed(name, value)?,
            "--warmup" => self.warmup = seconds(name, value)?,
            "--seconds" => self.duration = seconds(name, value)?,
            "--count" => self.count = Some(parsed(name, value)?),
            "--rate" => self.rate = Some(parsed(name, value)?),
            "--raw" => self.raw = parsed::<u8>(name, value)? != 0,
            "--deflate" => self.deflate = parsed::<u8>(name, value)? != 0,
            "--tls" => self.tls = Some(value.into()),
            "--topic" => self.topic = parsed::<u8>(name, value)? != 0,
            "--io" => self.io = parsed::<u8>(name, value)? != 0,
            "--unheard" => self.unheard = parsed(name, value)?,
            "--rooms" => self.rooms = parsed::<u8>(name, value)? != 0,
            "--pace" => self.pace = seconds(name, value)?,
            _ => return Err(format!("unknown option {name}")),
        }
        Ok(())
    }

    fn check(self) -> Result<Self, String> {
        match () {
            () if self.ports.is_empty() || self.ports.contains(&0) => Err("--port is missing".into()),
            () if self.mode == Mode::Serve => Ok(self),
            () if self.servers.is_empty() || self.servers.iter().any(|pid| *pid <= 0) => {
                Err("--server is missing".into())
            }
            () if self.connections == 0 || self.pipeline == 0 => {
                Err("--connections and --pipeline must be at least 1".into())
            }
            () if self.deflate && (self.size < MIN_TEXT || self.raw) => Err(format!(
                "--deflate needs --size {MIN_TEXT} at least, and no --raw"
            )),
            () if self.io && (self.deflate || self.raw) => {
                Err("--io goes with neither --deflate nor --raw".into())
            }
            () if self.unheard >= self.pipeline => Err("some message has to be heard".into()),
            () if self.rate.is_some_and(|rate| !(1.0..1e9).contains(&rate)) => {
                Err("--rate must be at least 1".into())
            }
            () if self.rate.is_some() && (self.topic || self.mode != Mode::Echo) => {
                Err("--rate goes with echo, without --topic".into())
            }
            () if self.topic && self.pipeline > 1 => Err("--topic has one message in flight".into()),
            () => Ok(self),
        }
    }

    /// The only port, or that of the first node.
    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    pub fn frames(&self) -> Frames {
        if self.mode == Mode::Cluster {
            Frames::cluster(self.size, self.pipeline, self.unheard, self.rooms)
        } else if self.deflate {
            Frames::deflated(self.size, self.pipeline)
        } else if self.io {
            Frames::socket_io(self.size, self.pipeline, self.topic)
        } else {
            Frames::new(self.size, self.pipeline, self.raw)
        }
    }
}

fn seconds(name: &str, value: &str) -> Result<Duration, String> {
    Duration::try_from_secs_f64(parsed(name, value)?).map_err(|error| format!("{name} {value}: {error}"))
}

/// Values with commas between them.
fn list<T: FromStr<Err: Display>>(name: &str, values: &str) -> Result<Vec<T>, String> {
    values.split(',').map(|value| parsed(name, value)).collect()
}

fn parsed<T: FromStr<Err: Display>>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("{name} {value}: {error}"))
}
