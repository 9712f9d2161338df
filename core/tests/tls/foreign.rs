//! OpenSSL's own client and server, and curl.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use sockline::{ClientTls, ErrorCode, ServerOptions, Settings, TlsVersion, WebSocket};

use crate::certificates::Authority;
use crate::support::peer::{REQUEST, close_payload, switching};
use crate::support::{Peer, TempDir, What, frame, masked, port, reacting, recorder, serve, started};
use crate::{attempt, with_tls};

/// A program whose standard streams are the plaintext of its TLS connection.
struct Pipes {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Read for Pipes {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stdout.read(buffer)
    }
}

impl Write for Pipes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stdin.as_mut().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stdin.as_mut().unwrap().flush()
    }
}

impl Pipes {
    /// Waits until the program has read all that was written: what comes in one read with a command is lost.
    fn wait_until_read(&self) {
        use std::os::fd::AsRawFd;
        let pipe = self.stdin.as_ref().unwrap().as_raw_fd();
        let mut left = 1;
        while left > 0 {
            std::thread::yield_now();
            // SAFETY: a descriptor that is open, and a place for the number.
            let result = unsafe { nix::libc::ioctl(pipe, nix::libc::FIONREAD, &mut left) };
            assert_eq!(result, 0);
        }
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn openssl(arguments: &[&str]) -> Peer<Pipes> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl is installed");
    let stdin = child.stdin.take();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    Peer {
        stream: Pipes { child, stdin, stdout },
    }
}

fn s_client(port: u16, ca: &str, more: &[&str]) -> Peer<Pipes> {
    let address = format!("127.0.0.1:{port}");
    let usual = [
        "s_client",
        "-connect",
        &address,
        "-servername",
        "localhost",
        "-CAfile",
        ca,
        "-verify_return_error",
        "-verify_hostname",
        "localhost",
    ];
    openssl(&[&usual, more].concat())
}

fn echo(ws: WebSocket, what: &What) {
    let _ = match what {
        What::Text(text) => ws.send_text(text).unwrap(),
        What::Binary(data) => ws.send_binary(data).unwrap(),
        _ => return,
    };
}

fn path(folder: &TempDir, name: &str, content: &[u8]) -> String {
    folder.file(name, content).to_str().unwrap().to_owned()
}

#[test]
fn openssl_s_client_gets_its_messages_back() {
    let (authority, folder) = (Authority::new("test authority"), TempDir::new());
    let ca = path(&folder, "ca.pem", &authority.pem());
    let on_loop = started();
    let (handler, events) = reacting(echo);
    let server = serve(&on_loop, with_tls(authority.server()), handler);
    for more in [
        &["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"][..],
        &["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
        &[
            "-tls1_3",
            "-ciphersuites",
            "TLS_AES_256_GCM_SHA384",
            "-alpn",
            "http/1.1",
        ],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"],
    ] {
        let mut peer = s_client(port(server), &ca, &[&["-quiet"], more].concat());
        peer.send(REQUEST.as_bytes());
        assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
        let ws = events.open();
        let wanted = if more[0] == "-tls1_2" {
            TlsVersion::Tls12
        } else {
            TlsVersion::Tls13
        };
        assert_eq!(ws.tls().unwrap().version, wanted);
        for size in [0, 100, 16_384, 200_000] {
            peer.send(&masked(0x82, &vec![3; size]));
            assert_eq!(peer.read_frame(), (0x82, vec![3; size]), "{more:?}");
            assert_eq!(events.next_but_drain(), What::Binary(vec![3; size]));
        }
        peer.send(&masked(0x88, &close_payload(1000, "")));
        assert_eq!(peer.read_frame().0, 0x88);
        assert_eq!(peer.read_to_end(), b"");
        events.clean(1000, "");
    }
}

#[test]
fn openssl_updates_its_keys_and_may_not_negotiate_again() {
    let (authority, folder) = (Authority::new("test authority"), TempDir::new());
    let ca = path(&folder, "ca.pem", &authority.pem());
    let on_loop = started();
    let (handler, events) = reacting(echo);
    let server = serve(&on_loop, with_tls(authority.server()), handler);
    for (version, command) in [("-tls1_3", "K\n"), ("-tls1_3", "k\n"), ("-tls1_2", "R\n")] {
        // Without -quiet these letters are commands.
        let mut peer = s_client(port(server), &ca, &["-brief", version]);
        peer.send(REQUEST.as_bytes());
        assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
        events.open();
        peer.send(&masked(0x81, b"before"));
        assert_eq!(peer.read_frame(), (0x81, b"before".to_vec()));
        events.text("before");
        peer.stream.wait_until_read();
        peer.send(command.as_bytes());
        peer.stream.wait_until_read();
        if version == "-tls1_3" {
            for _ in 0..3 {
                peer.send(&masked(0x81, b"after"));
                assert_eq!(peer.read_frame(), (0x81, b"after".to_vec()), "{command:?}");
                events.text("after");
            }
            drop(peer);
        } else {
            assert_eq!(peer.read_to_end(), b"");
        }
        while !matches!(events.next(), What::Close(_)) {}
    }
}

#[test]
fn openssl_resumes_its_session() {
    let (authority, folder) = (Authority::new("test authority"), TempDir::new());
    let ca = path(&folder, "ca.pem", &authority.pem());
    let session = folder.0.join("session").to_str().unwrap().to_owned();
    let on_loop = started();
    let (handler, events) = recorder();
    let server = serve(&on_loop, with_tls(authority.server()), handler);
    for version in ["-tls1_2", "-tls1_3"] {
        for (option, resumed) in [("-sess_out", false), ("-sess_in", true)] {
            let mut peer = s_client(port(server), &ca, &["-quiet", version, option, &session]);
            peer.send(REQUEST.as_bytes());
            assert!(peer.read_head().starts_with("HTTP/1.1 101 "));
            assert_eq!(events.open().tls().unwrap().resumed, resumed, "{version}");
            peer.send(&masked(0x88, b""));
            assert_eq!(peer.read_to_end().first(), Some(&0x88));
            events.clean(1005, "");
        }
    }
}

/// Openssl's server, listening, with a certificate for localhost; it takes one connection.
fn s_server(authority: &Authority, folder: &TempDir, more: &[&str]) -> (Peer<Pipes>, String) {
    let identity = authority.identity(&["localhost"]);
    let certificate = path(folder, "server.pem", &identity.certificates);
    let key = path(folder, "server.key", &identity.private_key);
    let usual = [
        "s_server",
        "-accept",
        "127.0.0.1:0",
        "-cert",
        &certificate,
        "-key",
        &key,
        "-naccept",
        "1",
    ];
    let mut peer = openssl(&[&usual, more].concat());
    let mut line = String::new();
    while !line.starts_with("ACCEPT") {
        line.clear();
        assert!(
            peer.stream.stdout.read_line(&mut line).unwrap() > 0,
            "s_server has ended"
        );
    }
    let port = line.trim().rsplit(':').next().unwrap().to_owned();
    (peer, format!("wss://localhost:{port}/"))
}

#[test]
fn openssl_s_server_is_spoken_to() {
    let authority = Authority::new("test authority");
    for version in ["-tls1_2", "-tls1_3"] {
        let folder = TempDir::new();
        let (mut peer, url) = s_server(&authority, &folder, &[version]);
        let on_loop = started();
        let events = attempt(&on_loop, &url, authority.client(), Settings::client());
        let request = peer.read_head();
        peer.send(switching(&request).as_bytes());
        let ws = events.open();
        for size in [1, 70_000] {
            let _ = ws.send_binary(&vec![5; size]).unwrap();
            assert_eq!(peer.read_frame(), (0x82, vec![5; size]));
            peer.send(&frame(0x82, &vec![6; size]));
            assert_eq!(events.next_but_drain(), What::Binary(vec![6; size]));
        }
        drop(peer); // killed: whether that is a reset or an end is the system's choice
        while !matches!(events.next(), What::Close(_)) {}
    }
}

#[test]
fn openssl_s_server_that_is_too_old_or_wants_more_is_told() {
    let authority = Authority::new("test authority");
    let modern = |options: &mut sockline::ClientTlsOptions| options.min_version = TlsVersion::Tls13;
    let told = |more: &[&str], tls: ClientTls| {
        let folder = TempDir::new();
        let (_peer, url) = s_server(&authority, &folder, more);
        let on_loop = started();
        let events = attempt(&on_loop, &url, tls, Settings::client());
        let error = events.error();
        assert_eq!(error.code(), ErrorCode::Tls, "{error}");
        events.cut();
        error.to_string()
    };
    assert_eq!(
        told(&["-tls1_2"], authority.client_with(modern)),
        "localhost has ended TLS: no version of TLS is accepted by both sides"
    );
    assert_eq!(
        told(&["-alpn", "h2"], authority.client()),
        "localhost has ended TLS: no application protocol (ALPN) is accepted by both sides"
    );
    assert_eq!(
        told(&["-Verify", "1", "-verify_return_error"], authority.client()),
        "localhost has ended TLS: it wants a certificate of this side"
    );
}

#[test]
fn curl_gets_files_over_https() {
    let (authority, folder) = (Authority::new("test authority"), TempDir::new());
    let ca = path(&folder, "ca.pem", &authority.pem());
    let site = TempDir::new();
    let big: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 253) as u8).collect();
    site.file("big.bin", &big);
    site.file("small.txt", b"small");
    let on_loop = started();
    let (handler, _events) = recorder();
    let options = ServerOptions {
        static_folder: Some(site.0.clone()),
        ..with_tls(authority.server())
    };
    let server = serve(&on_loop, options, handler);
    for version in ["1.2", "1.3"] {
        let url = |name| format!("https://localhost:{}/{name}", port(server));
        let output = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--fail",
                "--cacert",
                &ca,
                "--tls-max",
                version,
            ])
            .args([
                "--noproxy",
                "*",
                &url("small.txt"),
                &url("big.bin"),
                &url("small.txt"),
            ])
            .args(["--write-out", "%{stderr}%{num_connects}"])
            .output()
            .expect("curl is installed");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        assert_eq!(told, "100", "one connection for all three");
        assert!(output.stdout == [&b"small"[..], &big, b"small"].concat());
    }
}
