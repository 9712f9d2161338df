//! Disks that are full, and files that change under a server's hands.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::sync::Arc;

use crossbeam_channel::unbounded;
use nix::libc;
use sockline::{Address, ClientOptions, ErrorCode, LogLevel, Loop, ServerOptions, connect, listen, set_log};

use crate::scene::Bystander;
use crate::support::child::{in_child, in_child_under};
use crate::support::{Host, PATIENCE, Peer, TempDir, local, port, recorder, serve, started};

/// Mounts a file system that has room for one file, where only the command behind it can see it.
const SMALL_DISK: &str = "mount -t tmpfs -o size=4k,nr_inodes=2 tmpfs /mnt && exec \"$0\" \"$@\"";

#[test]
fn a_unix_socket_that_a_full_disk_has_no_room_for_is_an_error_that_names_it() {
    in_child_under(
        "disk::a_unix_socket_that_a_full_disk_has_no_room_for_is_an_error_that_names_it",
        &[
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            SMALL_DISK,
        ],
        || {
            std::fs::write("/mnt/the only one", "").unwrap();
            let on_loop = started();
            let bystander = Bystander::on(&on_loop);
            let on_disk = || ServerOptions::new(Address::Unix("/mnt/socket".into()));
            let error = listen(Some(&on_loop), on_disk(), Some(recorder().0)).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ListenFailed);
            for word in ["/mnt/socket", "No space left"] {
                assert!(error.text().contains(word), "{error}");
            }
            bystander.goes_on_until(|| true);
            std::fs::remove_file("/mnt/the only one").unwrap();
            listen(Some(&on_loop), on_disk(), Some(recorder().0)).unwrap();
        },
    );
}

/// From now on this process can't make files longer, which is a signal that kills where it is not blocked.
fn allow_no_longer_files() {
    let limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a valid limit; it holds for this process only.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
}

#[test]
fn a_log_that_cannot_be_written_any_more_harms_nothing() {
    in_child(
        "disk::a_log_that_cannot_be_written_any_more_harms_nothing",
        || {
            let folder = TempDir::new();
            let file = File::create(folder.0.join("log")).unwrap();
            let (sender, outcomes) = unbounded();
            let sink = move |_: LogLevel, line: &str| sender.send((&file).write(line.as_bytes())).unwrap();
            set_log(Some(LogLevel::Warn), Some(Arc::new(sink))).unwrap();
            allow_no_longer_files();
            let (on_loop, host) = (started(), Host::new());
            let bystander = Bystander::on(&on_loop);
            let ws = connect(Some(&on_loop), &host.url(), ClientOptions::default(), None).unwrap();
            ws.ping(b"too early, which is logged").unwrap();
            let written = outcomes.recv_timeout(PATIENCE).unwrap();
            assert_eq!(written.unwrap_err().kind(), ErrorKind::FileTooLarge);
            bystander.goes_on_until(|| true);
        },
    );
}

/// Serves this folder, with a loop of its own and a connection beside it.
fn site(folder: &TempDir) -> (Loop, u16, Bystander) {
    let on_loop = started();
    let options = ServerOptions {
        static_folder: Some(folder.0.clone()),
        ..local()
    };
    let server_port = port(serve(&on_loop, options, recorder().0));
    let bystander = Bystander::on(&on_loop);
    (on_loop, server_port, bystander)
}

fn get(peer: &mut Peer, path: &str) -> String {
    peer.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    peer.read_head()
}

#[test]
fn a_file_that_becomes_shorter_while_it_is_sent_is_cut_and_not_filled_up() {
    const SIZE: u64 = 64 << 20; // more than the kernel's buffers hold
    let folder = TempDir::new();
    let file = File::create(folder.0.join("film")).unwrap();
    file.set_len(SIZE).unwrap();
    let (_loop, server_port, bystander) = site(&folder);
    let mut peer = Peer::connect(server_port);
    let head = get(&mut peer, "/film");
    assert!(
        head.to_lowercase().contains(&format!("content-length: {SIZE}")),
        "{head}"
    );
    file.set_len(1000).unwrap();
    let body = peer.read_to_end();
    assert!((body.len() as u64) < SIZE, "{} bytes", body.len());
    bystander.goes_on_until(|| true);
}

#[test]
fn a_file_that_cannot_be_opened_for_want_of_descriptors_is_there_all_the_same() {
    in_child(
        "disk::a_file_that_cannot_be_opened_for_want_of_descriptors_is_there_all_the_same",
        || {
            let folder = TempDir::new();
            folder.file("page", b"here");
            let (_loop, server_port, bystander) = site(&folder);
            let mut peer = Peer::connect(server_port);
            assert!(get(&mut peer, "/page").starts_with("HTTP/1.1 200 "));
            assert_eq!(peer.read_exactly(4), b"here");
            bystander.goes_on_until(|| true); // the file is closed by then
            let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
            let limit = libc::rlimit {
                rlim_cur: open,
                rlim_max: 4096,
            };
            // SAFETY: a valid limit; it holds for this process only.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
            let taken: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
            let head = get(&mut peer, "/page");
            assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
            bystander.goes_on_until(|| true);
            drop((taken, peer));
            assert!(get(&mut Peer::connect(server_port), "/page").starts_with("HTTP/1.1 200 "));
        },
    );
}
