//! The Node face of sockline: what `lib/*.js` calls.
//!
//! | room | what happens there |
//! |---|---|
//! | `engine` | the functions that JavaScript calls, and the shape of what it hands over |
//! | `info` | what JavaScript may know of connections and servers |
//! | `options` | what JavaScript says about connections and servers, as the core takes it |
//! | `threads` | servers whose loops have threads of their own |
//! | `requests` | HTTP requests that the application answers |
//! | `logging` | the core's log lines |
//! | `serving` | what a server does besides accepting |
//! | `tls` | certificates, keys and whom to trust |
//! | `sending` | the functions that send, which are called most |
//! | `host` | one loop and one environment (the main thread or a worker): its turns, its beginning and end |
//! | `uv` | libuv, found at run time: the descriptor, the timer and the flush watched from Node's own loop |
//! | `bell` | the same for runtimes without libuv (Bun, Deno): a thread that rings a thread-safe function |
//! | `watcher` | which of these two a host has |
//! | `batch` | the events of a turn on their way to JavaScript: a table, and payloads in a slab |
//! | `favourite` | the async context of the target that turn after turn is about |
//! | `adopting` | connections that Node's http module has accepted |
//! | `dialing` | connections that JavaScript makes for the engine |
//! | `listener` | what the core calls: turns events into records of the batch |
//! | `errors` | failures under the codes and texts that npm `ws` gives them |
//! | `io` | all of this for Socket.IO |
//! | `command` | the command `sockline`; feature `command` |
//! | `js` | Node-API calls that napi-rs has no cheap form of |

mod adopting;
mod batch;
mod bell;
#[cfg(feature = "command")]
mod command;
mod dialing;
mod engine;
mod errors;
mod favourite;
mod host;
mod info;
mod io;
mod js;
mod listener;
mod logging;
mod options;
mod requests;
mod sending;
mod serving;
mod threads;
mod tls;
mod uv;
mod watcher;
