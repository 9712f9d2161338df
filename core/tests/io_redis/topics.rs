//! Topics that plain servers share over a server of Redis.

use std::sync::Arc;

use crossbeam_channel::{Receiver, unbounded};
use sockline::adapter::redis::{Redis, RedisMode, RedisOptions};
use sockline::{Address, ErrorCode, Loop, MessageType, Server, ServerOptions};

use crate::fixture::Client;
use crate::redis::{RedisCluster, RedisServer};
use crate::support::{Events, PATIENCE, Peer, closed_server, local, port, recorder, serve, started};
use crate::{MODES, Told};

const CHANNEL: &str = "socket.io-topics";

struct Node {
    /// Ends first: the others hear of it.
    _on_loop: Loop,
    server: Server,
    events: Events,
    redis: Redis,
    told: Receiver<bool>,
    closed: Receiver<Server>,
}

impl Node {
    fn new(url: &str, mode: RedisMode) -> Node {
        let (sender, told) = unbounded();
        let options = RedisOptions {
            mode,
            ..RedisOptions::new(url)
        };
        let redis = Redis::new(options, Some(Arc::new(Told(sender)))).unwrap();
        let on_loop = started();
        let ((handler, events), (server_handler, closed)) = (recorder(), closed_server());
        let options = ServerOptions {
            adapter: Some(redis.clone()),
            server_handler,
            ..local()
        };
        let server = serve(&on_loop, options, handler);
        Node {
            _on_loop: on_loop,
            server,
            events,
            redis,
            told,
            closed,
        }
    }

    #[track_caller]
    fn hears_that_redis_is(&self, there: bool) {
        while self.told.recv_timeout(PATIENCE).expect("Redis comes or goes") != there {}
    }

    /// Asks until so many servers listen: a subscription takes its time.
    #[track_caller]
    fn knows(&self, servers: usize) {
        let is_sharded = self.redis.options().mode == RedisMode::Sharded;
        let ask = || {
            let (done, count) = unbounded();
            let reply = Box::new(move |count| drop(done.send(count)));
            self.redis.bus().subscribers(CHANNEL, is_sharded, reply);
            count.recv_timeout(PATIENCE).unwrap()
        };
        while ask() != Ok(servers) {}
    }

    fn subscriber(&self) -> Peer {
        let peer = Peer::upgraded(port(self.server));
        self.events.open().subscribe("#").unwrap();
        peer
    }

    fn publish(&self, text: &str) {
        self.server
            .publish("t", MessageType::Text, text.as_bytes())
            .unwrap();
    }

    /// Fails unless this is what a client of another server gets next.
    #[track_caller]
    fn says(&self, text: &str, peers: &mut [&mut Peer]) {
        self.publish(text);
        for peer in peers {
            assert_eq!(peer.read_frame(), (0x81, text.as_bytes().to_vec()));
        }
    }
}

fn two(url: &str, mode: RedisMode) -> [Node; 2] {
    let nodes = [Node::new(url, mode), Node::new(url, mode)];
    nodes.iter().for_each(|node| node.knows(2));
    nodes
}

#[test]
fn what_is_published_at_one_is_heard_at_both_until_it_closes() {
    let redis = RedisServer::start();
    for mode in MODES {
        let [a, b] = two(&redis.url(), mode);
        let (mut first, mut second) = (a.subscriber(), b.subscriber());
        a.says("of a", &mut [&mut first, &mut second]);
        b.says("of b", &mut [&mut second, &mut first]);
        let emitter = a.redis.emitter();
        emitter.publish("x", MessageType::Binary, &[0, 0xff]).unwrap();
        for peer in [&mut first, &mut second] {
            assert_eq!(peer.read_frame(), (0x82, vec![0, 0xff]));
        }
        // What has come back to where it was from was heard before this, if at all.
        b.says("end", &mut [&mut second, &mut first]);
        b.server.close(Some(1001), "").unwrap();
        assert_eq!(second.read_frame().0, 0x88);
        drop(second);
        b.closed.recv_timeout(PATIENCE).unwrap();
        a.knows(1);
    }
}

#[test]
fn the_nodes_of_a_redis_cluster_carry_it() {
    let redis = RedisCluster::start();
    for mode in [RedisMode::Classic, RedisMode::Sharded] {
        let a = Node::new(&redis.url(0), mode);
        let b = Node::new(&redis.url(1), mode);
        a.knows(2);
        b.knows(2);
        let (mut first, mut second) = (a.subscriber(), b.subscriber());
        a.says("of a", &mut [&mut first, &mut second]);
        b.says("of b", &mut [&mut second, &mut first]);
    }
}

#[test]
fn strangers_on_the_channel_do_no_harm() {
    let redis = RedisServer::start();
    let [a, b] = two(&redis.url(), RedisMode::Classic);
    let (mut first, mut second) = (a.subscriber(), b.subscriber());
    let published = redis.cli(&format!(
        "PUBLISH {CHANNEL} hello\nPUBLISH {CHANNEL} \"\\x93\\xa1u\\xa1+\\xa1x\"\nPUBLISH {CHANNEL} \"\\x93\\xa1u\\xa1t\\xa1\\xff\"\n\
         PUBLISH {CHANNEL} \"\\x93\\xa8somebody\\xa1t\\xa5hello\"\n"
    ));
    assert_eq!(published, "2\n2\n2\n2");
    for peer in [&mut first, &mut second] {
        assert_eq!(peer.read_frame(), (0x81, b"hello".to_vec()));
    }
    a.says("end", &mut [&mut first, &mut second]);
}

#[test]
fn servers_go_on_alone_while_redis_is_away_and_together_when_it_is_back() {
    for mode in MODES {
        let mut redis = RedisServer::start();
        let [a, b] = two(&redis.url(), mode);
        let (mut first, mut second) = (a.subscriber(), b.subscriber());
        redis.kill();
        for node in [&a, &b] {
            node.hears_that_redis_is(false);
        }
        a.says("alone", &mut [&mut first]);
        b.says("alone, too", &mut [&mut second]);
        redis.restart();
        for node in [&a, &b] {
            node.hears_that_redis_is(true);
            node.knows(2);
        }
        a.says("again", &mut [&mut first, &mut second]);
        b.says("and back", &mut [&mut second, &mut first]);
    }
}

#[test]
fn a_hanging_redis_holds_up_nobody() {
    let redis = RedisServer::start();
    let [a, b] = two(&redis.url(), RedisMode::Classic);
    let (mut first, mut second) = (a.subscriber(), b.subscriber());
    redis.stop();
    for number in 0..100 {
        a.says(&number.to_string(), &mut [&mut first]);
    }
    redis.go_on();
    for number in 0..100 {
        assert_eq!(second.read_frame(), (0x81, number.to_string().into_bytes()));
    }
}

#[test]
fn a_socket_io_server_and_its_listener_share_a_handle() {
    let redis = RedisServer::start();
    for mode in MODES {
        let options = RedisOptions {
            mode,
            ..RedisOptions::new(redis.url())
        };
        let shared = Redis::new(options, None).unwrap();
        let on_loop = started();
        let io = sockline::io::Server::new(
            Some(&on_loop),
            sockline::io::ServerOptions {
                adapter: Some(shared.clone()),
                ..sockline::io::ServerOptions::default()
            },
            Arc::new(Quiet),
        )
        .unwrap();
        let (handler, events) = recorder();
        let options = ServerOptions {
            adapter: Some(shared),
            routes: vec![io.route()],
            path: Some("/".to_owned()),
            ..local()
        };
        let server = serve(&on_loop, options, handler);
        let other = Node::new(&redis.url(), mode);
        other.knows(2);
        let mut peer = Peer::upgraded(port(server));
        events.open().subscribe("t").unwrap();
        other.says("plain", &mut [&mut peer]);
        let mut client = Client::open(port(server), "EIO=4&transport=websocket");
        client.join("/");
        io.of("/").emit("event", "1", &[]).unwrap();
        client.gets(&["42[\"event\",1]"]);
        server.publish("t", MessageType::Text, b"here").unwrap();
        assert_eq!(peer.read_frame(), (0x81, b"here".to_vec()));
        io.close();
    }
}

struct Quiet;

impl sockline::io::Handler for Quiet {}

#[test]
fn a_url_that_is_none_is_told_at_once() {
    let error = Redis::new(RedisOptions::new("http://127.0.0.1"), None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidUrl);
    // Redis needn't be there.
    let redis = Redis::new(RedisOptions::new("redis://127.0.0.1:1"), None).unwrap();
    let options = ServerOptions {
        adapter: Some(redis),
        ..ServerOptions::new(Address::Tcp("127.0.0.1".to_owned(), 0))
    };
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    server.publish("t", MessageType::Text, b"nobody").unwrap();
}
