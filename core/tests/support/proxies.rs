//! Proxies of the system's, started on free ports of 127.0.0.1.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use super::{Host, PATIENCE, TempDir};

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
        // It ends at once if somebody else has taken the port meanwhile.
        let give_up = Instant::now() + PATIENCE;
        while real.child.try_wait().unwrap().is_none() {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return real;
            }
            assert!(Instant::now() < give_up, "the proxy takes nobody in");
            std::thread::sleep(Duration::from_millis(5)); // nothing announces that it listens
        }
    }
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
