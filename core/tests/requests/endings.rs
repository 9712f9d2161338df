//! What ends a request without an answer.

use std::time::Duration;

use sockline::ErrorCode;
use sockline::requests::Call;

use crate::scene::{scene, scene_with};

#[test]
fn nobody_there_is_an_error() {
    let nobody = crate::support::Nobody::new();
    let on_loop = crate::support::started();
    let client = sockline::requests::HttpClient::new(
        Some(&on_loop),
        &crate::support::url(nobody.port()),
        Default::default(),
    )
    .unwrap();
    let (told, hears) = std::sync::mpsc::channel();
    for _ in 0..3 {
        let told = told.clone();
        client
            .request(Call::get("/"), move |answer| {
                told.send(answer.unwrap_err().code()).unwrap()
            })
            .unwrap();
    }
    for _ in 0..3 {
        assert_eq!(hears.recv().unwrap(), ErrorCode::ConnectFailed);
    }
}

#[test]
fn what_is_not_http_is_an_error() {
    for answer in [
        "no HTTP\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 101 Switching\r\n\r\n",
    ] {
        let scene = scene();
        let get = scene.get("/");
        let mut peer = scene.host.answer(answer);
        assert_eq!(get.result().unwrap_err().code(), ErrorCode::Protocol, "{answer}");
        let mut rest = Vec::new();
        // A reset, if our side had not read all when it closed.
        let _ = std::io::Read::read_to_end(&mut peer.stream, &mut rest);
    }
}

#[test]
fn an_answer_that_stops_is_an_error() {
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\nCon",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
    ] {
        let scene = scene();
        let get = scene.get("/");
        drop(scene.host.answer(answer));
        assert_eq!(get.result().unwrap_err().code(), ErrorCode::Closed, "{answer:?}");
    }
}

#[test]
fn an_answer_too_much_ends_the_connection() {
    let scene = scene();
    let get = scene.get("/1");
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let mut peer = scene
        .host
        .answer(&format!("{ok}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"));
    assert_eq!(get.body(), "ok");
    let next = scene.get("/2");
    let _other = scene.host.answer(ok);
    assert_eq!(next.body(), "ok");
    let mut rest = Vec::new();
    let _ = std::io::Read::read_to_end(&mut peer.stream, &mut rest);
    assert_eq!(rest, b"");
}

#[test]
fn a_request_can_time_out() {
    let scene = scene_with(|options| options.timeout = Some(Duration::from_millis(50)));
    let get = scene.get("/");
    let mut peer = scene.host.accept();
    peer.read_head();
    assert_eq!(get.result().unwrap_err().code(), ErrorCode::HandshakeTimeout);
    assert_eq!(peer.read_to_end(), b"");
}

#[test]
fn an_aborted_request_is_never_answered() {
    let scene = scene();
    let first = scene.get("/1");
    let mut peer = scene.host.accept();
    peer.read_head();
    let second = scene.get("/2");
    let mut other = scene.host.accept();
    other.read_head();
    let waiting = scene.get("/3");
    scene.client.abort(waiting.1);
    waiting.never();
    scene.client.abort(first.1);
    first.never();
    assert_eq!(peer.read_to_end(), b"");
    other.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(second.body(), "ok");
}

#[test]
fn closing_and_dropping_give_everything_up() {
    let scene = scene();
    let get = scene.get("/1");
    let mut peer = scene.host.accept();
    peer.read_head();
    scene.client.close();
    get.never();
    assert_eq!(peer.read_to_end(), b"");
    let error = scene.client.request(Call::get("/"), |_| panic!("it is closed"));
    assert_eq!(error.unwrap_err().code(), ErrorCode::Closed);

    let scene = crate::scene::scene();
    let get = scene.get("/1");
    let mut peer = scene.host.accept();
    peer.read_head();
    drop(scene.client);
    get.never();
    assert_eq!(peer.read_to_end(), b"");
}

#[test]
fn the_end_of_the_loop_is_an_error() {
    let scene = scene();
    let get = scene.get("/1");
    let mut peer = scene.host.accept();
    peer.read_head();
    drop(scene.on_loop);
    assert_eq!(get.result().unwrap_err().code(), ErrorCode::Closed);
    assert_eq!(peer.read_to_end(), b"");
}
