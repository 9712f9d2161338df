//! A client on tokio-tungstenite, on a current-thread runtime: `PORT CONNECTIONS PIPELINE SIZE`, and on each connection
//! PIPELINE messages of SIZE bytes in flight, whose echoes are compared whole. What follows the echoes that are there
//! already is fed, then flushed together.

use std::error::Error;

use futures_util::{FutureExt, SinkExt, StreamExt};
use side_by_side::client::{Options, run};
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::{Bytes, Message};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    run(connection)
}

async fn connection(options: Options, payload: Vec<u8>) -> Result<()> {
    let payload = Bytes::from(payload);
    let url = format!("ws://127.0.0.1:{}/", options.port);
    let without_nagle = true;
    let (mut socket, _) = connect_async_with_config(url, None, without_nagle).await?;
    for _ in 0..options.pipeline {
        socket.feed(Message::Binary(payload.clone())).await?;
    }
    loop {
        socket.flush().await?;
        let mut next = socket.next().await;
        loop {
            let message = next.ok_or("the server hung up")??;
            if !matches!(message, Message::Binary(echo) if echo == payload) {
                return Err("an echo differs from its message".into());
            }
            socket.feed(Message::Binary(payload.clone())).await?;
            match socket.next().now_or_never() {
                Some(there) => next = there,
                None => break,
            }
        }
    }
}
