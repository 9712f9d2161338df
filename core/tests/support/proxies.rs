//! Proxies of the system's, started on free ports of 127.0.0.1.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use super::{Host, PATIENCE, TempDir};

/// TCP_LISTEN, as /proc/net/tcp writes states.
const LISTEN: &str = "0A";

/// A proxy as it comes with the system; it ends when this is dropped.
pub struct Real {
    child: Child,
    pub port: u16,
    _folder: TempDir,
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a proxy on a port that is free; `command` gets the port and a folder for its configuration.
fn start(command: impl Fn(u16, &TempDir) -> Command) -> Real {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let need = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tools/need");
        let packages = ["tinyproxy", "microsocks", "dante-server", "stunnel4"];
        assert!(Command::new(need).args(packages).status().unwrap().success());
    });
    loop {
        let folder = TempDir::new();
        let port = Host::new().port();
        let mut command = command(port, &folder);
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut real = Real {
            child,
            port,
            _folder: folder,
        };
        // It ends at once if somebody else has taken the port meanwhile, whom a connection would reach instead.
        let give_up = Instant::now() + PATIENCE;
        while real.child.try_wait().unwrap().is_none() {
            if listens(real.child.id(), port) {
                return real;
            }
            assert!(Instant::now() < give_up, "the proxy takes nobody in");
            std::thread::sleep(Duration::from_millis(5)); // nothing announces that it listens
        }
    }
}

/// Whether this process has the socket that listens there.
fn listens(process: u32, port: u16) -> bool {
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!("0100007F:{port:04X}");
    let listener = sockets.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields[1] == local && fields[3] == LISTEN).then(|| format!("socket:[{}]", fields[9]))
    });
    let Some(listener) = listener else {
        return false;
    };
    let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else {
        return false; // it has just ended
    };
    open.flatten()
        .any(|file| fs::read_link(file.path()).is_ok_and(|target| target == Path::new(&listener)))
}

pub fn tinyproxy() -> Real {
    start(|port, folder| {
        let configuration = format!(
            "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 600\nMaxClients 50\nBasicAuth me pass\n"
        );
        let mut command = Command::new("tinyproxy");
        command
            .arg("-d")
            .arg("-c")
            .arg(folder.file("tinyproxy.conf", configuration.as_bytes()));
        command
    })
}

pub fn microsocks() -> Real {
    start(|port, _| {
        let mut command = Command::new("microsocks");
        command.args([
            "-i",
            "127.0.0.1",
            "-u",
            "me",
            "-P",
            "pass",
            "-p",
            &port.to_string(),
        ]);
        command
    })
}

pub fn danted() -> Real {
    start(|port, folder| {
        let configuration = format!(
            "logoutput: /dev/null\ninternal: 127.0.0.1 port = {port}\nexternal: 127.0.0.1\n\
             clientmethod: none\nsocksmethod: none\nuser.privileged: root\nuser.unprivileged: nobody\n\
             client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\nsocks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\n"
        );
        let mut command = Command::new("danted");
        command
            .arg("-f")
            .arg(folder.file("danted.conf", configuration.as_bytes()));
        command.arg("-p").arg(folder.0.join("pid"));
        command
    })
}

/// TLS before another proxy, with this certificate.
pub fn stunnel(before: u16, identity: &sockline::Identity) -> Real {
    start(|port, folder| {
        let pem = [identity.certificates.as_slice(), &identity.private_key].concat();
        let pem = folder.file("identity.pem", &pem);
        let configuration = format!(
            "foreground = yes\npid =\n[proxy]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{before}\ncert = {}\n",
            pem.display()
        );
        let mut command = Command::new("stunnel4");
        command.arg(folder.file("stunnel.conf", configuration.as_bytes()));
        command
    })
}
