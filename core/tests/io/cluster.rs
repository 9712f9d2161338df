//! Two servers of one cluster, with clients on each. Between them is a server in memory in the place of Redis.

use std::sync::Arc;

use crossbeam_channel::{Receiver, unbounded};
use sockline::ErrorCode;
use sockline::adapter::redis::memory::MemoryBus;
use sockline::adapter::redis::{Redis, RedisMode, RedisOptions};
use sockline::io::{self, AdminAuth, AdminOptions, Answered, EmitOptions, Recovery};

use crate::courier::{Courier, until};
use crate::fixture::{Client, Fixture, Got, sent, serve_with, set};
use crate::support::PATIENCE;

impl Courier {
    /// A server that is one of the cluster.
    pub(crate) fn node(&self, change: impl FnOnce(&mut io::ServerOptions)) -> (Fixture, Arc<MemoryBus>) {
        self.node_in(RedisMode::Classic, change)
    }

    pub(crate) fn node_in(
        &self,
        mode: RedisMode,
        change: impl FnOnce(&mut io::ServerOptions),
    ) -> (Fixture, Arc<MemoryBus>) {
        let bus = self.server.node();
        let options = RedisOptions {
            mode,
            ..RedisOptions::default()
        };
        let redis = Redis::over(bus.clone(), options);
        let fixture = serve_with(|options| {
            options.adapter = Some(redis);
            change(options);
        });
        (fixture, bus)
    }
}

const MODES: [RedisMode; 3] = [RedisMode::Classic, RedisMode::Sharded, RedisMode::Streams];

fn two_in(mode: RedisMode) -> (Courier, Fixture, Fixture) {
    let courier = Courier::new();
    let (a, _) = courier.node_in(mode, |_| {});
    let (b, _) = courier.node_in(mode, |_| {});
    (courier, a, b)
}

/// Where a result will come.
pub(crate) fn result<T: Send + 'static>() -> (impl FnOnce(T) + Send + 'static, Receiver<T>) {
    let (sender, receiver) = unbounded();
    (move |value| drop(sender.send(value)), receiver)
}

#[test]
fn broadcasts_reach_the_clients_of_both() {
    MODES
        .into_iter()
        .for_each(broadcasts_reach_the_clients_of_both_in);
}

fn broadcasts_reach_the_clients_of_both_in(mode: RedisMode) {
    let (_courier, a, b) = two_in(mode);
    let (mut first, socket) = a.joined();
    let (mut second, other) = b.joined();
    let (mut third, elsewhere) = b.joined_to("/n");
    socket.join(&["room"]);
    other.join(&["room"]);
    elsewhere.join(&["room"]);
    a.io.of("/").emit("all", "1", &[]).unwrap();
    socket.to("room").emit("room", "", &[]).unwrap();
    a.io.of("/")
        .to(other.id())
        .emit("you", "{\"a\":[]}", &[])
        .unwrap();
    first.gets(&["42[\"all\",1]"]);
    second.gets(&["42[\"all\",1]", "42[\"room\"]", "42[\"you\",{\"a\":[]}]"]);
    b.io.of("/").except(other.id()).emit("rest", "", &[]).unwrap();
    b.io.of("/").to("room").local().emit("here", "", &[]).unwrap();
    first.gets(&["42[\"rest\"]"]);
    second.gets(&["42[\"here\"]"]);
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    a.io.of("/").emit("bin", placeholder, &[b"\x01\x02"]).unwrap();
    a.io.of("/n").emit("n", "", &[]).unwrap();
    for client in [&mut first, &mut second] {
        client.gets(&[&*format!("451-[\"bin\",{placeholder}]")]);
        assert_eq!(client.got(), Got::Binary(vec![1, 2]));
    }
    third.gets(&["42/n,[\"n\"]"]);
}

#[test]
fn what_others_broadcast_is_told_to_who_hears_what_goes_out() {
    MODES
        .into_iter()
        .for_each(what_others_broadcast_is_told_to_who_hears_what_goes_out_in);
}

fn what_others_broadcast_is_told_to_who_hears_what_goes_out_in(mode: RedisMode) {
    let (_courier, a, b) = two_in(mode);
    let (mut client, socket) = b.joined();
    socket.hear_outgoing(true);
    b.skip();
    a.io.of("/").emit("x", "", &[]).unwrap();
    client.gets(&["42[\"x\"]"]);
    b.hears(&["outgoing [\"x\"]"]);
}

#[test]
fn answers_of_all_clients_are_counted() {
    MODES.into_iter().for_each(answers_of_all_clients_are_counted_in);
}

fn answers_of_all_clients_are_counted_in(mode: RedisMode) {
    let (_courier, a, b) = two_in(mode);
    let (mut first, _) = a.joined();
    let (mut second, _) = b.joined();
    a.skip();
    let everybody = a.io.of("/").all().timeout(PATIENCE);
    everybody.emit_with_ack("q", "", &[], 7).unwrap();
    assert_eq!(first.text(), "420[\"q\"]");
    assert_eq!(second.text(), "420[\"q\"]");
    second.say("430[\"two\",2]");
    first.say("430[\"one\",1]");
    a.hears(&["acks / 7 2/2 [\"\\\"one\\\",1\", \"\\\"two\\\"\"]"]);
    // For this server's own clients no other is waited for.
    everybody.local().emit_with_ack("q", "", &[], 8).unwrap();
    assert_eq!(first.text(), "421[\"q\"]");
    first.say("431[]");
    a.hears(&["acks / 8 1/1 [\"\"]"]);
}

#[test]
fn without_a_time_others_are_waited_for_as_long_as_for_requests() {
    let courier = Courier::new();
    let bus = courier.server.node();
    let options = RedisOptions {
        requests_timeout: 50,
        ..RedisOptions::default()
    };
    let a = serve_with(|io| io.adapter = Some(Redis::over(bus, options)));
    let (b, _) = courier.node(|_| {});
    let (_client, _) = b.joined();
    a.io.of("/").all().emit_with_ack("q", "", &[], 7).unwrap();
    a.hears(&["acks / 7 0/1 late []"]);
}

#[test]
fn answers_that_are_waited_for_are_told_of_before_the_server_is_closed() {
    for mode in MODES {
        let (_courier, a, b) = two_in(mode);
        let (_silent, _socket) = b.joined();
        until(|| {
            let (done, count) = result();
            a.io.of("/").server_count(done).unwrap();
            count.recv_timeout(PATIENCE).unwrap() == Ok(2)
        });
        a.skip();
        a.io.of("/").all().emit_with_ack("q", "", &[], 7).unwrap();
        a.io.close();
        let lines = [a.next(), a.next()];
        assert!(
            lines[0].starts_with("acks / 7 0/") && lines[0].contains(" late"),
            "{lines:?}"
        );
        assert_eq!(lines[1], "server closed");
    }
}

#[test]
fn sockets_are_found_and_moved_on_both() {
    MODES.into_iter().for_each(sockets_are_found_and_moved_on_both_in);
}

fn sockets_are_found_and_moved_on_both_in(mode: RedisMode) {
    let (_courier, a, b) = two_in(mode);
    let (mut first, socket) = a.joined();
    let (mut second, other) = b.joined();
    other.set_data_json("{\"of\":\"b\"}");
    a.io.of("/").all().sockets_join(&["room"]);
    // With streams the order comes back first.
    until(|| a.io.of("/").room("room").len() + b.io.of("/").room("room").len() == 2);
    let find = |fixture: &Fixture, room: &str| {
        let (done, found) = result();
        fixture.io.of("/").to(room).fetch_sockets(done).unwrap();
        let Answered { value, missing } = found.recv_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!(missing, 0);
        value
    };
    let found = find(&a, "room");
    let mine: Vec<bool> = found.iter().map(|found| found.socket.is_some()).collect();
    assert_eq!(mine, [true, false]);
    assert_eq!(
        (found[0].id.as_str(), found[1].id.as_str()),
        (socket.id(), other.id())
    );
    assert_eq!(found[1].data_json, "{\"of\":\"b\"}");
    assert_eq!(found[1].rooms, [other.id(), "room"]);
    let handshake: serde_json::Value = serde_json::from_str(&found[1].handshake_json).unwrap();
    assert_eq!(handshake["query"]["transport"], "websocket");
    let (ids, rooms, count) = (result(), result(), result());
    b.io.of("/").all_sockets(&["room"], ids.0).unwrap();
    b.io.of("/").all_rooms(rooms.0).unwrap();
    b.io.of("/").server_count(count.0).unwrap();
    let ids = ids.1.recv_timeout(PATIENCE).unwrap().unwrap().value;
    assert!(ids.len() == 2 && ids.contains(&socket.id().to_owned()));
    let rooms = rooms.1.recv_timeout(PATIENCE).unwrap().unwrap().value;
    assert!(rooms.len() == 3 && rooms.contains(&"room".to_owned()));
    assert_eq!(count.1.recv_timeout(PATIENCE).unwrap().unwrap(), 2);
    b.io.of("/").to(socket.id()).sockets_leave(&["room"]);
    until(|| a.io.of("/").room("room").is_empty());
    let ids: Vec<String> = find(&b, "room").into_iter().map(|found| found.id).collect();
    assert_eq!(ids, [other.id()]);
    a.io.of("/").to(other.id()).disconnect_sockets(false);
    second.gets(&["41"]);
    b.io.of("/").all().disconnect_sockets(false);
    first.gets(&["41"]);
}

#[test]
fn applications_talk_to_each_other() {
    MODES.into_iter().for_each(applications_talk_to_each_other_in);
}

fn applications_talk_to_each_other_in(mode: RedisMode) {
    let (courier, a, b) = two_in(mode);
    let (c, _) = courier.node_in(mode, |_| {});
    for fixture in [&b, &c] {
        fixture.io.of("/n");
        fixture.hears(&["new namespace /n"]);
    }
    a.io.of("/n").server_side_emit("hi", "1,{}", &[]).unwrap();
    a.hears(&["new namespace /n"]);
    b.hears(&["server /n hi [1,{}] 0"]);
    c.hears(&["server /n hi [1,{}] 0"]);
    set(
        &b.handler.on_server_side_emit,
        Box::new(|_, event| {
            let Some(ack) = event.ack else { return }; // "hi" is recorded before this is looked for
            let raw = ack.into_raw();
            let ack = io::ServerAck::from_raw(raw).unwrap();
            assert_eq!(
                ack.send("1,2", &[]).unwrap_err().code(),
                ErrorCode::InvalidArgument
            );
        }),
    );
    let (answered, has_answered) = unbounded();
    set(
        &c.handler.on_server_side_emit,
        Box::new(move |_, event| {
            let Some(ack) = event.ack else { return };
            ack.send("{\"c\":true}", &[]).unwrap();
            answered.send(()).unwrap();
        }),
    );
    let (done, answers) = result();
    a.io.of("/n")
        .server_side_emit_with_ack("q", "", &[], done)
        .unwrap();
    b.hears(&["server /n q [] 0 ack"]);
    c.hears(&["server /n q [] 0 ack"]);
    has_answered.recv_timeout(PATIENCE).unwrap();
    let (done, count) = result();
    a.io.of("/n").server_count(done).unwrap();
    count.recv_timeout(PATIENCE).unwrap().unwrap(); // behind that answer
    assert!(answers.try_recv().is_err());
    courier.server.advance(5_000);
    let Answered { value, missing } = answers.recv_timeout(PATIENCE).unwrap().unwrap();
    let value: Vec<&str> = value.iter().map(|answer| &*answer.args).collect();
    assert_eq!((value.as_slice(), missing), (&["{\"c\":true}"][..], 1));
    a.hears_nothing_more();
    for (name, args) in [("connection", ""), ("x", "{")] {
        let error = a.io.of("/n").server_side_emit(name, args, &[]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
    }
}

#[test]
fn a_server_without_a_cluster_has_nobody_to_ask() {
    let fixture = crate::fixture::serve();
    let namespace = fixture.io.of("/");
    namespace.server_side_emit("x", "", &[]).unwrap();
    let (done, answers) = result();
    namespace.server_side_emit_with_ack("x", "", &[], done).unwrap();
    assert!(answers.recv_timeout(PATIENCE).unwrap().unwrap().value.is_empty());
    fixture.hears_nothing_more();
}

#[test]
fn a_server_goes_on_without_redis() {
    let courier = Courier::new();
    let (a, bus) = courier.node(|_| {});
    let (b, _) = courier.node(|_| {});
    let (mut first, _) = a.joined();
    let (mut second, _) = b.joined();
    bus.cut();
    a.io.of("/").emit("alone", "", &[]).unwrap();
    first.gets(&["42[\"alone\"]"]);
    a.skip();
    a.io.of("/").all().emit_with_ack("q", "", &[], 1).unwrap();
    assert_eq!(first.text(), "420[\"q\"]");
    first.say("430[]");
    a.hears(&["acks / 1 1/1 [\"\"]"]);
    let (done, found) = result();
    a.io.of("/").all().fetch_sockets(done).unwrap();
    let found = found.recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!((found.value.len(), found.missing), (1, 1));
    bus.restore();
    a.io.of("/").emit("again", "", &[]).unwrap();
    second.gets(&["42[\"again\"]"]);
}

#[test]
fn what_a_server_is_subscribed_to_ends_with_it() {
    let courier = Courier::new();
    let (a, bus) = courier.node(|options| options.cleanup_empty_child_namespaces = true);
    assert_eq!(bus.subscriptions().len(), 4);
    a.io.set_dynamic_namespaces(true);
    set(&a.handler.on_namespace, Box::new(|question| question.allow()));
    let mut client: Client = a.client();
    client.join("/child");
    assert_eq!(bus.subscriptions().len(), 8);
    client.say("41/child,");
    until(|| bus.subscriptions().len() == 4);
    a.io.close();
    until(|| bus.subscriptions().is_empty());
}

#[test]
fn sessions_are_recovered_where_they_were() {
    let courier = Courier::new();
    let recovers = |options: &mut io::ServerOptions| {
        options.connection_state_recovery = Some(Recovery::default());
    };
    let (a, _) = courier.node(recovers);
    let (b, _) = courier.node(recovers);
    let (mut client, socket) = a.joined();
    let before = courier.server.published().len();
    sent(socket.emit("own", "", &[], &EmitOptions::default()));
    assert_eq!(courier.server.published().len(), before, "others need not know");
    b.io.of("/").emit("one", "", &[]).unwrap();
    let own: Vec<serde_json::Value> = serde_json::from_str(&client.text()[2..]).unwrap();
    assert_eq!(own[0], "own");
    let one: Vec<serde_json::Value> = serde_json::from_str(&client.text()[2..]).unwrap();
    let offset = one[1].as_str().unwrap().to_owned();
    let (pid, id) = (client.pid.clone().unwrap(), client.id.clone());
    a.skip();
    drop(client);
    while !a.next().starts_with("disconnect ") {}
    b.io.of("/").emit("missed", "", &[]).unwrap();
    let (done, found) = result();
    b.io.of("/").all().fetch_sockets(done).unwrap(); // is answered when that has arrived
    found.recv_timeout(PATIENCE).unwrap().unwrap();
    let mut client = a.client();
    client.say(&format!("40{{\"pid\":\"{pid}\",\"offset\":\"{offset}\"}}"));
    assert!(client.text().starts_with("42[\"missed\",\""));
    client.joined("/");
    assert_eq!(client.id, id);
}

#[test]
fn an_admin_sees_all_servers() {
    let courier = Courier::new();
    let (a, _) = courier.node(|_| {});
    let (b, _) = courier.node(|_| {});
    for (fixture, name) in [(&a, "one"), (&b, "two")] {
        let options = AdminOptions {
            server_id: name.to_owned(),
            ..AdminOptions::new(AdminAuth::None)
        };
        fixture.io.enable_admin(options).unwrap();
    }
    let mut admin = a.client();
    admin.join("/admin");
    let (_client, socket) = b.joined();
    let (mut servers, mut sockets) = (Vec::new(), Vec::new());
    while servers.len() < 2 || sockets.is_empty() {
        let text = admin.text();
        let event: serde_json::Value = serde_json::from_str(&text["42/admin,".len()..]).unwrap();
        match event[0].as_str().unwrap() {
            "server_stats" => servers.push(event[1]["serverId"].as_str().unwrap().to_owned()),
            "socket_connected" if event[1]["nsp"] == "/" => {
                sockets.push(event[1]["id"].as_str().unwrap().to_owned())
            }
            _ => {}
        }
        servers.sort();
        servers.dedup();
    }
    assert_eq!(servers, ["one", "two"]);
    assert_eq!(sockets, [socket.id()]);
}

#[test]
fn an_admin_is_shown_the_sockets_of_all_servers() {
    MODES
        .into_iter()
        .for_each(an_admin_is_shown_the_sockets_of_all_servers_in);
}

fn an_admin_is_shown_the_sockets_of_all_servers_in(mode: RedisMode) {
    let (_courier, a, b) = two_in(mode);
    a.io.enable_admin(AdminOptions::new(AdminAuth::None)).unwrap();
    b.io.enable_admin(AdminOptions::new(AdminAuth::None)).unwrap();
    let (_first, here) = a.joined();
    let (_second, there) = b.joined();
    let (_third, elsewhere) = b.joined_to("/n");
    a.io.of("/n");
    there.join(&["room"]);
    there.set_data_json("{\"n\":1}");
    let mut admin = a.client();
    admin.join("/admin");
    let all = loop {
        let text = admin.text();
        let event: serde_json::Value = serde_json::from_str(&text["42/admin,".len()..]).unwrap();
        if event[0] == "all_sockets" {
            break event[1].as_array().unwrap().clone();
        }
    };
    let shown = |id: &str| all.iter().find(|socket| socket["id"] == id).unwrap();
    assert_eq!(all.len(), 4);
    for (socket, namespace) in [(&here, "/"), (&there, "/"), (&elsewhere, "/n")] {
        let shown = shown(socket.id());
        assert_eq!(shown["nsp"], namespace);
        assert_eq!(shown["clientId"], socket.session_id()[..12]);
        assert_eq!(shown["transport"], "websocket");
        assert_eq!(shown["handshake"]["address"], "127.0.0.1");
        assert!(shown["handshake"]["auth"].is_null());
    }
    assert_eq!(shown(&admin.id)["nsp"], "/admin");
    assert_eq!(shown(there.id())["data"], serde_json::json!({"n": 1}));
    assert_eq!(
        shown(there.id())["rooms"].as_array().unwrap().len(),
        2,
        "its own and the other"
    );
    // This server's application is shown its own sockets' data as they are.
    let (done, found) = result();
    a.io.of("/").all().fetch_sockets(done).unwrap();
    let sockets = found.recv_timeout(PATIENCE).unwrap().unwrap().value;
    let data = |id: &str| &sockets.iter().find(|socket| socket.id == id).unwrap().data_json;
    assert_eq!(data(here.id()), "{}");
    assert!(data(there.id()).starts_with("{\"_admin\":"));
}

#[test]
fn without_redis_an_admin_is_shown_this_servers_sockets() {
    let courier = Courier::new();
    let (a, bus) = courier.node(|_| {});
    let (b, _) = courier.node(|_| {});
    a.io.enable_admin(AdminOptions::new(AdminAuth::None)).unwrap();
    let (_first, here) = a.joined();
    let (_second, there) = b.joined();
    bus.cut();
    let mut admin = a.client();
    admin.join("/admin");
    let all = loop {
        let text = admin.text();
        if text.contains("\"all_sockets\"") {
            break text;
        }
    };
    assert!(all.contains(here.id()) && !all.contains(there.id()));
}

#[test]
fn with_streams_sessions_are_recovered_on_another_server() {
    let courier = Courier::new();
    let recovers = |options: &mut io::ServerOptions| {
        options.connection_state_recovery = Some(Recovery::default());
    };
    let (a, _) = courier.node_in(RedisMode::Streams, recovers);
    let (b, _) = courier.node_in(RedisMode::Streams, recovers);
    let (mut client, socket) = a.joined();
    socket.join(&["room"]);
    sent(socket.emit("own", "", &[], &EmitOptions::default()));
    let own: Vec<serde_json::Value> = serde_json::from_str(&client.text()[2..]).unwrap();
    let offset = own[1].as_str().unwrap().to_owned();
    let (pid, id) = (client.pid.clone().unwrap(), client.id.clone());
    a.skip();
    drop((client, socket));
    while !a.next().starts_with("disconnect ") {}
    a.io.of("/").to("room").emit("missed", "", &[]).unwrap();
    b.io.of("/").to("other").emit("not its", "", &[]).unwrap();
    let mut client = b.client();
    client.say(&format!("40{{\"pid\":\"{pid}\",\"offset\":\"{offset}\"}}"));
    assert!(client.text().starts_with("42[\"missed\",\""));
    client.joined("/");
    assert_eq!(client.id, id);
    b.hears(&["connection / again"]);
    assert!(b.socket().rooms().contains(&"room".to_owned()));
}

#[test]
fn a_server_becomes_one_of_a_cluster_before_its_first_client() {
    let courier = Courier::new();
    let handle = |mode| {
        let options = RedisOptions {
            mode,
            ..RedisOptions::default()
        };
        Redis::over(courier.server.node(), options)
    };
    for mode in MODES {
        let (a, _) = courier.node_in(mode, |_| {});
        let b = serve_with(|_| {});
        b.io.of("/before");
        b.io.set_adapter(&handle(mode)).unwrap();
        let refused = b.io.set_adapter(&handle(mode)).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidArgument);
        for (name, expected) in [
            ("/", "42[\"all\",1]"),
            ("/before", "42/before,[\"all\",1]"),
            ("/after", "42/after,[\"all\",1]"),
        ] {
            b.io.of(name);
            let (mut client, _) = b.joined_to(name);
            a.io.of(name).emit("all", "1", &[]).unwrap();
            client.gets(&[expected]);
        }
    }
    let late = serve_with(|_| {});
    let _client = late.joined();
    late.io.set_adapter(&handle(RedisMode::Classic)).unwrap_err();
    let recovers = serve_with(|options| options.connection_state_recovery = Some(Recovery::default()));
    recovers.io.set_adapter(&handle(RedisMode::Streams)).unwrap_err();
    recovers.io.set_adapter(&handle(RedisMode::Sharded)).unwrap();
}
