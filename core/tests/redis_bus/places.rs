//! Where Redis can be, and who may use it.

use std::path::PathBuf;

use sockline::ErrorCode;
use sockline::adapter::redis::{Redis, RedisOptions};

use crate::certificates::Authority;
use crate::redis::{Folder, RedisServer, free_port};
use crate::scene::{Node, channel_of, sharded};

/// All its connections work.
#[track_caller]
fn is_well(node: &Node) {
    assert_eq!(node.events.hear(), "redis connected");
    node.subscribe("c", channel_of("a"));
    node.subscribe("s", sharded("a"));
    node.publish("a", "x");
    assert_eq!(node.ears.hear(), "c a x");
    node.spublish("a", "y");
    assert_eq!(node.ears.hear(), "s a y");
    node.bus().follow("f", node.ears.mouth("f"));
    node.ears.hear_of("f from ");
    node.append("f", "z").unwrap();
    assert_eq!(node.ears.hear(), "f text=z");
}

/// It never gets a connection, for this reason.
#[track_caller]
fn is_refused(node: &Node, part: &str) {
    let told = node.events.hear();
    assert!(
        told.starts_with("redis disconnected: ") && told.contains(part),
        "{told}"
    );
    let error = node.take("k").unwrap_err();
    assert!(error.0.contains(part), "{error}");
    assert!(!told.contains("geheim"), "{told}");
}

#[test]
fn a_password_is_needed_where_one_is_set() {
    let server = RedisServer::with(&["--requirepass", "pass:word"]);
    let place = format!("127.0.0.1:{}", server.port);
    is_well(&Node::new(&format!("redis://:pass%3Aword@{place}")));
    is_well(&Node::new(&format!("redis://default:pass:word@{place}")));
    is_refused(
        &Node::new(&format!("redis://:geheim@{place}")),
        "refused user and password",
    );
    is_refused(&Node::new(&server.url()), "wants a password");
}

#[test]
fn users_may_do_what_their_list_says() {
    let server = RedisServer::start();
    server.cli("ACL SETUSER node on >geheim ~* &* +@all");
    server.cli("ACL SETUSER reader on >geheim ~* &* +@all -publish");
    server.cli("ACL SETUSER default off");
    let url = |user: &str| format!("redis://{user}:geheim@127.0.0.1:{}", server.port);
    is_well(&Node::new(&url("node")));
    is_refused(&Node::new(&url("nobody")), "refused user and password");
    let reader = Node::new(&url("reader"));
    assert_eq!(reader.events.hear(), "redis connected");
    reader.publish("a", "x");
    let told = reader.events.hear();
    assert!(told.contains("does not permit"), "{told}");
}

#[test]
fn a_password_that_is_changed_lets_nodes_in_later() {
    let server = RedisServer::with(&["--requirepass", "right"]);
    let node = Node::new(&format!("redis://:wrong@127.0.0.1:{}", server.port));
    is_refused(&node, "refused user and password");
    server.cli("AUTH right\nCONFIG SET requirepass wrong");
    is_well(&node);
}

#[test]
fn values_are_in_the_database_of_the_url() {
    let server = RedisServer::start();
    let node = Node::new(&format!("{}/3", server.url()));
    is_well(&node);
    node.bus().set("k", b"v".to_vec(), 60_000);
    node.flush().unwrap();
    assert_eq!(server.cli_with(&["-n", "3"], "GET k"), "v");
    assert_eq!(server.cli("EXISTS k"), "0");
    is_refused(
        &Node::new(&format!("{}/99", server.url())),
        "DB index is out of range",
    );
}

#[test]
fn a_socket_of_the_file_system_is_as_good_as_a_port() {
    let folder = Folder::new();
    let path = folder.path("redis.sock").display().to_string();
    let _server = RedisServer::in_folder(folder, &["--unixsocket", &path]);
    is_well(&Node::new(&format!("unix://{path}")));
    is_well(&Node::new(&format!("unix:{path}?db=1")));
    is_refused(&Node::new("unix:///nowhere/redis.sock"), "can't be connected to");
}

#[test]
fn a_host_without_an_address_is_named() {
    is_refused(
        &Node::new("redis://no.such.host.invalid:1"),
        "no.such.host.invalid:1",
    );
}

#[test]
fn something_else_than_redis_is_noticed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mute = Node::with(&format!("redis://127.0.0.1:{port}"), |options| {
        options.command_timeout = 300;
    });
    is_refused(&mute, "does not answer");
    std::thread::spawn(move || {
        use std::io::Write;
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let node = Node::new(&format!("redis://127.0.0.1:{port}"));
    is_refused(&node, &format!("127.0.0.1:{port}"));
}

#[test]
fn options_that_can_not_work_are_refused_at_once() {
    let refused = |options: RedisOptions| Redis::new(options, None).unwrap_err();
    let error = refused(RedisOptions::new("http://:geheim@localhost"));
    assert_eq!(error.code(), ErrorCode::InvalidUrl);
    assert!(!error.text().contains("geheim"), "{error}");
    let mut options = RedisOptions::new("rediss://localhost");
    options.tls.ca_file = Some(PathBuf::from("/nowhere.pem"));
    let error = refused(options.clone());
    assert_eq!(error.code(), ErrorCode::Tls);
    assert!(error.text().contains("/nowhere.pem"), "{error}");
    let folder = Folder::new();
    options.tls.ca_file = Some(folder.write(
        "bad.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ));
    assert_eq!(refused(options.clone()).code(), ErrorCode::Tls);
    options.tls.ca_file = None;
    options.tls.key_file = Some(folder.path("key.pem"));
    assert_eq!(refused(options).code(), ErrorCode::InvalidArgument);
    let secret = format!("{:?}", RedisOptions::new("redis://user:geheim@host:1/0"));
    assert!(
        !secret.contains("geheim") && secret.contains("host:1"),
        "{secret}"
    );
}

/// A server that speaks TLS only, and asks for certificates as Redis does by default.
struct Secure {
    server: RedisServer,
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    port: u16,
}

impl Secure {
    fn new(asks_for_certificates: bool) -> Secure {
        let folder = Folder::new();
        let authority = Authority::new("Redis' authority");
        let identity = authority.identity(&["localhost"]);
        let ca = folder.write("ca.pem", authority.pem());
        let certificate = folder.write("certificate.pem", &identity.certificates);
        let key = folder.write("key.pem", &identity.private_key);
        let port = free_port();
        let text = |path: &PathBuf| path.display().to_string();
        let server = RedisServer::in_folder(
            folder,
            &[
                "--tls-port",
                &port.to_string(),
                "--tls-cert-file",
                &text(&certificate),
                "--tls-key-file",
                &text(&key),
                "--tls-ca-cert-file",
                &text(&ca),
                "--tls-auth-clients",
                if asks_for_certificates { "yes" } else { "no" },
            ],
        );
        Secure {
            server,
            ca,
            certificate,
            key,
            port,
        }
    }

    fn node(&self, change: impl FnOnce(&mut RedisOptions)) -> Node {
        Node::with(&format!("rediss://localhost:{}", self.port), change)
    }
}

#[test]
fn tls_trusts_who_it_is_told_to() {
    let secure = Secure::new(false);
    is_well(&secure.node(|options| options.tls.ca_file = Some(secure.ca.clone())));
    is_well(&secure.node(|options| options.tls.insecure = true));
    is_refused(&secure.node(|_| {}), "certificate");
    let numeric = format!("rediss://127.0.0.1:{}", secure.port);
    let node = Node::with(&numeric, |options| options.tls.ca_file = Some(secure.ca.clone()));
    is_refused(&node, "certificate");
    // Speaks without TLS to a port with it, and the other way round.
    is_refused(
        &Node::new(&format!("redis://localhost:{}", secure.port)),
        "localhost",
    );
    let plain = format!("rediss://localhost:{}", secure.server.port);
    is_refused(
        &Node::with(&plain, |options| options.command_timeout = 500),
        "localhost",
    );
}

#[test]
fn tls_shows_a_certificate_where_one_is_asked_for() {
    let secure = Secure::new(true);
    is_well(&secure.node(|options| {
        options.tls.ca_file = Some(secure.ca.clone());
        options.tls.certificate_file = Some(secure.certificate.clone());
        options.tls.key_file = Some(secure.key.clone());
    }));
    let without = secure.node(|options| options.tls.ca_file = Some(secure.ca.clone()));
    is_refused(&without, "localhost");
}
