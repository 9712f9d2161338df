//! Sentinels, who know which server is the master.

use crate::redis::{RedisServer, free_port};
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
