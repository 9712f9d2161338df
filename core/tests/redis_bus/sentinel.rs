//! Sentinels, who know which server is the master.

use crate::certificates::Authority;
use crate::redis::{Folder, RedisServer, free_port};
use crate::scene::{Node, channel_of};

#[test]
fn the_master_of_the_sentinels_is_found_again_after_a_failover() {
    let master = RedisServer::start();
    let port = master.port.to_string();
    let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &port]);
    while !replica.cli("INFO replication").contains("master_link_status:up") {}
    let sentinel = RedisServer::sentinel("main", master.port);
    // It finds the replica by itself.
    while !sentinel
        .cli("SENTINEL REPLICAS main")
        .contains(&replica.port.to_string())
    {}
    let dead = free_port();
    let url = format!(
        "redis+sentinel://127.0.0.1:{dead},127.0.0.1:{}/main/1",
        sentinel.port
    );
    let node = Node::connected(&url);
    node.subscribe("c", channel_of("a"));
    drop(master);
    node.events.hear_of("redis disconnected");
    assert_eq!(node.events.hear_of("redis connected"), "redis connected");
    node.publish("a", "x");
    assert_eq!(node.ears.hear(), "c a x");
    node.bus().set("k", b"v".to_vec(), 60_000);
    node.flush().unwrap();
    assert_eq!(replica.cli_with(&["-n", "1"], "GET k"), "v");
}

#[test]
fn a_name_that_no_sentinel_knows_is_told() {
    let master = RedisServer::start();
    let sentinel = RedisServer::sentinel("main", master.port);
    let node = Node::new(&format!("redis+sentinel://127.0.0.1:{}/other", sentinel.port));
    let told = node.events.hear();
    assert!(told.contains("knows no master of the name \"other\""), "{told}");
}

/// A node is connected by the sentinel, and hears what it says itself.
#[track_caller]
fn is_well(node: &Node) {
    assert_eq!(node.events.hear(), "redis connected");
    node.subscribe("c", channel_of("a"));
    node.publish("a", "x");
    assert_eq!(node.ears.hear(), "c a x");
}

#[track_caller]
fn is_refused(node: &Node, part: &str) {
    let told = node.events.hear();
    assert!(
        told.starts_with("redis disconnected: ") && told.contains(part),
        "{told}"
    );
    assert!(!told.contains("geheim"), "{told}");
}

#[test]
fn sentinels_may_want_other_users_and_passwords_than_the_master() {
    let master = RedisServer::with(&["--requirepass", "of-it"]);
    let lines = "requirepass geheim&\nuser asker on >geheim ~* &* +@all\nsentinel auth-pass main of-it";
    let sentinel = RedisServer::sentinel_in(Folder::new(), "main", master.port, lines);
    let url = format!("redis+sentinel://:of-it@127.0.0.1:{}/main", sentinel.port);
    is_well(&Node::new(&format!("{url}?sentinel_password=geheim%26")));
    is_well(&Node::new(&format!(
        "{url}?sentinel_user=asker&sentinel_password=geheim"
    )));
    is_well(&Node::with(&url, |options| {
        options.sentinel_password = Some("geheim&".into())
    }));
    is_well(&Node::with(&url, |options| {
        options.sentinel_user = Some("asker".into());
        options.sentinel_password = Some("geheim".into());
    }));
    is_refused(&Node::new(&url), "wants a password");
    is_refused(
        &Node::new(&format!("{url}?sentinel_password=wrong-geheim")),
        "refused user and password",
    );
    // The URL goes first, as a whole.
    is_refused(
        &Node::with(&format!("{url}?sentinel_user=nobody"), |options| {
            options.sentinel_password = Some("geheim&".into());
        }),
        "wants a password",
    );
}

#[test]
fn sentinels_may_be_asked_over_tls() {
    let folder = Folder::new();
    let authority = Authority::new("the sentinel's authority");
    let identity = authority.identity(&["localhost"]);
    let ca = folder.write("ca.pem", authority.pem());
    let certificate = folder.write("certificate.pem", &identity.certificates);
    let key = folder.write("key.pem", &identity.private_key);
    let master = RedisServer::start();
    let port = free_port();
    let lines = format!(
        "requirepass geheim\ntls-port {port}\ntls-auth-clients no\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}",
        certificate.display(),
        key.display(),
        ca.display()
    );
    let sentinel = RedisServer::sentinel_in(folder, "main", master.port, &lines);
    let url = format!("redis+sentinel://localhost:{port}/main?sentinel_password=geheim");
    is_well(&Node::with(&format!("{url}&sentinel_tls=1"), |options| {
        options.tls.ca_file = Some(ca.clone())
    }));
    is_well(&Node::with(&url, |options| {
        options.sentinel_tls = true;
        options.tls.insecure = true;
    }));
    is_refused(&Node::new(&format!("{url}&sentinel_tls=1")), "certificate");
    is_refused(&Node::new(&url), &format!("localhost:{port}"));
    drop(sentinel);
}
