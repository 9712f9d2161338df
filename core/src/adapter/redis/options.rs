//! What can be chosen of a cluster over Redis; the defaults are those of the official packages.

use std::path::PathBuf;

use super::sharded::SubscriptionMode;
use crate::ws::Millis;

/// How nodes tell each other. All nodes of a cluster must use the same mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RedisMode {
    /// Channels and patterns: `createAdapter` of `@socket.io/redis-adapter`, and all emitters.
    #[default]
    Classic,
    /// Sharded channels: `createShardedAdapter` of `@socket.io/redis-adapter`. Needs Redis 7.
    Sharded,
    /// A stream: `createAdapter` of `@socket.io/redis-streams-adapter`. Outlasts a short loss of Redis, and sessions can
    /// be recovered on other nodes.
    Streams,
    /// What python-socketio's servers say to each other (5.14 and newer): a bridge to them. Less can be said than in the
    /// other modes, see [`python`](super::python).
    PythonSocketio,
}

/// Whom to trust over TLS (`rediss:`), and who we are. All files are in PEM format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisTls {
    /// The authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Our certificate and the chain to its authority, if Redis asks for one; with [`RedisTls::key_file`].
    pub certificate_file: Option<PathBuf>,
    /// Our certificate's key.
    pub key_file: Option<PathBuf>,
    /// Trusts anybody. For tests.
    pub insecure: bool,
}

/// A cluster over Redis.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisOptions {
    /// Where Redis is:
    ///
    /// - `redis://user:password@host:6379/0`, all but the host optional; `rediss:` is the same over TLS
    /// - `unix:///run/redis.sock`, with `?db=0&user=…&password=…` if needed
    /// - `redis+cluster://host:6379,host:6380`: nodes of a Redis Cluster, of which one has to be up; `rediss+cluster:`
    /// - `redis+sentinel://host:26379,host:26380/master/0`: sentinels, the name of what they watch, and the database;
    ///   `rediss+sentinel:` is TLS to the master, not to the sentinels. User and password are the master's; the sentinels' are in
    ///   `?sentinel_user=…&sentinel_password=…&sentinel_tls=1`, or in the options of these names
    pub url: String,
    /// How nodes tell each other.
    pub mode: RedisMode,
    /// What the names of all channels begin with, but for [`RedisMode::PythonSocketio`]. `socket.io`.
    pub key: String,
    /// The channel's name, for [`RedisMode::PythonSocketio`]. `socketio`; Flask-SocketIO's is `flask-socketio`.
    pub channel: String,
    /// How long other nodes' answers are waited for, in milliseconds. 5,000.
    pub requests_timeout: Millis,
    /// Answers to a request go to who asked only, for [`RedisMode::Classic`].
    pub publish_on_specific_response_channel: bool,
    /// Which rooms have a channel of their own, for [`RedisMode::Sharded`].
    pub subscription_mode: SubscriptionMode,
    /// The stream's name, for [`RedisMode::Streams`]. `socket.io`.
    pub stream_name: String,
    /// How many streams the namespaces are spread over. 1.
    pub stream_count: usize,
    /// How many entries a stream keeps, about. 10,000.
    pub max_len: usize,
    /// How many entries are read at once, at most. 100.
    pub read_count: usize,
    /// What the keys of saved sessions begin with. `sio:session:`.
    pub session_key_prefix: String,
    /// For `rediss:`, and for sentinels with TLS.
    pub tls: RedisTls,
    /// As whom sentinels are asked, with [`RedisOptions::sentinel_password`]; the URL goes first. None: as the default user.
    pub sentinel_user: Option<String>,
    /// What they want to know then.
    pub sentinel_password: Option<String>,
    /// Sentinels are asked over TLS.
    pub sentinel_tls: bool,
    /// How long Redis has to answer a command, and connecting may take, in milliseconds. 5,000.
    pub command_timeout: Millis,
    /// How often each connection is tried while nothing else happens, in milliseconds; one that does not answer within
    /// that time again is replaced. 2,000.
    pub ping_interval: Millis,
    /// Bytes that may wait for Redis; what would be more is dropped, or its reply is an error. 64 MiB.
    pub max_queued: usize,
}

impl RedisOptions {
    /// The defaults, with Redis at this URL.
    pub fn new(url: impl Into<String>) -> RedisOptions {
        RedisOptions {
            url: url.into(),
            ..RedisOptions::default()
        }
    }
}

impl Default for RedisOptions {
    fn default() -> RedisOptions {
        RedisOptions {
            url: "redis://127.0.0.1:6379".into(),
            mode: RedisMode::default(),
            key: "socket.io".into(),
            channel: "socketio".into(),
            requests_timeout: 5_000,
            publish_on_specific_response_channel: false,
            subscription_mode: SubscriptionMode::default(),
            stream_name: "socket.io".into(),
            stream_count: 1,
            max_len: 10_000,
            read_count: 100,
            session_key_prefix: "sio:session:".into(),
            tls: RedisTls::default(),
            sentinel_user: None,
            sentinel_password: None,
            sentinel_tls: false,
            command_timeout: 5_000,
            ping_interval: 2_000,
            max_queued: 64 << 20,
        }
    }
}

/// Without the password.
impl std::fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let url = self.url.split('?').next().unwrap_or_default();
        let url = match url.rsplit_once('@') {
            Some((_, place)) => format!("…@{place}"),
            None => url.to_owned(),
        };
        f.debug_struct("RedisOptions")
            .field("url", &url)
            .field("mode", &self.mode)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
