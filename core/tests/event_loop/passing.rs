//! Requests that a route leaves to the server, and upgrades that it does not take.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::unbounded;
use sockline::{Exchange, HttpAnswer, MessageType, Server, ServerOptions};

use crate::support::peer::REQUEST;
use crate::support::routes::{Heard, get, ok, post, recorded, response, routed};
use crate::support::{Peer, TempDir, port, recorder, serve, started};

/// A route that hears all requests, before a folder with `file.txt` and `long.txt`, and metrics.
fn hooked(change: impl FnOnce(&mut ServerOptions)) -> (ServerOptions, Heard, TempDir) {
    let folder = TempDir::new();
    folder.file("file.txt", b"a file");
    folder.file("long.txt", &[b'x'; 300_000]);
    let (options, heard) = routed(|route| route.is_hook = true);
    let mut options = ServerOptions {
        static_folder: Some(folder.0.clone()),
        path: Some("/ws".to_owned()),
        metrics_path: Some("/metrics".to_owned()),
        ..options
    };
    change(&mut options);
    (options, heard, folder)
}

fn pass_next(heard: &Heard) {
    let request = heard.request();
    request.exchange.pass(request.head);
}

fn connect(server: Server) -> Peer {
    Peer::connect(port(server))
}

#[test]
fn what_is_passed_is_answered_as_without_routes_and_the_connection_goes_on() {
    let (options, heard, _folder) = hooked(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = connect(server);
    // All at once: the later ones wait behind the first.
    peer.send(
        &["/file.txt", "/long.txt", "/no", "/metrics", "/own", "/file.txt"]
            .map(get)
            .concat(),
    );
    for (status, start, length) in [
        (200, "a file", 6),
        (200, "xxx", 300_000),
        (404, "there is no /no", 0),
        (200, "# HELP", 0),
    ] {
        pass_next(&heard);
        let (head, body) = response(&mut peer);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(!head.contains("Connection: close\r\n"), "{head}");
        assert!(
            body.starts_with(start.as_bytes()),
            "{:?}",
            String::from_utf8_lossy(&body)
        );
        assert!(length == 0 || body.len() == length);
    }
    heard.request().exchange.respond(ok(b"own"));
    assert_eq!(response(&mut peer).1, b"own");
    pass_next(&heard);
    assert_eq!(response(&mut peer).1, b"a file");
}

#[test]
fn a_route_passes_at_once_too() {
    let (route, _heard) = recorded(|route| {
        route.is_hook = true;
        route.passes = true;
    });
    let (options, _, _folder) = hooked(|options| options.routes = vec![route]);
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = connect(server);
    peer.send(&["/file.txt", "/long.txt", "/no", "/file.txt"].map(get).concat());
    assert_eq!(response(&mut peer).1, b"a file");
    assert_eq!(response(&mut peer).1.len(), 300_000);
    assert!(response(&mut peer).0.starts_with("HTTP/1.1 404 "));
    assert_eq!(response(&mut peer).1, b"a file");
}

#[test]
fn at_the_endpoint_the_server_says_what_it_wants() {
    let (options, heard, _folder) = hooked(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = connect(server);
    peer.send(&get("/ws"));
    pass_next(&heard);
    assert!(peer.read_head().starts_with("HTTP/1.1 426 "));
}

#[test]
fn upgrades_that_a_route_does_not_take_are_the_servers() {
    let (options, heard, _folder) = hooked(|_| {});
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(&on_loop, options, handler);
    let mut peer = connect(server);
    peer.send(REQUEST.replacen("GET / ", "GET /ws ", 1).as_bytes());
    assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
    events.open();
    server.broadcast(MessageType::Text, b"to all").unwrap();
    assert_eq!(peer.read_frame(), (0x81, b"to all".to_vec()));
    let mut astray = connect(server);
    astray.send(REQUEST.replacen("GET / ", "GET /elsewhere ", 1).as_bytes());
    assert!(astray.read_head().starts_with("HTTP/1.1 404 "));
    assert!(heard.is_silent());
}

#[test]
fn a_passed_request_is_counted_once() {
    let (options, heard, _folder) = hooked(|options| options.max_requests = 2);
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = connect(server);
    for is_last in [false, true] {
        peer.send(&get("/file.txt"));
        pass_next(&heard);
        let (head, body) = response(&mut peer);
        assert_eq!(head.contains("Connection: close\r\n"), is_last, "{head}");
        assert_eq!(body, b"a file");
    }
    assert!(peer.read_to_end().is_empty());
}

#[test]
fn what_is_passed_while_the_server_drains_is_answered_and_the_last() {
    let (options, heard, _folder) = hooked(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = connect(server);
    peer.send(&get("/file.txt"));
    let request = heard.request();
    server.drain(Duration::from_secs(60)).unwrap();
    // Both are asked of the same thread, in this order.
    request.exchange.pass(request.head);
    let (head, body) = response(&mut peer);
    assert!(head.contains("Connection: close\r\n"), "{head}");
    assert_eq!(body, b"a file");
    assert!(peer.read_to_end().is_empty());
}

#[test]
fn a_body_is_over_when_its_request_is_passed() {
    let (options, heard, _folder) = hooked(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = connect(server);
    peer.send(&post("/file.txt", b"body"));
    pass_next(&heard);
    assert!(response(&mut peer).0.starts_with("HTTP/1.1 405 "));
    assert!(peer.read_to_end().is_empty()); // as it does without a route, where the body is not read
}

#[test]
fn passing_from_other_threads_and_for_clients_that_have_gone() {
    let (options, heard, _folder) = hooked(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut gone = connect(server);
    gone.send(&get("/file.txt"));
    let left = heard.request();
    drop(gone);
    heard.cut(left.exchange.id());
    left.exchange.pass(left.head);
    let mut peer = connect(server);
    peer.send(&get("/file.txt"));
    let request = heard.request();
    thread::spawn(move || request.exchange.pass(request.head))
        .join()
        .unwrap();
    assert_eq!(response(&mut peer).1, b"a file");
    let head = {
        peer.send(&get("/own"));
        let request = heard.request();
        request.exchange.respond(ok(b"own"));
        request.head
    };
    let (sender, answers) = unbounded();
    Exchange::foreign(Box::new(move |answer| sender.send(answer).unwrap())).pass(head);
    assert_eq!(answers.try_recv(), Ok(HttpAnswer::new(404)));
}

#[test]
fn a_number_passes_what_was_kept_for_it() {
    let (options, heard, _folder) = hooked(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = connect(server);
    for (keeps, status) in [(true, 200), (false, 404)] {
        peer.send(&get("/file.txt"));
        let mut request = heard.request();
        if keeps {
            request.exchange.keep(Arc::new(request.head));
        }
        let number = request.exchange.into_raw();
        Exchange::from_raw(number).unwrap().pass_kept();
        let (head, _) = response(&mut peer);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
}
