//! What the fuzz targets check, on their corpora and on variations of these: without a fuzzer, the same on every run.
//! The corpus of `frames` is replayed by `ws/differential.rs`.

use std::fs;
use std::path::Path;

#[cfg(feature = "redis")]
#[path = "../fuzz/cluster.rs"]
mod cluster;
#[path = "../fuzz/engineio.rs"]
mod engineio;
#[path = "../fuzz/engineio_client.rs"]
mod engineio_client;
#[path = "../fuzz/handshake.rs"]
mod handshake;
#[path = "../fuzz/http.rs"]
mod http;
#[path = "../fuzz/inflate.rs"]
mod inflate;
#[path = "../fuzz/machine.rs"]
mod machine;
#[path = "../fuzz/msgpack.rs"]
mod msgpack;
#[cfg(feature = "redis")]
#[path = "../fuzz/redis.rs"]
mod redis;
#[path = "../fuzz/socketio.rs"]
mod socketio;
#[path = "../fuzz/socketio_client.rs"]
mod socketio_client;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

/// Runs a target on each file of its corpus and on variations of it.
fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort(); // the same variations everywhere
    assert!(paths.len() >= 20, "{} files in the corpus", paths.len());
    let mut random = Random(1);
    for path in paths {
        let input = fs::read(&path).unwrap();
        assert!(input.len() < 4096, "{} is long", path.display());
        run(&input);
        (0..100).for_each(|_| run(&varied(&mut random, &input)));
    }
}

fn varied(random: &mut Random, input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(5) {
            0 => bytes.insert(at, random.below(256) as u8),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            3 => bytes.truncate(at),
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes
}

#[test]
fn engine_io() {
    replay("engineio", engineio::judge_input);
}

#[test]
fn the_opening_handshake() {
    replay("handshake", handshake::judge_input);
}

#[test]
fn http_messages_and_files() {
    replay("http", http::judge_input);
}

#[test]
fn compressed_messages() {
    replay("inflate", inflate::inflate_input);
}

#[test]
fn two_machines() {
    replay("machine", machine::play_input);
}

#[test]
fn packets_in_text() {
    replay("socketio", socketio::decode_input);
}

#[test]
fn packets_in_msgpack() {
    replay("msgpack", msgpack::decode_input);
}

#[test]
fn a_client_of_engine_io() {
    replay("engineio_client", engineio_client::play_input);
}

#[test]
fn a_client_of_socket_io() {
    replay("socketio_client", socketio_client::play_input);
}

#[cfg(feature = "redis")]
#[test]
fn what_nodes_publish() {
    replay("redis", redis::read_input);
}

#[cfg(feature = "redis")]
#[test]
fn what_comes_to_a_node_of_a_cluster() {
    replay("cluster", cluster::play_input);
}
