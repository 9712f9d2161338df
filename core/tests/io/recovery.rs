use std::time::Duration;

use sockline::io::{ConnectQuestion, EmitOptions, Recovery};

use crate::fixture::{Client, Fixture, sent, serve, serve_with, set};

fn recovering() -> Fixture {
    serve_with(|options| options.connection_state_recovery = Some(Recovery::default()))
}

/// Without its offset, the array of an event; and the offset.
fn offset_of(packet: &str, event: &str) -> String {
    let rest = packet
        .strip_prefix(&format!("42[{event},\""))
        .unwrap_or_else(|| panic!("{packet}"));
    rest.strip_suffix("\"]").unwrap().to_owned()
}

/// The client comes back with what it knows.
fn back(fixture: &Fixture, pid: &str, offset: Option<&str>) -> Client {
    let mut client = fixture.client();
    let offset = offset
        .map(|offset| format!(",\"offset\":\"{offset}\""))
        .unwrap_or_default();
    client.say(&format!("40{{\"pid\":\"{pid}\"{offset},\"token\":1}}"));
    client
}

#[test]
fn a_client_that_comes_back_has_its_state_and_what_it_missed() {
    let fixture = recovering();
    let (mut client, socket) = fixture.joined();
    let (id, pid) = (client.id.clone(), client.pid.clone().unwrap());
    assert_ne!(id, pid);
    socket.join(&["r"]);
    socket.set_data_json("{\"n\":1}");
    sent(socket.emit("seen", "1", &[], &EmitOptions::default()));
    let offset = offset_of(&client.text(), "\"seen\",1");
    drop(client);
    fixture.hears(&["connecting / {}", "connection /"]);
    fixture.hears(&["disconnecting transport close 2", "disconnect / transport close"]);
    let namespace = fixture.io.of("/");
    namespace.emit("all", "2", &[]).unwrap();
    namespace.to("r").emit("room", "", &[]).unwrap();
    namespace.to("other").emit("other", "", &[]).unwrap();
    namespace
        .to(&id)
        .emit("own", "{\"_placeholder\":true,\"num\":0}", &[b"x"])
        .unwrap();
    namespace.all().volatile(true).emit("volatile", "", &[]).unwrap();
    namespace.all().emit_with_ack("acknowledged", "", &[], 1).unwrap();
    fixture.hears(&["acks / 1 0/0 []"]);
    let mut client = back(&fixture, &pid, Some(&offset));
    offset_of(&client.text(), "\"all\",2");
    offset_of(&client.text(), "\"room\"");
    let own = client.text();
    assert!(
        own.starts_with("451-[\"own\",{\"_placeholder\":true,\"num\":0},\""),
        "{own}"
    );
    assert_eq!(client.got(), crate::fixture::Got::Binary(b"x".to_vec()));
    client.joined("/");
    assert_eq!((&client.id, client.pid.as_ref()), (&id, Some(&pid)));
    fixture.hears(&["connection / again"]);
    let again = fixture.socket();
    assert!(again.recovered() && again != socket);
    assert_eq!(again.rooms(), [id.as_str(), "r"]);
    assert_eq!(again.data_json(), "{\"n\":1}");
    assert!(again.auth().contains("\"token\":1"));
    assert_eq!(fixture.io.metrics().recovered, 1);
    // And once more.
    namespace.emit("new", "", &[]).unwrap();
    let offset = offset_of(&client.text(), "\"new\"");
    drop(client);
    fixture.hears(&["disconnecting transport close 2", "disconnect / transport close"]);
    let mut client = back(&fixture, &pid, Some(&offset));
    client.joined("/");
    fixture.hears(&["connection / again"]);
}

#[test]
fn a_client_that_has_never_got_an_event_comes_back_too() {
    let fixture = recovering();
    fixture.io.of("/").emit("before", "", &[]).unwrap();
    let (client, _) = fixture.joined();
    let pid = client.pid.clone().unwrap();
    drop(client);
    fixture.hears(&["connecting / {}", "connection /"]);
    fixture.hears(&["disconnecting transport close 1", "disconnect / transport close"]);
    fixture.io.of("/").emit("missed", "", &[]).unwrap();
    let mut client = back(&fixture, &pid, None);
    offset_of(&client.text(), "\"missed\"");
    client.joined("/");
}

/// What it would have needed at first is long gone, but it had all of it.
#[test]
fn a_client_that_was_idle_while_much_went_by_comes_back_and_again() {
    let fixture = serve_with(|options| {
        options.connection_state_recovery = Some(Recovery {
            max_bytes: 4_000,
            ..Recovery::default()
        });
    });
    let namespace = fixture.io.of("/");
    let much = || (0..100).for_each(|_| namespace.to("others").emit("other", "", &[]).unwrap());
    much();
    let (client, _) = fixture.joined();
    let pid = client.pid.clone().unwrap();
    fixture.hears(&["connecting / {}", "connection /"]);
    let mut client = client;
    for _ in 0..2 {
        much();
        drop(client);
        fixture.hears(&["disconnecting transport close 1", "disconnect / transport close"]);
        client = back(&fixture, &pid, None);
        client.joined("/");
        assert_eq!(client.pid.as_ref(), Some(&pid));
        fixture.hears(&["connection / again"]);
    }
}

#[test]
fn offsets_are_only_where_they_belong() {
    let fixture = recovering();
    let (mut client, socket) = fixture.joined();
    let with = |options: EmitOptions| sent(socket.emit("e", "", &[], &options));
    with(EmitOptions {
        ack: Some(1),
        ..EmitOptions::default()
    });
    client.gets(&["420[\"e\"]"]);
    fixture.settle();
    with(EmitOptions {
        volatile: true,
        ..EmitOptions::default()
    });
    client.gets(&["42[\"e\"]"]);
    with(EmitOptions::default());
    offset_of(&client.text(), "\"e\"");
    let plain = serve();
    let (mut client, socket) = plain.joined();
    assert_eq!(client.pid, None);
    sent(socket.emit("e", "", &[], &EmitOptions::default()));
    client.gets(&["42[\"e\"]"]);
}

#[test]
fn who_was_sent_away_left_or_comes_too_late_begins_anew() {
    let fixture = serve_with(|options| {
        options.connection_state_recovery = Some(Recovery {
            max_disconnection: Duration::from_millis(30),
            ..Recovery::default()
        });
    });
    let begins_anew = |pid: &str| {
        let mut client = back(&fixture, pid, None);
        client.joined("/");
        assert_ne!(client.pid.as_deref(), Some(pid));
        assert!(!fixture.socket().recovered());
    };
    let (mut client, _) = fixture.joined();
    let pid = client.pid.clone().unwrap();
    client.say("41");
    fixture.hears(&["connecting / {}", "connection /"]);
    fixture.hears(&[
        "disconnecting client namespace disconnect 1",
        "disconnect / client namespace disconnect",
    ]);
    begins_anew(&pid);
    let (client, socket) = fixture.joined();
    socket.disconnect(false);
    fixture.skip();
    begins_anew(&client.pid.clone().unwrap());
    let (client, _) = fixture.joined();
    let pid = client.pid.clone().unwrap();
    fixture.skip();
    drop(client);
    fixture.hears(&["disconnecting transport close 1", "disconnect / transport close"]);
    std::thread::sleep(Duration::from_millis(50));
    begins_anew(&pid);
    begins_anew("nobody's");
}

#[test]
fn the_application_may_be_asked_again_and_nothing_is_missed_meanwhile() {
    let fixture = serve_with(|options| {
        options.connection_state_recovery = Some(Recovery {
            skip_middlewares: false,
            ..Recovery::default()
        });
    });
    let (client, socket) = fixture.joined();
    let pid = client.pid.clone().unwrap();
    socket.join(&["r"]);
    fixture.skip();
    drop((client, socket));
    fixture.hears(&["disconnecting transport close 2", "disconnect / transport close"]);
    fixture.io.of("/").emit("missed", "", &[]).unwrap();
    let (sender, questions) = crossbeam_channel::unbounded();
    set(
        &fixture.handler.on_connecting,
        Box::new(move |question| drop(sender.send(question))),
    );
    let denied: ConnectQuestion = {
        let mut client = back(&fixture, &pid, None);
        let question: ConnectQuestion = questions.recv().unwrap();
        assert!(question.socket().recovered());
        assert_eq!(question.socket().rooms().len(), 2);
        question.deny("not now", None);
        client.gets(&["44{\"message\":\"not now\"}"]);
        client.say(&format!("40{{\"pid\":\"{pid}\"}}"));
        let question: ConnectQuestion = questions.recv().unwrap();
        fixture.io.of("/").to("r").emit("meanwhile", "", &[]).unwrap();
        fixture
            .io
            .of("/")
            .all()
            .volatile(true)
            .emit("volatile", "", &[])
            .unwrap();
        question.allow();
        offset_of(&client.text(), "\"missed\"");
        offset_of(&client.text(), "\"meanwhile\"");
        client.joined("/");
        assert_eq!(client.pid.as_deref(), Some(&*pid));
        let socket = fixture.socket();
        assert!(socket.recovered());
        client.gets_with_offset(&fixture, &socket);
        drop(client);
        let _again = back(&fixture, &pid, None);
        questions.recv().unwrap()
    };
    assert!(denied.socket().recovered());
}

impl Client {
    /// The next event has an offset, and is the one that is sent now.
    fn gets_with_offset(&mut self, fixture: &Fixture, socket: &sockline::io::Socket) {
        fixture.settle();
        sent(socket.emit("last", "", &[], &EmitOptions::default()));
        offset_of(&self.text(), "\"last\"");
    }
}

#[test]
fn nothing_is_kept_for_ever() {
    let fixture = serve_with(|options| {
        options.ping_interval = Duration::from_millis(20);
        options.ping_timeout = Duration::from_millis(500);
        options.connection_state_recovery = Some(Recovery {
            max_disconnection: Duration::from_millis(20),
            ..Recovery::default()
        });
    });
    let (client, socket) = fixture.joined();
    let weak = std::sync::Arc::new(());
    sent(socket.emit(
        "e",
        &format!("{:?}", "x".repeat(1000)),
        &[],
        &EmitOptions::default(),
    ));
    drop((client, socket, weak));
    fixture.hears(&["connecting / {}", "connection /"]);
    fixture.hears(&["disconnecting transport close 1", "disconnect / transport close"]);
}
