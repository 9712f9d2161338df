use std::sync::Arc;

use sockline::io::EmitOptions;

use crate::fixture::{Client, sent, serve_on, set};

#[test]
fn all_may_be_called_from_all_threads_at_once() {
    let fixture = serve_on(2, |_| {});
    set(
        &fixture.handler.on_event,
        Box::new(|socket, event| {
            let ack = event.ack.unwrap();
            let args = event.args.to_owned();
            socket.join(&[&args]);
            std::thread::spawn(move || sent(ack.send(&args, &[])));
        }),
    );
    let port = fixture.port;
    let io = fixture.io.clone();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|number| {
                scope.spawn(move || {
                    for round in 0..10 {
                        let mut client = Client::open(port, "EIO=4&transport=websocket");
                        client.join("/");
                        client.say(&format!("42{round}[\"a\",\"{number}\"]"));
                        // Others' broadcasts come in between.
                        while client.text() != format!("43{round}[\"{number}\"]") {}
                    }
                })
            })
            .collect();
        let namespace = io.of("/");
        while !workers.iter().all(|worker| worker.is_finished()) {
            namespace.emit("noise", "1", &[]).unwrap();
            for socket in namespace.to("\"3\"").sockets() {
                let _ = socket.emit(
                    "more",
                    "",
                    &[],
                    &EmitOptions {
                        ack: Some(1),
                        ..EmitOptions::default()
                    },
                );
                socket.leave("\"3\"");
            }
            namespace.to("\"5\"").sockets_leave(&["\"5\""]);
            assert!(namespace.rooms().len() <= 200);
        }
    });
    fixture.settles(|| fixture.io.metrics().clients == 0);
    fixture.settle();
    assert_eq!(fixture.io.metrics().sockets, 0);
    assert!(fixture.io.of("/").rooms().is_empty());
    assert_eq!(
        Arc::strong_count(&fixture.handler),
        2,
        "the fixture's and the server's"
    );
}

#[test]
fn what_one_thread_sends_comes_in_order() {
    let fixture = serve_on(2, |_| {});
    let mut clients: Vec<_> = (0..4).map(|_| fixture.joined()).collect();
    let namespace = fixture.io.of("/");
    for number in 0..200 {
        match number % 2 {
            0 => namespace.emit("n", &number.to_string(), &[]).unwrap(),
            _ => clients.iter().for_each(|(_, socket)| {
                let sent = socket.emit("n", &number.to_string(), &[], &EmitOptions::default());
                assert!(sent.is_ok());
            }),
        }
    }
    for (client, _) in &mut clients {
        for number in 0..200 {
            client.gets(&[&format!("42[\"n\",{number}]")]);
        }
    }
}
