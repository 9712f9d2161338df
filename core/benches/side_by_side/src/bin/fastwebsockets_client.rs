//! A client on fastwebsockets and hyper, on a current-thread runtime: `PORT CONNECTIONS PIPELINE SIZE`, and on each
//! connection PIPELINE messages of SIZE bytes in flight, whose echoes are compared whole.

use std::error::Error;
use std::future::Future;
use std::net::Ipv4Addr;

use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, handshake};
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, UPGRADE};
use hyper::rt::Executor;
use side_by_side::client::{Options, run};
use tokio::net::TcpStream;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    run(connection)
}

/// What hyper starts for the connection is a task like others.
struct Tasks;

impl<F> Executor<F> for Tasks
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, future: F) {
        tokio::spawn(future);
    }
}

async fn connection(options: Options, payload: Vec<u8>) -> Result<()> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, options.port)).await?;
    stream.set_nodelay(true)?;
    let request = Request::get("/")
        .header("Host", format!("127.0.0.1:{}", options.port))
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "upgrade")
        .header("Sec-WebSocket-Key", handshake::generate_key())
        .header("Sec-WebSocket-Version", "13")
        .body(Empty::<Bytes>::new())?;
    let (socket, _) = handshake::client(&Tasks, request, stream).await?;
    let mut socket = FragmentCollector::new(socket);
    for _ in 0..options.pipeline {
        socket
            .write_frame(Frame::binary(Payload::Borrowed(&payload)))
            .await?;
    }
    loop {
        let frame = socket.read_frame().await?;
        if frame.opcode != OpCode::Binary || *frame.payload != *payload {
            return Err("an echo differs from its message".into());
        }
        socket
            .write_frame(Frame::binary(Payload::Borrowed(&payload)))
            .await?;
    }
}
