//! Clients that poll, in bytes.

use crate::support::Peer;

/// A client by polling: each request on a connection of its own.
pub struct Poller {
    /// Where the next request goes.
    pub port: u16,
    pub sid: String,
    query: String,
}

impl Poller {
    #[track_caller]
    pub fn open(port: u16, query: &str) -> Poller {
        let mut poller = Poller {
            port,
            sid: String::new(),
            query: query.to_owned(),
        };
        let opened = poller.get();
        let start = opened.find('{').expect("an object");
        let json: serde_json::Value = serde_json::from_str(&opened[start..]).unwrap();
        poller.sid = json["sid"].as_str().unwrap().to_owned();
        poller
    }

    pub fn target(&self) -> String {
        let sid = if self.sid.is_empty() {
            String::new()
        } else {
            format!("&sid={}", self.sid)
        };
        format!("/socket.io/?{}&transport=polling{sid}", self.query)
    }

    /// The body of the answer to a GET.
    #[track_caller]
    pub fn get(&self) -> String {
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            self.target()
        );
        request_body(self.port, &request)
    }

    #[track_caller]
    pub fn post(&self, body: &str) {
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            self.target(),
            body.len()
        );
        assert_eq!(request_body(self.port, &request), "ok");
    }
}

#[track_caller]
fn request_body(port: u16, request: &str) -> String {
    let answer = whole_answer(port, request);
    let (_, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer}"));
    body.to_owned()
}

/// The answer to a request that has the connection closed.
#[track_caller]
pub fn whole_answer(port: u16, request: &str) -> String {
    let mut peer = Peer::connect(port);
    peer.send(request.as_bytes());
    String::from_utf8(peer.read_to_end()).unwrap()
}
