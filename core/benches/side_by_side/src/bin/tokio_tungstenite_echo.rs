//! tokio-tungstenite on a current-thread runtime, with the echo of its own example: `forward` feeds every message
//! that is there already, then flushes them together, and polls no more often than it must.

use std::future;
use std::io;
use std::net::Ipv4Addr;

use futures_util::{StreamExt, TryStreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Error;

fn main() -> io::Result<()> {
    let port = side_by_side::port_argument()?;
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(serve(port))
}

async fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on 127.0.0.1:{port}");
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = echo(stream).await {
                eprintln!("connection failed: {error}");
            }
        });
    }
}

async fn echo(stream: TcpStream) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let (replies, messages) = accept_async(stream).await?.split();
    // The library answers pings and close frames itself.
    let messages = messages.try_filter(|message| future::ready(message.is_text() || message.is_binary()));
    messages.forward(replies).await
}
