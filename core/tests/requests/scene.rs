//! A client of a raw server, whose answers a test waits for.

use std::sync::mpsc::{Receiver, channel};

use sockline::requests::{Answer, Call, HttpClient, HttpClientOptions};
use sockline::{Loop, Result};

use crate::support::{Host, PATIENCE, started};

pub struct Scene {
    pub host: Host,
    pub client: HttpClient,
    pub on_loop: Loop,
}

pub fn scene() -> Scene {
    scene_with(|_| {})
}

pub fn scene_with(change: impl FnOnce(&mut HttpClientOptions)) -> Scene {
    let (host, on_loop) = (Host::new(), started());
    let mut options = HttpClientOptions::default();
    change(&mut options);
    let client = HttpClient::new(Some(&on_loop), &host.url(), options).unwrap();
    Scene {
        host,
        client,
        on_loop,
    }
}

/// An answer that is still to come.
pub struct Promised(Receiver<Result<Answer>>, pub u64);

impl Promised {
    #[track_caller]
    pub fn result(&self) -> Result<Answer> {
        self.0.recv_timeout(PATIENCE).expect("the answer has to come")
    }

    #[track_caller]
    pub fn body(&self) -> String {
        String::from_utf8(self.result().unwrap().body).unwrap()
    }

    /// `done` was dropped without a call.
    #[track_caller]
    pub fn never(&self) {
        assert!(self.0.recv_timeout(PATIENCE).is_err());
    }
}

impl Scene {
    pub fn get(&self, target: &str) -> Promised {
        self.call(Call::get(target))
    }

    pub fn call(&self, call: Call) -> Promised {
        let (told, hears) = channel();
        let number = self
            .client
            .request(call, move |answer| {
                let _ = told.send(answer);
            })
            .unwrap();
        Promised(hears, number)
    }
}
