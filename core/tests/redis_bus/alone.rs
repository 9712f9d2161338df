//! What concerns the whole process, in one of its own.

use std::fs;

use sockline::ErrorCode;
use sockline::adapter::redis::{Redis, RedisOptions};

use crate::child::in_child;
use crate::redis::RedisServer;
use crate::scene::{Node, answer, channel_of, sharded};

fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks.map(|task| name(task.unwrap()).trim().to_owned()).collect()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_bus_has_one_thread_and_leaves_nothing_behind() {
    in_child("alone::a_bus_has_one_thread_and_leaves_nothing_behind", || {
        let server = RedisServer::start();
        let before = descriptors();
        for round in 0..3 {
            let node = Node::connected(&server.url());
            node.subscribe("c", channel_of("a"));
            node.subscribe("s", sharded("a"));
            node.bus().follow("f", node.ears.mouth("f"));
            node.ears.hear_of("f from ");
            node.append("f", "x").unwrap();
            assert_eq!(node.ears.hear(), "f text=x");
            let own = |name: &&String| name.starts_with("sockline-redis");
            assert_eq!(threads().iter().filter(own).count(), 1, "{:?}", threads());
            match round {
                0 => node.redis.close(),
                _ => drop(node.redis),
            }
            assert_eq!(node.events.hear(), "redis closed");
            while threads().iter().any(|name| own(&name)) {}
            assert_eq!(descriptors(), before);
        }
    });
}

#[test]
fn a_child_of_a_process_with_a_bus_is_refused() {
    in_child("alone::a_child_of_a_process_with_a_bus_is_refused", || {
        let server = RedisServer::start();
        let node = Node::connected(&server.url());
        node.subscribe("c", channel_of("a"));
        // SAFETY: the child does nothing but what a forked child may ask of this library, and ends.
        let child = unsafe { nix::libc::fork() };
        if child == 0 {
            let refused = answer(|reply| node.bus().subscribers("a", false, reply)).is_err();
            node.publish("a", "from the child");
            node.bus().run_at(0, Box::new(|| ()));
            let error = Redis::new(RedisOptions::new(server.url()), None).err();
            let forked = error.is_some_and(|error| error.code() == ErrorCode::Forked);
            node.redis.close();
            // SAFETY: ends the process without what belongs to the parent.
            unsafe { nix::libc::_exit(if refused && forked { 0 } else { 1 }) };
        }
        let mut status = 0;
        // SAFETY: waits for the child that was just made.
        unsafe { nix::libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(status, 0);
        node.publish("a", "from the parent");
        assert_eq!(node.ears.hear(), "c a from the parent");
        assert!(node.events.rest().is_empty());
    });
}
