//! tokio-tungstenite on a current-thread runtime, with the echo of its own example: `forward` feeds every message
//! that is there already, then flushes them together, and polls no more often than it must. With a certificate and a
//! key as further arguments (files in PEM) over tokio-rustls.

use std::error::Error;
use std::future;
use std::net::Ipv4Addr;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_tungstenite::accept_async;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let port = side_by_side::port_argument()?;
    let tls = match (std::env::args().nth(2), std::env::args().nth(3)) {
        (Some(certificate), Some(key)) => Some(acceptor(&certificate, &key)?),
        _ => None,
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?
        .block_on(serve(port, tls))
}

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor> {
    let certificate = CertificateDer::from_pem_file(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let config = ServerConfig::builder()
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
