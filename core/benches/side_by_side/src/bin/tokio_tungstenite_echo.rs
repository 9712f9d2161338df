//! tokio-tungstenite on a current-thread runtime, with the echo of its own example: `forward` feeds every message
//! that is there already, then flushes them together, and polls no more often than it must. Over tokio-rustls with a
//! certificate and a key (files in PEM) and who does the cryptography, `ring` or `aws-lc-rs`, as further arguments.

use std::error::Error;
use std::future;
use std::net::Ipv4Addr;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{aws_lc_rs, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_tungstenite::accept_async;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let port = side_by_side::port_argument()?;
    let arguments: Vec<String> = std::env::args().skip(2).collect();
    let tls = match arguments.as_slice() {
        [] => None,
        [certificate, key, provider] => Some(acceptor(certificate, key, provider)?),
        _ => return Err("usage: PORT [CERTIFICATE KEY ring|aws-lc-rs]".into()),
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?
        .block_on(serve(port, tls))
}

fn acceptor(certificate: &str, key: &str, provider: &str) -> Result<TlsAcceptor> {
    let provider = match provider {
        "ring" => ring::default_provider(),
        "aws-lc-rs" => aws_lc_rs::default_provider(),
        _ => return Err(format!("there is no {provider}").into()),
    };
    let certificate = CertificateDer::from_pem_file(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(Arc::new(config).into())
}

async fn serve(port: u16, tls: Option<TlsAcceptor>) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on 127.0.0.1:{port}");
    loop {
        let (stream, _) = listener.accept().await?;
        let tls = tls.clone();
        tokio::spawn(async move {
            if let Err(error) = connection(stream, tls).await {
                eprintln!("connection failed: {error}");
            }
        });
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>) -> Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => echo(tls.accept(stream).await?).await,
        None => echo(stream).await,
    }
}

async fn echo(stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<()> {
    let (replies, messages) = accept_async(stream).await?.split();
    // The library answers pings and close frames itself.
    let messages = messages.try_filter(|message| future::ready(message.is_text() || message.is_binary()));
    Ok(messages.forward(replies).await?)
}
