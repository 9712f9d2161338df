//! A host whose turns are about one socket, which is read without asking the system whose turn it is.

use std::net::Shutdown;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sockline::{
    ClientOptions, Handler, Loop, LoopOptions, Reconnect, Server, ServerOptions, WebSocket, connect,
};

use crate::support::{
    Events, Host, PATIENCE, Peer, What, frame, joined, local, masked, peer, port, reacting, recorder, serve,
    settings, turn,
};
use crate::turning::{host_until, is_readable, is_ringing, quiet};

/// More messages, one after the other, than it takes until the system is not asked each time.
const MANY: usize = 100;
/// More than the kernel's buffers between two local sockets hold.
const PLENTY: usize = 32 << 20;

/// A connection on a loop that this thread turns as a host does, and its peer.
struct Alone {
    on_loop: Loop,
    ws: WebSocket,
    events: Events,
    peer: Peer,
    /// How the peer writes a frame.
    frame: fn(u8, &[u8]) -> Vec<u8>,
}

/// A loop whose host flushes when it has sent something, as hosts do, without a word from the loop.
fn new_loop() -> Loop {
    let flush_hook: Arc<dyn Fn() + Send + Sync> = Arc::new(|| ());
    Loop::new(LoopOptions {
        flush_hook: Some(flush_hook),
        ..LoopOptions::default()
    })
    .unwrap()
}

/// One of a server, which has had the turns long enough.
fn alone_with((handler, events): (Arc<dyn Handler>, Events)) -> (Alone, Server) {
    let on_loop = new_loop();
    let options = ServerOptions {
        settings: settings(|it| it.hard_limit = usize::MAX),
        ..local()
    };
    let server = serve(&on_loop, options, handler);
    let peer = joined(&on_loop, server);
    let ws = events.open();
    let mut alone = Alone {
        on_loop,
        ws,
        events,
        peer,
        frame: masked,
    };
    alone.exchange(MANY);
    (alone, server)
}

fn alone() -> (Alone, Server) {
    alone_with(recorder())
}

impl Alone {
    #[track_caller]
    fn hear(&mut self, text: &str) {
        self.say(text);
        host_until(&self.on_loop, || self.events.has_heard());
        self.events.text(text);
    }

    #[track_caller]
    fn say(&mut self, text: &str) {
        self.peer.send(&(self.frame)(0x81, text.as_bytes()));
    }

    /// Messages and answers that the host sends after the turn.
    #[track_caller]
    fn exchange(&mut self, count: usize) {
        quiet(&self.on_loop);
        for n in 0..count {
            self.hear(&n.to_string());
            assert!(
                !is_ringing(&self.on_loop),
                "message {n} was read, and is announced still"
            );
            let _ = self.ws.send_text(&n.to_string()).unwrap();
            self.on_loop.flush().unwrap();
            assert_eq!(self.peer.read_frame(), (0x81, n.to_string().into_bytes()));
        }
    }

    /// Turns while the peer reads frames of these lengths.
    #[track_caller]
    fn deliver(&mut self, lengths: Vec<usize>) {
        let mut peer = Peer {
            stream: self.peer.stream.try_clone().unwrap(),
        };
        let reader = thread::spawn(move || {
            for length in lengths {
                assert_eq!(peer.read_frame().1.len(), length);
            }
        });
        while self.ws.buffered_amount() > 0 {
            assert!(
                is_readable(self.on_loop.fd(), PATIENCE),
                "no word of the room that there is"
            );
            turn(&self.on_loop, Duration::ZERO);
        }
        reader.join().unwrap();
        assert!(self.events.so_far().iter().all(|what| *what == What::Drain));
    }
}

#[test]
fn what_a_host_sends_and_the_system_does_not_take_leaves_later() {
    let (mut alone, _) = alone();
    for _ in 0..2 {
        let _ = alone.ws.send_binary(&vec![0; PLENTY]).unwrap(); // the system is given that at once
        alone.deliver(vec![PLENTY]);
        alone.exchange(MANY);
    }
    let lengths = vec![8 << 10; PLENTY >> 13];
    for length in &lengths {
        let _ = alone.ws.send_binary(&vec![0; *length]).unwrap();
    }
    alone.on_loop.flush().unwrap();
    alone.deliver(lengths);
    alone.exchange(1);
}

#[test]
fn what_a_handler_answers_and_the_system_does_not_take_leaves_later() {
    const EACH: usize = 8 << 10;
    let (mut alone, _) = alone_with(reacting(|ws, what| {
        if *what == What::Text("more".into()) {
            let _ = ws.send_binary(&[0; EACH]).unwrap();
        }
    }));
    let mut lengths = Vec::new();
    while alone.ws.buffered_amount() == 0 {
        alone.hear("more");
        lengths.push(EACH);
    }
    alone.deliver(lengths);
    alone.exchange(1);
}

#[test]
fn the_end_behind_a_message_is_heard_of() {
    let (mut alone, _) = alone();
    alone.say("last");
    alone.peer.end_writing();
    let events = &alone.events;
    host_until(&alone.on_loop, || events.has_heard());
    events.text("last");
    host_until(&alone.on_loop, || events.has_heard());
    events.cut();
}

#[test]
fn who_has_paused_hears_nothing_until_it_resumes() {
    let (mut alone, _) = alone();
    let ws = alone.ws;
    thread::spawn(move || ws.pause().unwrap()).join().unwrap();
    alone.say("meanwhile");
    for _ in 0..3 {
        turn(&alone.on_loop, Duration::ZERO);
    }
    assert!(!alone.events.has_heard());
    thread::spawn(move || ws.resume().unwrap()).join().unwrap();
    let events = &alone.events;
    host_until(&alone.on_loop, || events.has_heard());
    events.text("meanwhile");
    alone.exchange(MANY);
}

#[test]
fn others_have_their_turn_though_one_has_always_something() {
    let (mut alone, server) = alone();
    let mut other = Peer::connect(port(server));
    other.send(peer::REQUEST.as_bytes());
    let mut turns = 0;
    while alone.events.so_far().iter().all(|what| *what != What::Open) {
        alone.say("more");
        turn(&alone.on_loop, Duration::ZERO);
        turns += 1;
        assert!(turns < 50, "the other one is kept waiting");
    }
    assert!(other.read_head().starts_with("HTTP/1.1 101 "));
}

#[test]
fn a_client_that_has_come_back_hears_when_there_is_room_again() {
    let host = Host::new();
    let on_loop = new_loop();
    let (handler, events) = recorder();
    let options = ClientOptions {
        settings: settings(|it| it.hard_limit = usize::MAX),
        reconnect: Some(Reconnect {
            base_delay: Duration::from_millis(1),
            ..Reconnect::default()
        }),
        ..ClientOptions::default()
    };
    let ws = connect(Some(&on_loop), &host.url(), options, Some(handler)).unwrap();
    let accept = |on_loop: &Loop, events: &Events| {
        thread::scope(|scope| {
            let accepting = scope.spawn(|| host.accept_websocket(b""));
            host_until(on_loop, || accepting.is_finished() && events.has_heard());
            accepting.join().unwrap()
        })
    };
    let peer = accept(&on_loop, &events);
    events.open();
    let mut alone = Alone {
        on_loop,
        ws,
        events,
        peer,
        frame,
    };
    alone.exchange(MANY);
    alone.peer.stream.shutdown(Shutdown::Both).unwrap();
    alone.peer = accept(&alone.on_loop, &alone.events);
    alone.events.reconnecting();
    host_until(&alone.on_loop, || alone.events.has_heard());
    assert_eq!(alone.events.next(), What::Reconnected);
    let _ = alone.ws.send_binary(&vec![0; PLENTY]).unwrap();
    alone.on_loop.flush().unwrap();
    alone.deliver(vec![PLENTY]);
    alone.exchange(MANY);
}
