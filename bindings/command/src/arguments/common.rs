//! Flags that several commands have.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values;

/// How messages are shown and typed.
#[derive(Debug, Args)]
pub(crate) struct Format {
    /// What is typed is sent as a binary message: hex, or base64 [values: hex, base64]
    #[arg(
        long, value_name = "CODING", num_args = 0..=1, require_equals = true,
        default_missing_value = "hex", hide_possible_values = true
    )]
    pub(crate) binary: Option<Coding>,
    /// Print messages that are JSON over several lines, with indents
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but messages and errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// How bytes are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Coding {
    Hex,
    Base64,
}

/// How to get to a server.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// A request header, "Name: value" (repeatable)
    #[arg(short = 'H', long = "header", value_name = "HEADER", value_parser = values::header)]
    pub(crate) headers: Vec<(String, String)>,
    /// Through this proxy: http://, socks5:// … or "none" [default: the environment's]
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// Give up connecting after so long
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = values::seconds)]
    pub(crate) connect_timeout: Duration,
    /// TLS: trust this authority, too (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// TLS: our certificate, for servers that ask for one (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// TLS: the private key of --cert (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// TLS: accept any certificate; for tests only
    #[arg(short = 'k', long)]
    pub(crate) no_check: bool,
}

/// How to get to a WebSocket server.
#[derive(Debug, Args)]
pub(crate) struct Client {
    /// The page that we say to be from
    #[arg(short, long, value_name = "URL")]
    pub(crate) origin: Option<String>,
    /// HTTP basic authentication
    #[arg(long, value_name = "USER:PASSWORD")]
    pub(crate) auth: Option<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
}
