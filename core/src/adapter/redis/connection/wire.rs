//! A connection for commands: to one server, or to all masters of a Redis Cluster.

use redis::aio::MultiplexedConnection;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{
    MultipleNodeRoutingInfo, ResponsePolicy, Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr,
};
use redis::{Cmd, RedisError, RedisResult, Value};

use super::target::Place;

/// A copy is the same connection. Commands of one copy and another reach a server in the order in which they are first
/// polled.
#[derive(Clone)]
pub(super) enum Wire {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// Which nodes of a Redis Cluster a command is for.
pub(super) enum To<'a> {
    /// The one that has the key.
    Key(&'a str),
    /// All masters; each answers by itself.
    Masters,
}

impl Wire {
    pub(super) async fn ask(&mut self, command: Cmd, to: To<'_>) -> RedisResult<Value> {
        let value = match self {
            Wire::One(connection) => connection.send_packed_command(&command).await?,
            Wire::Cluster(connection) => {
                let routing = match to {
                    To::Key(key) => {
                        let route = Route::with_key(key, SlotAddr::Master);
                        RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(route))
                    }
                    To::Masters => RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None)),
                };
                connection.route_command(command, routing).await?
            }
        };
        value.extract_error()
    }

    /// Asks whether all servers are there.
    pub(super) async fn ping(&mut self) -> RedisResult<()> {
        let command = redis::cmd("PING");
        match self {
            Wire::One(connection) => connection.send_packed_command(&command).await?,
            Wire::Cluster(connection) => {
                let policy = Some(ResponsePolicy::AllSucceeded);
                let routing = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, policy));
                connection.route_command(command, routing).await?
            }
        }
        .extract_error()?;
        Ok(())
    }

    /// Gets a value and deletes it.
    pub(super) async fn take(&mut self, key: &str) -> RedisResult<Option<Vec<u8>>> {
        let mut pipe = redis::pipe();
        pipe.atomic().get(key).del(key);
        let (value, _): (Option<Vec<u8>>, i64) = match self {
            Wire::One(connection) => pipe.query_async(connection).await?,
            Wire::Cluster(connection) => pipe.query_async(connection).await?,
        };
        Ok(value)
    }

    pub(super) async fn subscribe_sharded(&mut self, channel: &str) -> RedisResult<()> {
        match self {
            Wire::One(connection) => {
                let mut command = redis::cmd("SSUBSCRIBE");
                command.arg(channel);
                connection.send_packed_command(&command).await?.extract_error()?;
                Ok(())
            }
            Wire::Cluster(connection) => connection.ssubscribe(channel).await,
        }
    }

    pub(super) async fn unsubscribe_sharded(&mut self, channel: &str) -> RedisResult<()> {
        match self {
            Wire::One(connection) => {
                let mut command = redis::cmd("SUNSUBSCRIBE");
                command.arg(channel);
                connection.send_packed_command(&command).await?.extract_error()?;
                Ok(())
            }
            Wire::Cluster(connection) => connection.sunsubscribe(channel).await,
        }
    }

    /// The master that this connection's server is a copy of; none if it is a master itself.
    pub(super) async fn master(&mut self) -> RedisResult<Option<Place>> {
        let answer: Vec<Value> = match self.ask(redis::cmd("ROLE"), To::Masters).await? {
            Value::Array(answer) => answer,
            _ => Vec::new(),
        };
        let text = |at: usize| match answer.get(at) {
            Some(Value::BulkString(text)) => String::from_utf8(text.clone()).ok(),
            Some(Value::SimpleString(text)) => Some(text.clone()),
            _ => None,
        };
        let port = match answer.get(2) {
            Some(Value::Int(port)) => u16::try_from(*port).ok(),
            _ => None,
        };
        match (text(0).as_deref(), text(1), port) {
            (Some("master"), ..) => Ok(None),
            (Some("slave"), Some(host), Some(port)) => Ok(Some(Place::Tcp(host, port))),
            _ => Err(RedisError::from((
                redis::ErrorKind::UnexpectedReturnType,
                "ROLE gave an answer that was not expected",
            ))),
        }
    }
}
