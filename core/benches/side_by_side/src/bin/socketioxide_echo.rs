//! socketioxide on axum, on a current-thread runtime: what `io_echo_server` of sockline's examples does, written as its
//! documentation shows an echo.

use std::io;
use std::net::Ipv4Addr;

use axum::Router;
use axum::serve::ListenerExt;
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::net::TcpListener;

const ROOM: &str = "room";

fn main() -> io::Result<()> {
    let port = side_by_side::port_argument()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serve(port))
}

async fn serve(port: u16) -> io::Result<()> {
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", on_connect);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on 127.0.0.1:{port}");
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            eprintln!("TCP_NODELAY was not set: {error}");
        }
    });
    axum::serve(listener, Router::new().layer(layer)).await
}

async fn on_connect(socket: SocketRef) {
    socket.join(ROOM);
    socket.on("msg", async |Data::<Value>(value), ack: AckSender| {
        if let Err(error) = ack.send(&value) {
            eprintln!("an event was not answered: {error}");
        }
    });
    socket.on("bc", async |socket: SocketRef, Data::<Value>(value)| {
        if let Err(error) = socket.within(ROOM).emit("bc", &value).await {
            eprintln!("an event was not sent to all: {error}");
        }
    });
}
