//! Plain HTTP on a server's port: the static folder, and clear answers to what is not an upgrade.

use std::os::unix::fs::symlink;
use std::time::Duration;

use sockline::{Loop, Server, ServerOptions};

use crate::support::peer::REQUEST;
use crate::support::{Peer, TempDir, local, masked, port, recorder, serve, started};

struct Site {
    folder: TempDir,
    server: Server,
    _loop: Loop,
}

/// Serves a folder, and WebSockets at /ws.
fn site() -> Site {
    site_with(|_| {})
}

fn site_with(change: impl FnOnce(&mut ServerOptions)) -> Site {
    let (folder, on_loop) = (TempDir::new(), started());
    folder.file("index.html", b"<h1>hello</h1>");
    folder.file("data.bin", b"0123456789");
    let mut options = ServerOptions {
        static_folder: Some(folder.0.clone()),
        path: Some("/ws".into()),
        ..local()
    };
    change(&mut options);
    let server = serve(&on_loop, options, recorder().0);
    Site {
        folder,
        server,
        _loop: on_loop,
    }
}

struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// Reads one answer; `has_body` is whether its Content-Length is followed by that many bytes.
fn read_answer(peer: &mut Peer, has_body: bool) -> Answer {
    let mut answer = Answer {
        head: peer.read_head(),
        body: Vec::new(),
    };
    if has_body && let Some(length) = answer.header("content-length") {
        answer.body = peer.read_exactly(length.parse().unwrap());
    }
    answer
}

fn ask(peer: &mut Peer, method: &str, path: &str, headers: &str) -> Answer {
    peer.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").as_bytes());
    read_answer(peer, method != "HEAD")
}

fn get(site: &Site, path: &str, headers: &str) -> Answer {
    ask(&mut Peer::connect(port(site.server)), "GET", path, headers)
}

#[test]
fn files_are_served_with_type_and_length() {
    let site = site();
    let page = get(&site, "/", "");
    assert_eq!((page.status(), &page.body[..]), (200, &b"<h1>hello</h1>"[..]));
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert_eq!(get(&site, "/data.bin", "").body, b"0123456789");
    assert_eq!(get(&site, "/data.bin?query", "").status(), 200);
    assert_eq!(get(&site, "/missing", "").status(), 404);
}

#[test]
fn head_has_no_body_and_the_connection_goes_on() {
    let site = site();
    let mut peer = Peer::connect(port(site.server));
    let head = ask(&mut peer, "HEAD", "/data.bin", "");
    assert_eq!((head.status(), head.header("content-length")), (200, Some("10")));
    assert_eq!(ask(&mut peer, "HEAD", "/missing", "").status(), 404);
    assert_eq!(ask(&mut peer, "GET", "/data.bin", "").body, b"0123456789");
}

#[test]
fn a_known_file_is_not_sent_again_and_a_range_is() {
    let site = site();
    let mut peer = Peer::connect(port(site.server));
    let tag = ask(&mut peer, "GET", "/data.bin", "")
        .header("etag")
        .unwrap()
        .to_owned();
    let known = ask(
        &mut peer,
        "GET",
        "/data.bin",
        &format!("If-None-Match: {tag}\r\n"),
    );
    assert_eq!((known.status(), known.body.len()), (304, 0));
    let part = ask(&mut peer, "GET", "/data.bin", "Range: bytes=2-4\r\n");
    assert_eq!((part.status(), &part.body[..]), (206, &b"234"[..]));
    assert_eq!(part.header("content-range"), Some("bytes 2-4/10"));
    let beyond = ask(&mut peer, "GET", "/data.bin", "Range: bytes=99-\r\n");
    assert_eq!(beyond.status(), 416);
}

#[test]
fn no_path_leads_out_of_the_folder() {
    let site = site();
    let outside = TempDir::new();
    let secret = outside.file("secret", b"secret");
    let name = outside.0.file_name().unwrap().to_str().unwrap();
    symlink(&secret, site.folder.0.join("link")).unwrap();
    symlink(&outside.0, site.folder.0.join("folder")).unwrap();
    let tries = [
        format!("/../{name}/secret"),
        format!("/%2e%2e/{name}/secret"),
        format!("/..%2f{name}%2fsecret"),
        format!("/x/../../{name}/secret"),
        format!("/..%5c{name}%5csecret"),
        format!("/{}", secret.display()),
        "/link".to_owned(),
        "/folder/secret".to_owned(),
    ];
    for path in tries {
        let answer = get(&site, &path, "");
        assert!(
            matches!(answer.status(), 400 | 403 | 404),
            "{path}: {}",
            answer.head
        );
        assert!(
            !answer
                .body
                .windows(6)
                .any(|part| part == b"secret" && answer.body.len() == 6),
            "{path}"
        );
    }
    symlink(site.folder.0.join("data.bin"), site.folder.0.join("inner")).unwrap();
    assert_eq!(
        get(&site, "/inner", "").body,
        b"0123456789",
        "a link that stays inside is followed"
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let site = site();
    let mut peer = Peer::connect(port(site.server));
    let one = "GET /data.bin HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let other = "GET /missing HTTP/1.1\r\nHost: localhost\r\n\r\n";
    peer.send([one, other, one, other, one].concat().as_bytes());
    for status in [200, 404, 200, 404, 200] {
        assert_eq!(read_answer(&mut peer, true).status(), status);
    }
    peer.send(REQUEST.replace("GET /", "GET /ws").as_bytes());
    assert!(
        peer.read_head().starts_with("HTTP/1.1 101 "),
        "an upgrade may follow on the same connection"
    );
}

#[test]
fn a_request_that_asks_for_it_closes_the_connection() {
    let site = site();
    let mut peer = Peer::connect(port(site.server));
    assert_eq!(
        ask(&mut peer, "GET", "/data.bin", "Connection: close\r\n").body,
        b"0123456789"
    );
    assert_eq!(peer.read_to_end(), b"");
    let mut old = Peer::connect(port(site.server));
    old.send(b"GET /data.bin HTTP/1.0\r\n\r\n");
    assert!(old.read_to_end().ends_with(b"0123456789"));
}

#[test]
fn a_big_file_reaches_a_slow_reader_whole_and_holds_up_nobody() {
    let site = site();
    let big: Vec<u8> = (0..20_u32 << 20).map(|n| (n / 7) as u8).collect();
    site.folder.file("big", &big);
    let mut slow = Peer::connect(port(site.server));
    slow.send(
        b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\nGET /data.bin HTTP/1.1\r\nHost: localhost\r\n\r\n",
    );
    assert_eq!(get(&site, "/data.bin", "").body, b"0123456789");
    let answer = read_answer(&mut slow, true);
    assert!(answer.body == big, "the file arrives as it is");
    assert_eq!(read_answer(&mut slow, true).body, b"0123456789");
}

#[test]
fn a_reader_that_goes_in_the_middle_of_a_file_harms_nobody() {
    let site = site();
    site.folder.file("big", &vec![1; 20 << 20]);
    let mut rude = Peer::connect(port(site.server));
    rude.send(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    rude.read_head();
    rude.reset();
    assert_eq!(get(&site, "/data.bin", "").body, b"0123456789");
}

#[test]
fn without_files_there_is_nothing_beside_the_endpoint() {
    let site = site_with(|options| options.static_folder = None);
    assert_eq!(get(&site, "/elsewhere", "").status(), 404);
    assert_eq!(get(&site, "/ws", "").status(), 426);
}

#[test]
fn what_is_not_an_upgrade_is_told_so() {
    let site = site();
    let endpoint = get(&site, "/ws", "");
    assert_eq!(
        (endpoint.status(), endpoint.header("upgrade")),
        (426, Some("websocket"))
    );
    let mut wrong_path = Peer::connect(port(site.server));
    wrong_path.send(REQUEST.replace("GET /", "GET /elsewhere").as_bytes());
    assert_eq!(read_answer(&mut wrong_path, true).status(), 404);
    let post = ask(
        &mut Peer::connect(port(site.server)),
        "POST",
        "/data.bin",
        "Content-Length: 0\r\n",
    );
    assert_eq!(post.status(), 405);
}

#[test]
fn a_bad_request_is_told_so_and_the_connection_ends() {
    let site = site();
    let cases: [(String, u16); 5] = [
        ("NOT HTTP\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\n\r\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".into(), 400),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(17 << 10)),
            431,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(200)),
            431,
        ),
    ];
    for (request, status) in cases {
        let mut peer = Peer::connect(port(site.server));
        peer.send(request.as_bytes());
        let answer = String::from_utf8(peer.read_to_end()).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request:.60}: {answer}"
        );
    }
}

#[test]
fn an_answer_arrives_though_the_client_goes_on_sending() {
    // Closing a socket with bytes unread resets it, and the reset would overtake the answer.
    let site = site();
    let mut peer = Peer::connect(port(site.server));
    peer.send(b"NOT HTTP\r\n\r\n");
    peer.send(&vec![0; 1 << 20]);
    peer.end_writing();
    assert!(peer.read_to_end().starts_with(b"HTTP/1.1 400 "));
}

#[test]
fn an_endless_head_is_cut_off_while_it_comes() {
    let site = site_with(|options| options.max_head = 1000);
    let mut peer = Peer::connect(port(site.server));
    peer.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(2000)).as_bytes());
    assert!(peer.read_to_end().starts_with(b"HTTP/1.1 431 "));
}

#[test]
fn a_connection_kept_alive_ends_without_a_word_when_nothing_follows() {
    let site = site_with(|options| options.handshake_timeout = Duration::from_millis(50));
    let mut peer = Peer::connect(port(site.server));
    assert_eq!(ask(&mut peer, "GET", "/data.bin", "").body, b"0123456789");
    assert_eq!(peer.read_to_end(), b"");
}

#[test]
fn a_body_before_the_upgrade_is_never_read_as_frames() {
    let site = site();
    let body = masked(0x81, b"smuggled");
    let mut peer = Peer::connect(port(site.server));
    let with_length = format!("GET /ws HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
    let request = REQUEST.replace("GET / HTTP/1.1\r\n", &with_length);
    peer.send(&[request.as_bytes(), &body].concat());
    assert!(peer.read_to_end().starts_with(b"HTTP/1.1 400 "));
}
