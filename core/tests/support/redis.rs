//! Servers of Redis for tests: each its own process, with a folder that goes with it, and without persistence.

#![allow(dead_code)] // each test program uses a part of it

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A server on a port of 127.0.0.1 of its own.
pub struct RedisServer {
    child: Child,
    pub port: u16,
    /// Is deleted behind the server.
    folder: Folder,
    arguments: Vec<String>,
}

/// A folder for what a test needs; is deleted with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sockline-redis-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A port that nobody listens on at this moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl RedisServer {
    pub fn start() -> RedisServer {
        RedisServer::with(&[])
    }

    /// With these settings, as on the command line: `&["--requirepass", "secret"]`.
    pub fn with(settings: &[&str]) -> RedisServer {
        RedisServer::in_folder(Folder::new(), settings)
    }

    pub fn in_folder(folder: Folder, settings: &[&str]) -> RedisServer {
        let port = free_port();
        let mut server = RedisServer::absent_in(folder, port, settings);
        server.restart();
        server
    }

    /// One that listens on a port already chosen, once it is restarted.
    pub fn absent(port: u16) -> RedisServer {
        RedisServer::absent_in(Folder::new(), port, &[])
    }

    fn absent_in(folder: Folder, port: u16, settings: &[&str]) -> RedisServer {
        let mut arguments: Vec<String> = [
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--daemonize",
            "no",
        ]
        .map(str::to_owned)
        .into();
        arguments.extend(["--port".to_owned(), port.to_string()]);
        arguments.extend(["--dir".to_owned(), folder.0.display().to_string()]);
        arguments.extend(settings.iter().map(|&setting| setting.to_owned()));
        RedisServer {
            child: ended(),
            port,
            folder,
            arguments,
        }
    }

    /// A sentinel that watches a master.
    pub fn sentinel(name: &str, master: u16) -> RedisServer {
        RedisServer::sentinel_in(Folder::new(), name, master, "")
    }

    /// With these lines in its file.
    pub fn sentinel_in(folder: Folder, name: &str, master: u16, lines: &str) -> RedisServer {
        let port = free_port();
        let file = folder.write(
            "sentinel.conf",
            format!(
                "port {port}\nbind 127.0.0.1\nsentinel monitor {name} 127.0.0.1 {master} 1\n\
                 sentinel down-after-milliseconds {name} 1000\nsentinel failover-timeout {name} 5000\n{lines}\n"
            ),
        );
        let mut server = RedisServer {
            child: ended(),
            port,
            folder,
            arguments: vec![file.display().to_string(), "--sentinel".to_owned()],
        };
        server.restart();
        server
    }

    /// Starts it (again), and waits until it listens.
    pub fn restart(&mut self) {
        self.kill();
        let mut child = Command::new("redis-server")
            .args(&self.arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("redis-server can't be started: {error}"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut log = String::new();
        loop {
            match lines.next() {
                Some(Ok(line)) if line.contains("Ready to accept connections") => break,
                Some(Ok(line)) if line.contains("Sentinel ID is") => break,
                Some(Ok(line)) => log = log + &line + "\n",
                _ => panic!("redis-server has ended:\n{log}"),
            }
        }
        thread::spawn(move || lines.for_each(drop));
        self.child = child;
    }

    /// At once: nothing is closed, but by the system.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Hangs: accepts connections and answers nothing.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, signal).unwrap();
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What `redis-cli` answers to some commands, a line each, that are sent at once.
    #[track_caller]
    pub fn cli(&self, commands: &str) -> String {
        self.cli_with(&[], commands)
    }

    #[track_caller]
    pub fn cli_with(&self, arguments: &[&str], commands: &str) -> String {
        let mut child = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(commands.as_bytes()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{commands}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A process that has ended, as a place for one that is to come.
fn ended() -> Child {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child
}

/// Three masters that share the slots of one cluster.
pub struct RedisCluster {
    pub nodes: Vec<RedisServer>,
}

impl RedisCluster {
    pub fn start() -> RedisCluster {
        let node = |_| {
            let port = free_port().to_string();
            RedisServer::with(&["--cluster-enabled", "yes", "--cluster-port", &port])
        };
        let nodes: Vec<RedisServer> = (0..3).map(node).collect();
        let places = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(places)
            .arg("--cluster-yes")
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        for node in &nodes {
            // All have to agree on who has what.
            while !node.cli("CLUSTER INFO").contains("cluster_state:ok") {
                thread::yield_now();
            }
        }
        RedisCluster { nodes }
    }

    /// By one of its nodes.
    pub fn url(&self, node: usize) -> String {
        format!("redis+cluster://127.0.0.1:{}", self.nodes[node].port)
    }
}
