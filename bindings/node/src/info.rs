//! What JavaScript may know of connections and servers.

use std::time::Duration;

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::engine::{Engine, connection, server};
use crate::errors::Result;

/// How long each step to an open connection took, in milliseconds; null for a step that was not needed.
#[napi(object, use_nullable = true)]
pub struct StepTimes {
    pub dns: Option<f64>,
    pub tcp: Option<f64>,
    pub proxy: Option<f64>,
    pub tls: Option<f64>,
    pub upgrade: Option<f64>,
}

/// What was agreed on in a TLS handshake.
#[napi(object, use_nullable = true)]
pub struct TlsAgreement {
    /// As Node writes it: `TLSv1.3`.
    pub version: String,
    pub cipher_suite: String,
    pub alpn: Option<String>,
    pub server_name: Option<String>,
    /// DER.
    pub peer_certificate: Option<Buffer>,
    pub resumed: bool,
}

/// The counters of one connection since it was made.
#[napi(object, use_nullable = true)]
pub struct Counters {
    pub bytes_in: f64,
    pub bytes_out: f64,
    pub frames_in: f64,
    pub frames_out: f64,
    pub messages_in: f64,
    pub messages_out: f64,
    pub dropped: f64,
    pub buffered: f64,
    pub compressed_from: f64,
    pub compressed_to: f64,
    pub inflated_from: f64,
    pub inflated_to: f64,
    pub latency: Option<f64>,
}

#[napi]
impl Engine {
    /// 0 to 3, as in WHATWG.
    #[napi]
    pub fn ready_state(&self, handle: f64) -> Result<u32> {
        Ok(connection(handle)?.ready_state() as u32)
    }

    #[napi]
    pub fn buffered_amount(&self, handle: f64) -> Result<f64> {
        Ok(connection(handle)?.buffered_amount() as f64)
    }

    #[napi]
    pub fn protocol(&self, handle: f64) -> Result<String> {
        Ok(connection(handle)?.protocol())
    }

    /// The extensions in use, as in the response's header; empty if there are none.
    #[napi]
    pub fn extensions(&self, handle: f64) -> Result<String> {
        Ok(connection(handle)?.extensions())
    }

    /// The peer's address and port; empty if there is none.
    #[napi]
    pub fn remote_address(&self, handle: f64) -> Result<Vec<String>> {
        let address = connection(handle)?.remote_address();
        Ok(address
            .map(|address| vec![address.ip().to_string(), address.port().to_string()])
            .unwrap_or_default())
    }

    /// A server's own address and port; empty if there is none any more.
    #[napi]
    pub fn local_address(&self, handle: f64) -> Result<Vec<String>> {
        let address = server(handle)?.local_address();
        Ok(address
            .map(|address| vec![address.ip().to_string(), address.port().to_string()])
            .unwrap_or_default())
    }

    #[napi]
    pub fn timings(&self, handle: f64) -> Result<StepTimes> {
        let timings = connection(handle)?.timings();
        Ok(StepTimes {
            dns: timings.dns.map(millis),
            tcp: timings.tcp.map(millis),
            proxy: timings.proxy.map(millis),
            tls: timings.tls.map(millis),
            upgrade: timings.upgrade.map(millis),
        })
    }

    /// What was agreed on in the TLS handshake; null without TLS.
    #[napi]
    pub fn tls_info(&self, handle: f64) -> Result<Option<TlsAgreement>> {
        Ok(connection(handle)?.tls().map(|info| TlsAgreement {
            version: info.version.to_string(),
            cipher_suite: info.cipher_suite,
            alpn: info.alpn,
            server_name: info.server_name,
            peer_certificate: info.peer_certificate.map(Buffer::from),
            resumed: info.resumed,
        }))
    }

    /// Null once the connection has ended.
    #[napi]
    pub fn metrics(&self, handle: f64) -> Result<Option<Counters>> {
        Ok(connection(handle)?.metrics().map(|metrics| Counters {
            bytes_in: metrics.bytes_in as f64,
            bytes_out: metrics.bytes_out as f64,
            frames_in: metrics.frames_in as f64,
            frames_out: metrics.frames_out as f64,
            messages_in: metrics.messages_in as f64,
            messages_out: metrics.messages_out as f64,
            dropped: metrics.dropped as f64,
            buffered: metrics.buffered as f64,
            compressed_from: metrics.compressed_from as f64,
            compressed_to: metrics.compressed_to as f64,
            inflated_from: metrics.inflated_from as f64,
            inflated_to: metrics.inflated_to as f64,
            latency: metrics.latency.map(millis),
        }))
    }

    /// How many bytes the system has taken.
    #[napi]
    pub fn bytes_taken(&self, handle: f64) -> Result<f64> {
        let metrics = connection(handle)?.metrics().unwrap_or_default();
        Ok(metrics.bytes_out as f64)
    }

    /// The header fields of the request as it was sent: names and values in turn.
    #[napi]
    pub fn request_headers(&self, handle: f64) -> Result<Vec<String>> {
        Ok(in_turn(&connection(handle)?.request_headers()))
    }

    /// The header fields of the server's 101 response: names and values in turn.
    #[napi]
    pub fn response_headers(&self, handle: f64) -> Result<Vec<String>> {
        Ok(in_turn(&connection(handle)?.response_headers()))
    }

    /// The round trip of the last answered ping, in milliseconds; null before.
    #[napi]
    pub fn latency(&self, handle: f64) -> Result<Option<f64>> {
        let metrics = connection(handle)?.metrics();
        Ok(metrics.and_then(|metrics| metrics.latency).map(millis))
    }
}

fn in_turn(headers: &[(String, Vec<u8>)]) -> Vec<String> {
    let fields = headers.iter();
    fields
        .flat_map(|(name, value)| [name.clone(), latin1(value)])
        .collect()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Header values as Node reads them: each byte is a character.
pub(crate) fn latin1(value: &[u8]) -> String {
    value.iter().map(|byte| char::from(*byte)).collect()
}
