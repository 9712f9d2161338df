//! The command line: its flags, and how they are explained.
//!
//! | file | what is there |
//! |---|---|
//! | `mod` | the commands, their help, and reading them |
//! | `common` | flags that several commands have |
//! | `values` | values of flags: headers, sizes, times |

mod common;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::builder::Styles;
use clap::{Args, Parser, Subcommand};
use sockline::io::Transport;

pub(crate) use self::common::{Client, Coding, Format, Reach};
pub(crate) use self::values::Wait;

use crate::failure::exit;

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default());

/// Talk to WebSocket and Socket.IO servers, be one, and measure them.
#[derive(Debug, Parser)]
#[command(
    name = "sockline",
    bin_name = "sockline",
    version = VERSION,
    styles = STYLES,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = EXAMPLES
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Talk to a WebSocket server
    #[command(after_help = CONNECT_EXAMPLES)]
    Connect(Connect),
    /// Be a WebSocket server: print what comes, send what is typed to all
    #[command(after_help = LISTEN_EXAMPLES)]
    Listen(Listen),
    /// Talk to a Socket.IO server
    #[command(after_help = IO_EXAMPLES)]
    Io(Io),
    /// Measure a WebSocket echo server: messages per second, and latencies
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(Bench),
}

#[derive(Debug, Args)]
pub(crate) struct Connect {
    /// ws://… or wss://…; without a scheme it is ws://
    pub(crate) url: String,
    /// A subprotocol to offer, the preferred one first (repeatable, or A,B)
    #[arg(short, long = "subprotocol", value_name = "NAME", value_delimiter = ',')]
    pub(crate) subprotocols: Vec<String>,
    /// Send this and close after --wait; a line like one that is typed (repeatable)
    #[arg(
        short = 'x',
        long = "execute",
        value_name = "LINE",
        allow_hyphen_values = true
    )]
    pub(crate) execute: Vec<String>,
    /// Stay so long after the last line, or "forever" [default: 0.5 after the last answer]
    #[arg(short, long, value_name = "SECONDS", allow_hyphen_values = true)]
    pub(crate) wait: Option<Wait>,
    /// Commands such as /ping in piped input, too
    #[arg(long)]
    pub(crate) slash: bool,
    /// Follow redirects
    #[arg(short = 'L', long)]
    pub(crate) location: bool,
    /// The longest message to accept
    #[arg(long, value_name = "BYTES", default_value = "16M", value_parser = values::size)]
    pub(crate) max_message: usize,
    /// Show what was agreed on in the TLS handshake, and the certificate
    #[arg(long)]
    pub(crate) tls: bool,
    /// Show timings of the handshake, its headers, pings, and TLS
    #[arg(short, long)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) client: Client,
    /// Offer compression (permessage-deflate)
    #[arg(long)]
    pub(crate) compress: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Listen {
    /// The port; 0 for any that is free
    #[arg(value_parser = values::port)]
    pub(crate) port: u16,
    /// The address to listen on; "::" for all
    #[arg(long, value_name = "HOST", default_value = "localhost")]
    pub(crate) host: String,
    /// Take connections at this path only
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,
    /// A subprotocol to agree to (repeatable, or A,B)
    #[arg(short, long = "subprotocol", value_name = "NAME", value_delimiter = ',')]
    pub(crate) subprotocols: Vec<String>,
    /// Send each message back to who has sent it
    #[arg(short, long)]
    pub(crate) echo: bool,
    /// Don't print messages: with --echo, for measuring clients
    #[arg(long)]
    pub(crate) silent: bool,
    /// Agree to compression (permessage-deflate)
    #[arg(long)]
    pub(crate) compress: bool,
    /// TLS: the certificate and those that lead to a root (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// TLS: the private key of --cert (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// TLS: ask clients for a certificate of this authority (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) ca: Option<PathBuf>,
    /// The longest message to accept
    #[arg(long, value_name = "BYTES", default_value = "16M", value_parser = values::size)]
    pub(crate) max_message: usize,
    /// Commands such as /ping in piped input, too
    #[arg(long)]
    pub(crate) slash: bool,
    /// Show requests with their headers, and pings
    #[arg(short, long)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Io {
    /// http://… or https://…; its path is the namespace, without one it is /
    pub(crate) url: String,
    /// The namespace, in place of the URL's path
    #[arg(short, long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// What the socket says of itself when it connects: a JSON object
    #[arg(short, long, value_name = "JSON", value_parser = values::json_object)]
    pub(crate) auth: Option<String>,
    /// The path that the server answers at
    #[arg(long, value_name = "PATH", default_value = "/socket.io")]
    pub(crate) path: String,
    /// The transports to try, in their order
    #[arg(
        short, long, value_name = "NAMES", value_delimiter = ',',
        default_value = "polling,websocket", value_parser = values::transport
    )]
    pub(crate) transports: Vec<Transport>,
    /// Show only events of this name (repeatable, or A,B)
    #[arg(short, long = "event", value_name = "NAME", value_delimiter = ',')]
    pub(crate) events: Vec<String>,
    /// Do this and leave after --wait; a line like one that is typed (repeatable)
    #[arg(short = 'x', long = "execute", value_name = "LINE")]
    pub(crate) execute: Vec<String>,
    /// Stay so long after the last line, or "forever" [default: 0.5 after the last answer]
    #[arg(short, long, value_name = "SECONDS", allow_hyphen_values = true)]
    pub(crate) wait: Option<Wait>,
    /// How long to wait for an answer to an event
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = values::seconds)]
    pub(crate) ack_timeout: Duration,
    /// Don't ask for answers to events
    #[arg(long)]
    pub(crate) no_ack: bool,
    /// Show connections in detail: transports, reconnecting
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Print JSON over several lines, with indents
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but events and errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// ws://… or wss://…: a server that sends each message back
    pub(crate) url: String,
    /// How many connections
    #[arg(short, long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) connections: u32,
    /// Bytes of each message
    #[arg(short, long, value_name = "BYTES", default_value = "64", value_parser = values::size)]
    pub(crate) size: usize,
    /// End after so many messages, over all connections
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "seconds")]
    pub(crate) count: Option<u64>,
    /// End after so long [default: 5]
    #[arg(short = 't', long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) seconds: Option<Duration>,
    /// Messages under way on each connection
    #[arg(short, long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) pipeline: u32,
    /// Threads that send and receive
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) threads: u32,
    /// Binary messages in place of text
    #[arg(long)]
    pub(crate) binary: bool,
    /// Give up when nothing has come back for so long
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = values::seconds)]
    pub(crate) timeout: Duration,
    /// A subprotocol to offer (repeatable, or A,B)
    #[arg(long = "subprotocol", value_name = "NAME", value_delimiter = ',')]
    pub(crate) subprotocols: Vec<String>,
    /// The result as a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) client: Client,
    /// Offer compression (permessage-deflate)
    #[arg(long)]
    pub(crate) compress: bool,
}

const EXAMPLES: &str = "\
Examples:
  sockline connect wss://example.com/chat
  sockline listen 8080 --echo
  sockline io http://localhost:3000 -x 'emit hello \"world\"'
  sockline bench ws://localhost:8080 --connections 100

Colours are off where NO_COLOR is set or the output is not a terminal.";

const CONNECT_EXAMPLES: &str = "\
While it is connected:
  text           is sent            /ping [text]            sends a ping, shows the round trip
  //text         sends /text        /pong [text]            sends a pong
  /help          lists these        /close [code] [reason]  closes, as Ctrl-C and Ctrl-D do

Examples:
  sockline connect localhost:8080
  sockline connect wss://example.com -H 'Authorization: Bearer abc' -s chat -v
  sockline connect wss://localhost:8443 --ca ca.pem --tls
  sockline connect localhost:8080 -x '{\"op\":\"hello\"}' --wait 2 --json
  seq 10 | sockline connect localhost:8080 > answers.txt

Exit codes: 0 closed in good order, 1 no connection, 2 wrong usage, also in a line of -x or a pipe,
3 lost or closed with an error, 130 and 143 ended by SIGINT and SIGTERM.";

const LISTEN_EXAMPLES: &str = "\
While it listens:
  text           is sent to all     /ping                   pings all, shows the round trips
  //text         sends /text        /close [code] [reason]  closes all connections
  /list          shows who is here  Ctrl-C, Ctrl-D          end it

Examples:
  sockline listen 8080
  sockline listen 8080 --echo --host ::
  sockline listen 8443 --cert cert.pem --key key.pem
  tail -f log | sockline listen 8080

Exit codes: 0 ended by the user, 1 can't listen, 2 wrong usage, 130 and 143 ended by SIGINT and SIGTERM.";

const IO_EXAMPLES: &str = "\
While it is connected:
  emit NAME [JSON…]   sends an event, shows the answer
  ack [JSON…]         answers the oldest event that asks for it
  disconnect, connect, help; Ctrl-C and Ctrl-D leave

Examples:
  sockline io http://localhost:3000
  sockline io https://example.com/admin --auth '{\"token\":\"abc\"}' --event log
  sockline io localhost:3000 -x 'emit add 1 2'
  sockline io localhost:3000 --transports websocket --wait forever < /dev/null

Exit codes: 0 left in good order, 1 no connection, 2 wrong usage, also in a line of -x or a pipe,
3 lost, or an answer did not come, 130 and 143 ended by SIGINT and SIGTERM.";

const BENCH_EXAMPLES: &str = "\
Latency is from sending a message until its echo is here. Sizes may be 64, 4K, 1M.

Examples:
  sockline bench localhost:8080
  sockline bench localhost:8080 --connections 100 --pipeline 16 --size 1K --seconds 10
  sockline bench wss://localhost:8443 --no-check --count 100000 --json

Exit codes: 0 measured, 1 no connection, 2 wrong usage, 3 a connection was lost,
4 not an echo server, 130 and 143 ended by SIGINT and SIGTERM.";

/// The version, and under it what is inside.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nengine:   sockline ",
    env!("CARGO_PKG_VERSION"),
    ", native (Rust)"
);

/// What this build can do, for `--version`.
fn features() -> String {
    let mut features = vec!["WebSocket", "permessage-deflate", "Socket.IO"];
    if cfg!(feature = "tls") {
        features.push(if cfg!(feature = "aws-lc-rs") {
            "TLS (aws-lc)"
        } else {
            "TLS (ring)"
        });
    }
    features.join(", ")
}

/// Reads the command line. What is not a command (help, the version, a mistake) is printed, and its exit code is the error.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Command, i32> {
    let name = OsString::from("sockline");
    match Arguments::try_parse_from(std::iter::once(name).chain(arguments)) {
        Ok(parsed) => Ok(parsed.command),
        Err(error) => {
            let _ = error.print(); // nobody reads it, then
            if error.kind() == clap::error::ErrorKind::DisplayVersion {
                use std::io::Write as _;
                let _ = writeln!(std::io::stdout(), "features: {}", features());
            }
            Err(if error.use_stderr() {
                exit::USAGE
            } else {
                exit::DONE
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn read(line: &str) -> Result<Command, clap::Error> {
        let words = std::iter::once("sockline").chain(line.split_whitespace());
        Arguments::try_parse_from(words).map(|arguments| arguments.command)
    }

    #[test]
    fn the_definitions_agree_with_each_other() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn connect_has_the_flags_of_wscat() {
        let line = "connect ws://h -H A:b --header C:d -s one,two -s three --origin http://o --auth u:p -x hi -w 1.5";
        let Ok(Command::Connect(connect)) = read(line) else {
            panic!("{line} is a connect");
        };
        let headers = [("A".to_owned(), "b".to_owned()), ("C".to_owned(), "d".to_owned())];
        assert_eq!(connect.client.reach.headers, headers);
        assert_eq!(connect.subprotocols, ["one", "two", "three"]);
        assert_eq!(connect.client.origin.as_deref(), Some("http://o"));
        assert_eq!(connect.client.auth.as_deref(), Some("u:p"));
        assert_eq!(connect.execute, ["hi"]);
        assert_eq!(connect.wait, Some(Wait::For(Duration::from_millis(1500))));
    }

    #[test]
    fn waiting_may_have_no_end() {
        for word in ["forever", "-1"] {
            let Ok(Command::Connect(connect)) = read(&format!("connect h -w {word}")) else {
                panic!("{word} is a time to wait");
            };
            assert_eq!(connect.wait, Some(Wait::Forever));
        }
    }

    #[test]
    fn binary_may_name_its_coding() {
        for (flag, coding) in [("--binary", Coding::Hex), ("--binary=base64", Coding::Base64)] {
            let Ok(Command::Connect(connect)) = read(&format!("connect {flag} h")) else {
                panic!("{flag} needs no value");
            };
            assert_eq!(connect.format.binary, Some(coding));
        }
    }

    #[test]
    fn transports_are_tried_in_the_order_in_which_they_are_named() {
        let Ok(Command::Io(io)) = read("io h --transports websocket,polling") else {
            panic!("both are transports");
        };
        assert_eq!(io.transports, [Transport::WebSocket, Transport::Polling]);
        assert!(read("io h --transports carrier-pigeon").is_err());
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        assert!(read("bench h --count 5 --seconds 5").is_err());
        assert!(read("listen 8080 --cert c.pem").is_err());
        assert!(read("listen 70000").is_err());
        assert!(read("io h --auth [1]").is_err());
        assert!(read("connect h -H no-colon").is_err());
    }

    /// With `SOCKLINE_WRITE_MANUAL=1` the manual is written anew.
    #[test]
    fn the_manual_has_the_help() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/command.md");
        let mut manual = std::fs::read_to_string(path).unwrap_or_default();
        for command in ["", " connect", " listen", " io", " bench"] {
            let line = format!("sockline{command} --help");
            let help = Arguments::try_parse_from(line.split(' ')).map_err(|help| help.to_string());
            let Err(help) = help else {
                panic!("{line} is no command");
            };
            let mark = format!("```\n<!-- help{command} -->\n");
            let (before, after) = manual
                .split_once(&mark)
                .expect("the manual has a place for each help");
            let begin = before.rfind("```text\n").map_or(0, |at| at + 8);
            if std::env::var_os("SOCKLINE_WRITE_MANUAL").is_none() {
                assert_eq!(&before[begin..], help, "SOCKLINE_WRITE_MANUAL=1 writes it");
            }
            manual = format!("{}{help}{mark}{after}", &before[..begin]);
        }
        if std::env::var_os("SOCKLINE_WRITE_MANUAL").is_some() {
            std::fs::write(path, manual).expect("the manual can be written");
        }
    }

    #[test]
    fn no_line_of_the_help_is_wider_than_a_terminal_is_usually() {
        let mut command = Arguments::command();
        command.build();
        for name in ["connect", "listen", "io", "bench"] {
            let help = command
                .find_subcommand_mut(name)
                .map(|found| found.render_help().to_string())
                .unwrap_or_default();
            assert!(help.contains("Examples:"), "{name}");
            for line in help.lines() {
                assert!(line.chars().count() <= 120, "{name}: {line}");
            }
        }
    }
}
