//! URLs of Redis: what they mean.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use crate::adapter::redis::RedisOptions;
use crate::error::{Error, ErrorCode, Result};

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// One server.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    Tcp(String, u16),
    Unix(PathBuf),
}

/// Which server is to be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    One(Place),
    /// Some nodes of a Redis Cluster.
    Cluster(Vec<Place>),
    /// The one that these sentinels call the master of that name.
    Sentinel(Vec<Place>, String),
}

/// What a URL says.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kind: Kind,
    pub(super) tls: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: i64,
    pub(super) sentinels: Sentinels,
}

/// How sentinels are asked.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Sentinels {
    pub(super) tls: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Tcp(host, port) => write!(f, "{host}:{port}"),
            Place::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Where it is, for people: no password.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |places: &[Place]| {
            let texts: Vec<String> = places.iter().map(Place::to_string).collect();
            texts.join(", ")
        };
        match &self.kind {
            Kind::One(place) => write!(f, "{place}"),
            Kind::Cluster(places) => write!(f, "the cluster of {}", list(places)),
            Kind::Sentinel(places, master) => write!(f, "{master} of the sentinels {}", list(places)),
        }
    }
}

impl Sentinels {
    /// Adds what the options say, where the URL says nothing.
    pub(super) fn complete(&mut self, options: &RedisOptions) {
        self.tls |= options.sentinel_tls;
        if self.user.is_none() && self.password.is_none() {
            self.user.clone_from(&options.sentinel_user);
            self.password.clone_from(&options.sentinel_password);
        }
    }
}

fn invalid(text: &str) -> Error {
    Error::new(ErrorCode::InvalidUrl, format!("the URL of Redis {text}"))
}

impl Target {
    /// Whether anything is reached over TLS.
    pub(super) fn has_tls(&self) -> bool {
        self.tls || (matches!(self.kind, Kind::Sentinel(..)) && self.sentinels.tls)
    }

    /// # Errors
    /// [`ErrorCode::InvalidUrl`], with a text that does not repeat a password.
    pub(super) fn parse(url: &str) -> Result<Target> {
        let (scheme, rest) = url
            .split_once(':')
            .ok_or_else(|| invalid("has no scheme; it begins with redis://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut target = Target {
            kind: Kind::Cluster(Vec::new()),
            tls: scheme.starts_with("rediss"),
            user: None,
            password: None,
            database: 0,
            sentinels: Sentinels::default(),
        };
        if matches!(scheme, "unix" | "redis+unix") {
            target.kind = Kind::One(Place::Unix(unix_path(rest)?));
            return target.with_query(query);
        }
        let rest = rest
            .strip_prefix("//")
            .ok_or_else(|| invalid("needs // behind its scheme"))?;
        let rest = match rest.rsplit_once('@') {
            Some((credentials, rest)) => {
                target.set_credentials(credentials)?;
                rest
            }
            None => rest,
        };
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let database = match scheme {
            "redis" | "rediss" => {
                let [place] = places(hosts, PORT)?.try_into().map_err(|_| {
                    invalid("names several servers; for a cluster it begins with redis+cluster://")
                })?;
                target.kind = Kind::One(place);
                path
            }
            "redis+cluster" | "rediss+cluster" => {
                target.kind = Kind::Cluster(places(hosts, PORT)?);
                path
            }
            "redis+sentinel" | "rediss+sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err(invalid(
                        "needs the master's name behind the sentinels: redis+sentinel://host:26379/name",
                    ));
                }
                target.kind = Kind::Sentinel(places(hosts, SENTINEL_PORT)?, decode(master)?);
                database
            }
            _ => {
                return Err(invalid(
                    "has an unknown scheme; there are redis, rediss, unix, redis+cluster, rediss+cluster, redis+sentinel and rediss+sentinel",
                ));
            }
        };
        target.set_database(database)?;
        if matches!(target.kind, Kind::Cluster(_)) && target.database != 0 {
            return Err(invalid("names a database, but a Redis Cluster has none"));
        }
        target.with_query(query)
    }

    fn set_credentials(&mut self, credentials: &str) -> Result<()> {
        let (user, password) = credentials
            .split_once(':')
            .ok_or_else(|| invalid("has a user without a password; a password alone is :password@"))?;
        self.user = (!user.is_empty()).then(|| decode(user)).transpose()?;
        self.password = Some(decode(password)?);
        Ok(())
    }

    fn set_database(&mut self, text: &str) -> Result<()> {
        if !text.is_empty() {
            let number: Option<u32> = text.trim_end_matches('/').parse().ok();
            self.database = number
                .ok_or_else(|| invalid(&format!("ends in {text:?}, which is no number of a database")))?
                .into();
        }
        Ok(())
    }

    fn with_query(mut self, query: &str) -> Result<Target> {
        let has_sentinels = matches!(self.kind, Kind::Sentinel(..));
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "db" => self.set_database(value)?,
                "user" | "username" => self.user = Some(decode(value)?),
                "password" => self.password = Some(decode(value)?),
                "sentinel_user" | "sentinel_username" if has_sentinels => {
                    self.sentinels.user = Some(decode(value)?);
                }
                "sentinel_password" if has_sentinels => self.sentinels.password = Some(decode(value)?),
                "sentinel_tls" if has_sentinels => self.sentinels.tls = switch(value)?,
                _ => return Err(invalid(&format!("has an unknown parameter {name:?}"))),
            }
        }
        Ok(self)
    }
}

fn switch(text: &str) -> Result<bool> {
    match text {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(invalid("has a sentinel_tls that is neither 1 nor 0")),
    }
}

fn unix_path(text: &str) -> Result<PathBuf> {
    let path = text.strip_prefix("//").unwrap_or(text);
    match path.starts_with('/') {
        true => Ok(PathBuf::from(decode(path)?)),
        false => Err(invalid(
            "needs the whole path of the socket: unix:///run/redis.sock",
        )),
    }
}

fn places(text: &str, port: u16) -> Result<Vec<Place>> {
    text.split(',').map(|one| place(one, port)).collect()
}

fn place(text: &str, default: u16) -> Result<Place> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest
            .split_once(']')
            .ok_or_else(|| invalid("has a [ without its ]"))?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    if host.is_empty() {
        return Err(invalid("names no host"));
    }
    let port = match port.strip_prefix(':') {
        Some(port) => port
            .parse()
            .map_err(|_| invalid(&format!("has {port:?} for a port")))?,
        None if port.is_empty() => default,
        None => return Err(invalid("has something between ] and the port")),
    };
    Ok(Place::Tcp(decode(host)?, port))
}

fn decode(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| invalid("is not UTF-8"))?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Place {
        Place::Tcp(host.into(), port)
    }

    fn target(kind: Kind) -> Target {
        Target {
            kind,
            tls: false,
            user: None,
            password: None,
            database: 0,
            sentinels: Sentinels::default(),
        }
    }

    #[test]
    fn all_kinds_are_known() {
        let one = |host: &str, port| target(Kind::One(tcp(host, port)));
        for (url, expected) in [
            ("redis://localhost", one("localhost", 6379)),
            ("redis://[::1]:7000", one("::1", 7000)),
            (
                "rediss://u%40:p%3A@h:1/3",
                Target {
                    tls: true,
                    user: Some("u@".into()),
                    password: Some("p:".into()),
                    database: 3,
                    ..one("h", 1)
                },
            ),
            (
                "redis://:a@b@h",
                Target {
                    password: Some("a@b".into()),
                    ..one("h", 6379)
                },
            ),
            (
                "unix:///run/r.sock?db=2&password=x",
                Target {
                    password: Some("x".into()),
                    database: 2,
                    ..target(Kind::One(Place::Unix("/run/r.sock".into())))
                },
            ),
            (
                "unix:/run/r.sock",
                target(Kind::One(Place::Unix("/run/r.sock".into()))),
            ),
            (
                "redis+cluster://a:1,b",
                target(Kind::Cluster(vec![tcp("a", 1), tcp("b", 6379)])),
            ),
            (
                "redis+sentinel://a,b:2/main/4",
                Target {
                    database: 4,
                    ..target(Kind::Sentinel(vec![tcp("a", 26379), tcp("b", 2)], "main".into()))
                },
            ),
            (
                "redis+sentinel://:a@b/main?sentinel_username=u&sentinel_password=p%26&sentinel_tls=1",
                Target {
                    password: Some("a".into()),
                    sentinels: Sentinels {
                        tls: true,
                        user: Some("u".into()),
                        password: Some("p&".into()),
                    },
                    ..target(Kind::Sentinel(vec![tcp("b", 26379)], "main".into()))
                },
            ),
            (
                "rediss+sentinel://b/main?sentinel_user=u&sentinel_tls=0",
                Target {
                    tls: true,
                    sentinels: Sentinels {
                        user: Some("u".into()),
                        ..Sentinels::default()
                    },
                    ..target(Kind::Sentinel(vec![tcp("b", 26379)], "main".into()))
                },
            ),
        ] {
            let found = Target::parse(url).map(|target| (target == expected, target.to_string()));
            assert_eq!(found, Ok((true, expected.to_string())), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, part) in [
            ("localhost", "no scheme"),
            ("http://:geheim@h", "unknown scheme"),
            ("redis:h", "//"),
            ("redis://", "no host"),
            ("redis://:geheim@h:port", "\"port\" for a port"),
            ("redis://:geheim@h/x", "no number of a database"),
            ("redis://a,b", "several servers"),
            ("redis://geheim@h", "user without a password"),
            ("redis+cluster://:geheim@a/1", "has none"),
            ("redis+sentinel://a", "master's name"),
            ("unix://run/r.sock", "whole path"),
            ("redis://h?password=geheim&x=1", "unknown parameter \"x\""),
            (
                "redis://h?sentinel_password=geheim",
                "unknown parameter \"sentinel_password\"",
            ),
            (
                "redis+sentinel://h/m?sentinel_password=geheim&sentinel_tls=yes",
                "neither 1 nor 0",
            ),
            ("redis://:%ff@h", "UTF-8"),
            ("redis://[::1", "without its ]"),
        ] {
            let error = Target::parse(url).err().map(|error| error.to_string());
            let text = error.unwrap_or_default();
            assert!(text.contains(part) && !text.contains("geheim"), "{url}: {text}");
        }
    }
}
