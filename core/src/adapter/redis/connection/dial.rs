//! Connects to Redis.

#[cfg(feature = "tls")]
use std::fs;
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::cluster::ClusterClientBuilder;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion,
    PushInfo, RedisConnectionInfo, RedisError, RedisResult, Value,
};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use crate::adapter::AdapterError;
use crate::adapter::redis::RedisOptions;
use crate::error::{Error, ErrorCode, Result};

use super::errors::{self, Trouble};
use super::target::{Kind, Place, Target};
use super::wire::Wire;

/// Commands that a connection takes before it has written the ones before. No more may be under way: where they have to
/// wait for a place they overtake each other.
pub(super) const PIPELINED: usize = 1024;

/// How it is connected to Redis; knows no connection itself.
pub(super) struct Dialer {
    pub(super) target: Target,
    pub(super) timeout: Duration,
    #[cfg(feature = "tls")]
    certificates: redis::TlsCertificates,
    #[cfg(feature = "tls")]
    insecure: bool,
}

/// What a wire is for.
pub(super) struct Use {
    /// How long it has to answer.
    pub(super) patience: Duration,
    /// Where to tell what comes unasked for.
    pub(super) pushes: Option<UnboundedSender<PushInfo>>,
}

impl Dialer {
    /// # Errors
    /// [`ErrorCode::InvalidUrl`], [`ErrorCode::Unsupported`] for TLS in a build without it, [`ErrorCode::Tls`] for files
    /// that can't be used.
    pub(super) fn new(options: &RedisOptions) -> Result<Dialer> {
        let mut target = Target::parse(&options.url)?;
        target.sentinels.complete(options);
        if target.has_tls() && !cfg!(feature = "tls") {
            let text =
                "this build has no TLS, so Redis can't be reached over it; build it with the feature tls";
            return Err(Error::new(ErrorCode::Unsupported, text));
        }
        let dialer = Dialer {
            target,
            timeout: Duration::from_millis(options.command_timeout),
            #[cfg(feature = "tls")]
            certificates: certificates(options)?,
            #[cfg(feature = "tls")]
            insecure: options.tls.insecure,
        };
        dialer.check()?;
        Ok(dialer)
    }

    /// Finds what is wrong with the certificates before anything is connected to.
    fn check(&self) -> Result<()> {
        #[cfg(feature = "tls")]
        if self.target.has_tls() {
            crate::tls::install_provider();
            let probe = Place::Tcp("localhost".into(), 1);
            let client = self.client(&probe, true, self.login(ProtocolVersion::RESP2));
            client.map_err(|error| {
                Error::new(
                    ErrorCode::Tls,
                    format!("the certificates for Redis can't be used: {error}"),
                )
            })?;
        }
        Ok(())
    }

    fn login(&self, protocol: ProtocolVersion) -> RedisConnectionInfo {
        let login = RedisConnectionInfo::default()
            .set_protocol(protocol)
            .set_db(self.target.database)
            .set_lib_name("sockline", env!("CARGO_PKG_VERSION"));
        with_credentials(login, self.target.user.as_ref(), self.target.password.as_ref())
    }

    fn info(&self, place: &Place, tls: bool, login: RedisConnectionInfo) -> RedisResult<ConnectionInfo> {
        let address = match place {
            Place::Unix(path) => ConnectionAddr::Unix(path.clone()),
            Place::Tcp(host, port) if !tls => ConnectionAddr::Tcp(host.clone(), *port),
            Place::Tcp(host, port) => ConnectionAddr::TcpTls {
                host: host.clone(),
                port: *port,
                #[cfg(feature = "tls")]
                insecure: self.insecure,
                #[cfg(not(feature = "tls"))]
                insecure: false,
                tls_params: None,
            },
        };
        let settings = TcpSettings::default().set_nodelay(true);
        Ok(address
            .into_connection_info()?
            .set_tcp_settings(settings)
            .set_redis_settings(login))
    }

    fn client(&self, place: &Place, tls: bool, login: RedisConnectionInfo) -> RedisResult<Client> {
        let info = self.info(place, tls, login)?;
        #[cfg(feature = "tls")]
        if tls {
            return Client::build_with_tls(info, self.certificates.clone());
        }
        Client::open(info)
    }

    /// Gives up when it takes too long.
    async fn in_time<T>(
        &self,
        place: &Place,
        dialing: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, Trouble> {
        match timeout(self.timeout, dialing).await {
            Ok(result) => result.map_err(|error| errors::trouble(&error, place)),
            Err(_) => Err(errors::no_answer(place).into()),
        }
    }

    /// Finds the server that is to be connected to now: asks sentinels, and replicas of a cluster for their master.
    pub(super) async fn find(&self) -> Result<Place, AdapterError> {
        let (places, master) = match &self.target.kind {
            Kind::One(place) => return Ok(place.clone()),
            Kind::Cluster(places) => (places, None),
            Kind::Sentinel(places, master) => (places, Some(master)),
        };
        // Nodes that have the same URL are spread over a cluster's.
        let mut random = [0];
        let _ = getrandom::fill(&mut random);
        let first = usize::from(random[0]) % places.len().max(1);
        let (after, before) = places.split_at(first);
        let mut last = AdapterError(String::from("the URL of Redis names no server"));
        for place in before.iter().chain(after) {
            let found = match master {
                Some(master) => self.ask_sentinel(place, master).await,
                None => self.find_master(place).await,
            };
            match found {
                Ok(place) => return Ok(place),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn find_master(&self, place: &Place) -> Result<Place, AdapterError> {
        let dialing = async {
            let client = self.client(place, self.target.tls, self.login(ProtocolVersion::RESP2))?;
            let connection = client.get_multiplexed_async_connection().await?;
            Wire::One(connection).master().await
        };
        let master = self.in_time(place, dialing).await?;
        Ok(master.unwrap_or_else(|| place.clone()))
    }

    async fn ask_sentinel(&self, place: &Place, master: &str) -> Result<Place, AdapterError> {
        let dialing = async {
            let sentinels = &self.target.sentinels;
            let login = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2);
            let login = with_credentials(login, sentinels.user.as_ref(), sentinels.password.as_ref());
            let client = self.client(place, sentinels.tls, login)?;
            let mut connection = client.get_multiplexed_async_connection().await?;
            let mut command = redis::cmd("SENTINEL");
            command.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
            command
                .query_async::<Option<(String, u16)>>(&mut connection)
                .await
        };
        let found = self.in_time(place, dialing).await?;
        let (host, port) = found.ok_or_else(|| {
            AdapterError(format!(
                "the sentinel at {place} knows no master of the name {master:?}"
            ))
        })?;
        let found = Place::Tcp(host, port);
        match self.find_master(&found).await? {
            master if master == found => Ok(found),
            _ => Err(AdapterError(format!(
                "the sentinel at {place} names {found} as the master, which is a replica still"
            ))),
        }
    }

    /// A connection for commands that has proved to work.
    pub(super) async fn wire(&self, place: &Place, purpose: Use) -> Result<Wire, Trouble> {
        let dialing = async {
            let mut wire = match &self.target.kind {
                Kind::Cluster(places) => self.cluster(places, purpose).await?,
                _ => Wire::One(self.connect(place, purpose).await?),
            };
            wire.ping().await?;
            Ok(wire)
        };
        self.in_time(place, dialing).await
    }

    /// A connection to one node of a Redis Cluster.
    pub(super) async fn one(&self, place: &Place) -> Result<Wire, Trouble> {
        let purpose = Use {
            patience: self.timeout,
            pushes: None,
        };
        let dialing = async { Ok(Wire::One(self.connect(place, purpose).await?)) };
        self.in_time(place, dialing).await
    }

    async fn connect(&self, place: &Place, purpose: Use) -> RedisResult<MultiplexedConnection> {
        let protocol = protocol(&purpose);
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(purpose.patience))
            .set_pipeline_buffer_size(2 * PIPELINED);
        if let Some(pushes) = purpose.pushes {
            config = config.set_push_sender(pushes);
        }
        let client = self.client(place, self.target.tls, self.login(protocol))?;
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    async fn cluster(&self, places: &[Place], purpose: Use) -> RedisResult<Wire> {
        let protocol = protocol(&purpose);
        let nodes = places
            .iter()
            .map(|place| self.info(place, self.target.tls, self.login(protocol)));
        let mut builder = ClusterClientBuilder::new(nodes.collect::<RedisResult<Vec<_>>>()?)
            .use_protocol(protocol)
            .connection_timeout(self.timeout)
            .response_timeout(purpose.patience)
            .overall_response_timeout(Some(purpose.patience))
            .retries(3)
            .tcp_settings(TcpSettings::default().set_nodelay(true));
        #[cfg(feature = "tls")]
        if self.target.tls {
            builder = builder.certs(self.certificates.clone());
        }
        if let Some(pushes) = purpose.pushes {
            builder = builder.push_sender(pushes);
        }
        let connection = builder.build()?.get_async_connection().await?;
        Ok(Wire::Cluster(connection))
    }

    /// A connection for channels and patterns that has proved to work.
    pub(super) async fn pubsub(&self, place: &Place) -> Result<PubSub, Trouble> {
        let dialing = async {
            let client = self.client(place, self.target.tls, self.login(ProtocolVersion::RESP2))?;
            let mut pubsub = client.get_async_pubsub().await?;
            pubsub.ping::<Value>().await?;
            Ok::<_, RedisError>(pubsub)
        };
        self.in_time(place, dialing).await
    }
}

fn with_credentials(
    mut login: RedisConnectionInfo,
    user: Option<&String>,
    password: Option<&String>,
) -> RedisConnectionInfo {
    if let Some(user) = user {
        login = login.set_username(user);
    }
    if let Some(password) = password {
        login = login.set_password(password);
    }
    login
}

/// What comes unasked for beside answers needs RESP3; all else is the same for all versions of Redis without.
fn protocol(purpose: &Use) -> ProtocolVersion {
    match purpose.pushes {
        Some(_) => ProtocolVersion::RESP3,
        None => ProtocolVersion::RESP2,
    }
}

#[cfg(feature = "tls")]
fn certificates(options: &RedisOptions) -> Result<redis::TlsCertificates> {
    let read = |path: &std::path::Path| {
        fs::read(path).map_err(|error| {
            Error::new(
                ErrorCode::Tls,
                format!("{} can't be read: {error}", path.display()),
            )
        })
    };
    let tls = &options.tls;
    let client_tls = match (&tls.certificate_file, &tls.key_file) {
        (Some(certificate), Some(key)) => Some(redis::ClientTlsConfig {
            client_cert: read(certificate)?,
            client_key: read(key)?,
        }),
        (None, None) => None,
        _ => {
            let text = "a certificate for Redis needs both certificate_file and key_file";
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
    };
    Ok(redis::TlsCertificates {
        client_tls,
        root_cert: tls.ca_file.as_deref().map(read).transpose()?,
    })
}
