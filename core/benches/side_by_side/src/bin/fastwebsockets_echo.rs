//! fastwebsockets behind hyper on a current-thread runtime, with the echo of its own example.

use std::convert::Infallible;
use std::error::Error;
use std::net::Ipv4Addr;

use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{FragmentCollector, OpCode, WebSocketError};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::unconstrained;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let port = side_by_side::port_argument()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?
        .block_on(serve(port))
}

async fn serve(port: u16) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on 127.0.0.1:{port}");
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream));
    }
}

async fn connection(stream: TcpStream) {
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
    if let Err(error) = connection.with_upgrades().await {
        eprintln!("connection failed: {error}");
    }
}

async fn answer(mut request: Request<Incoming>) -> std::result::Result<Response<Empty<Bytes>>, Infallible> {
    match upgrade(&mut request) {
        Ok((response, upgraded)) => {
            tokio::spawn(unconstrained(async {
                if let Err(error) = echo(upgraded).await {
                    eprintln!("connection failed: {error}");
                }
            }));
            Ok(response)
        }
        Err(_) => {
            let mut response = Response::new(Empty::new());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            Ok(response)
        }
    }
}

async fn echo(upgraded: UpgradeFut) -> std::result::Result<(), WebSocketError> {
    let mut socket = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            // The library has answered it.
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}
