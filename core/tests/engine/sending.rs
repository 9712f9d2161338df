use super::*;
use crate::engineio::server::Prepared;
use crate::websocket::Sent;
use crate::{ErrorCode, SlowConsumer};

fn prepared(messages: &[Data<'_>]) -> Arc<Prepared> {
    Arc::new(Prepared::new(messages, true))
}

/// Sends it to these, here or on the thread of their loop; how many miss it.
fn give(sessions: &[&Arc<Session>], message: &Arc<Prepared>, at_home: bool) -> usize {
    let home = sessions[0].home();
    let sessions: Vec<_> = sessions.iter().map(|session| Arc::clone(session)).collect();
    let message = message.clone();
    let send = move || {
        let mut many = ToMany::new(&message, SendFlags::default());
        sessions.iter().for_each(|session| many.give(session));
        many.finish()
    };
    if !at_home {
        return send();
    }
    let (told, missed) = unbounded();
    home.run(Box::new(move || told.send(send()).unwrap()));
    missed.recv_timeout(PATIENCE).unwrap()
}

/// Waits until the turn is over in which the peer got what it has read.
fn settle(session: &Session) {
    let (told, over) = unbounded();
    session.home().run(Box::new(move || told.send(()).unwrap()));
    over.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn batches_and_prepared_messages() {
    let scene = Scene::new();
    let mut ws = scene.websocket();
    let session = scene.session();
    let (mut http, target) = scene.polling();
    let polling = scene.session();
    let messages = [Data::Text("a"), Data::Binary(&[1])];
    for sent in [
        session.send_batch(&messages, SendFlags::default()),
        session.send_prepared(&prepared(&messages), SendFlags::default()),
        polling.send_batch(&messages, SendFlags::default()),
        polling.send_prepared(&prepared(&messages), SendFlags::default()),
    ] {
        assert_eq!(sent.unwrap(), Sent::Queued);
    }
    for single in [true, false] {
        let many = prepared(if single { &messages[..1] } else { &messages });
        give(&[&session, &polling], &many, false);
    }
    for expected in ["aB", "aB", "a", "aB"] {
        for piece in expected.chars() {
            let frame = ws.peer.read_frame();
            match piece {
                'a' => assert_eq!(frame, (0x81, b"4a".to_vec())),
                _ => assert_eq!(frame, (0x82, vec![1])),
            }
        }
    }
    assert_eq!(
        http.get(&target).body,
        "4a\u{1e}bAQ==\u{1e}4a\u{1e}bAQ==\u{1e}4a\u{1e}4a\u{1e}bAQ=="
    );
}

#[test]
fn what_many_get_suits_old_clients_too() {
    let scene = Scene::with(|options| options.allow_eio3 = true);
    let many = prepared(&[Data::Text("a"), Data::Binary(&[1])]);
    for (query, frames) in [
        ("EIO=3", [(0x81, b"4a".to_vec()), (0x82, vec![4, 1])]),
        (
            "EIO=3&b64=1",
            [(0x81, b"4a".to_vec()), (0x81, b"b4AQ==".to_vec())],
        ),
        ("EIO=4&b64=1", [(0x81, b"4a".to_vec()), (0x81, b"bAQ==".to_vec())]),
    ] {
        let mut ws = Ws::connect(scene.port(), &format!("/engine.io/?transport=websocket&{query}"));
        ws.text();
        let session = scene.session();
        give(&[&session], &many, false);
        for frame in frames {
            assert_eq!(ws.peer.read_frame(), frame, "{query}");
        }
    }
}

#[test]
fn what_many_get_passes_by_who_takes_nothing() {
    const LIMIT: u64 = 256 << 10;
    for at_home in [true, false] {
        let scene = Scene::with(|options| {
            options.settings.high_water_mark = 64 << 10;
            options.settings.hard_limit = LIMIT as usize;
            options.settings.slow_consumer = SlowConsumer::DropNewest;
            options.settings.tcp.send_buffer = 16 << 10;
        });
        let _reads_nothing = scene.websocket();
        let slow = scene.session();
        let mut ws = scene.websocket();
        let quick = scene.session();
        let text = "x".repeat(50_000);
        let message = prepared(&[Data::Text(&text)]);
        // The system takes some of it.
        let mut missed = 0;
        for _ in 0..1000 {
            missed += give(&[&slow, &quick], &message, at_home);
            assert_eq!(ws.text().len(), 1 + text.len());
            assert!(slow.buffered() < LIMIT + 50_100, "{}", slow.buffered());
            if missed > 2 {
                break;
            }
        }
        assert_eq!(missed, 3, "nobody missed anything");
        // Now that it is known to be slow, what is for it alone is dropped, too.
        assert_eq!(
            slow.send(Data::Text("a"), SendFlags::default()).unwrap(),
            Sent::Dropped
        );
        settle(&quick);
        assert!(quick.buffered() == 0 && slow.is_open());
    }
}

/// While one thread sends messages with attachments, the home sends too: no attachment may be torn off.
#[test]
fn attachments_stay_with_their_message() {
    const COUNT: usize = 300;
    let scene = Scene::new();
    let mut ws = scene.websocket();
    let session = scene.session();
    let sender = std::thread::spawn(move || {
        for number in 0..COUNT {
            let text = format!("batch {number}");
            let messages = [Data::Text(&text), Data::Binary(&[1]), Data::Binary(&[2])];
            assert!(session.send_batch(&messages, SendFlags::default()).is_ok());
        }
    });
    for number in 0..COUNT {
        ws.send(&format!("4echo {number}"));
    }
    let (mut batches, mut echoes) = (0, 0);
    while batches < COUNT || echoes < COUNT {
        let text = ws.text();
        if text == format!("4batch {batches}") {
            assert_eq!(ws.peer.read_frame(), (0x82, vec![1]));
            assert_eq!(ws.peer.read_frame(), (0x82, vec![2]));
            batches += 1;
        } else {
            assert_eq!(text, format!("4echo {echoes}"));
            echoes += 1;
        }
    }
    sender.join().unwrap();
}

/// The system takes no more, also when the loop has had its turns, or the session has ended. What only waits for the loop
/// to take it doesn't count.
fn is_stuck(session: &Session) -> bool {
    let carrier = session.state.lock().carrier();
    (0..3).all(|_| {
        let (turned, turn) = unbounded();
        session.home().run(Box::new(move || turned.send(()).unwrap()));
        turn.recv_timeout(PATIENCE).unwrap();
        carrier.is_none_or(|carrier| carrier.has_unsent())
    })
}

#[test]
fn a_slow_consumer_on_a_websocket() {
    for policy in [SlowConsumer::Error, SlowConsumer::DropNewest, SlowConsumer::Close] {
        let scene = Scene::with(|options| {
            options.settings.high_water_mark = 64 << 10;
            options.settings.hard_limit = 256 << 10;
            options.settings.slow_consumer = policy;
            options.settings.tcp.send_buffer = 16 << 10;
        });
        let mut ws = scene.websocket();
        let session = scene.session();
        let text = "x".repeat(100_000);
        let mut over = 0;
        let last = loop {
            match session.send(Data::Text(&text), SendFlags::default()) {
                Ok(Sent::Queued) => {}
                Ok(Sent::OverMark) => over += 1,
                other if is_stuck(&session) => break other,
                // The system takes some more, though nobody reads.
                _ => std::thread::yield_now(),
            }
            assert!(session.buffered() < 2 << 20, "it has a limit");
        };
        assert!(over > 0);
        match policy {
            SlowConsumer::Error => assert_eq!(last.unwrap_err().code(), ErrorCode::OutboxFull),
            _ => assert_eq!(last.unwrap(), Sent::Dropped),
        }
        let volatile = SendFlags {
            volatile: true,
            ..SendFlags::default()
        };
        if policy == SlowConsumer::Close {
            scene.expect(&["close transport error slow consumer"]);
            assert!(session.send(Data::Text("a"), volatile).is_err());
            continue;
        }
        assert_eq!(session.send(Data::Text("a"), volatile).unwrap(), Sent::Dropped);
        // It reads: the sender is told.
        let reader = std::thread::spawn(move || {
            while ws.text().len() > 2 {}
            ws
        });
        // It may have been told before, when the system took much at once.
        scene.expect(&["drain"]);
        while !matches!(
            session.send(Data::Text(""), SendFlags::default()),
            Ok(Sent::Queued | Sent::OverMark)
        ) {
            scene.expect(&["drain"]);
        }
        let _reading = reader.join().unwrap();
        while session.buffered() > 0 {
            std::thread::yield_now();
        }
        assert_eq!(session.send(Data::Text("a"), volatile).unwrap(), Sent::Queued);
    }
}

#[test]
fn on_polling_the_application_is_told_when_it_may_go_on() {
    let scene = Scene::with(|options| options.settings.high_water_mark = 100);
    let (mut http, target) = scene.polling();
    let session = scene.session();
    let text = "x".repeat(200);
    assert_eq!(
        session.send(Data::Text(&text), SendFlags::default()).unwrap(),
        Sent::OverMark
    );
    assert!(session.buffered() > 200);
    assert_eq!(http.get(&target).body.len(), 201);
    scene.expect(&["drain"]);
}
