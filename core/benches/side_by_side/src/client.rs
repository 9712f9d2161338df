//! What the clients under test on tokio share.

use std::error::Error;
use std::future::Future;
use std::io;

use tokio::task::JoinSet;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The command line of a client under test.
#[derive(Clone, Copy)]
pub struct Options {
    /// Of the server.
    pub port: u16,
    /// How many to open.
    pub connections: usize,
    /// Messages in flight on each.
    pub pipeline: usize,
    /// Bytes of a message.
    pub size: usize,
}

impl Options {
    fn parse() -> Option<Self> {
        let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
        let mut next = || numbers.next()?.ok();
        Some(Self {
            port: u16::try_from(next()?).ok()?,
            connections: next()?,
            pipeline: next()?,
            size: next()?,
        })
    }
}

/// Runs all connections on a current-thread runtime until one of them fails. Each has a payload of its own, so that an
/// echo of another's is noticed.
pub fn run<F>(connection: impl Fn(Options, Vec<u8>) -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let wrong = || {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "usage: PORT CONNECTIONS PIPELINE SIZE",
        )
    };
    let options = Options::parse().ok_or_else(wrong)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for index in 0..options.connections {
            let payload = (0..options.size).map(|place| (index + place) as u8).collect();
            tasks.spawn(connection(options, payload));
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    })
}
