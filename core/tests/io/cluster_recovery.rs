//! Clients that lose one server of a cluster and come back to another. Between the servers is one in memory in the place of
//! Redis.

use std::sync::Arc;

use sockline::adapter::redis::memory::{MemoryBus, MemoryServer};
use sockline::adapter::redis::{Bus, Redis, RedisMode, RedisOptions};
use sockline::io::{EmitOptions, Recovery};

use crate::courier::Courier;
use crate::fixture::{Client, Fixture, sent, serve_with};
use crate::support::PATIENCE;

fn node(server: &MemoryServer, mode: RedisMode) -> (Fixture, Arc<MemoryBus>) {
    let bus = server.node();
    let options = RedisOptions {
        mode,
        ..RedisOptions::default()
    };
    let redis = Redis::over(bus.clone(), options);
    let fixture = serve_with(|options| {
        options.adapter = Some(redis);
        options.connection_state_recovery = Some(Recovery::default());
    });
    (fixture, bus)
}

fn streams(courier: &Courier) -> (Fixture, Arc<MemoryBus>) {
    let (fixture, bus) = node(&courier.server, RedisMode::Streams);
    settle(&bus); // the node knows where it begins to read
    (fixture, bus)
}

/// All that was said before has come.
fn settle(bus: &MemoryBus) {
    let (asked, answer) = crossbeam_channel::bounded(1);
    bus.subscribers("any", false, Box::new(move |_| asked.send(()).unwrap()));
    answer.recv_timeout(PATIENCE).unwrap();
}

/// The offset of an event without arguments, which has come.
fn offset_of(packet: &str, event: &str) -> String {
    let rest = packet.strip_prefix(&format!("42[\"{event}\",\"")).expect(packet);
    let offset = rest.strip_suffix("\"]").expect(packet);
    assert!(offset.contains('-'), "{packet}");
    offset.to_owned()
}

fn back(fixture: &Fixture, pid: &str, offset: Option<&str>) -> Client {
    let mut client = fixture.client();
    let offset = offset.map(|offset| format!(",\"offset\":\"{offset}\""));
    client.say(&format!("40{{\"pid\":\"{pid}\"{}}}", offset.unwrap_or_default()));
    client
}

fn hears_of_the_loss(fixture: &Fixture) {
    while !fixture.next().starts_with("disconnect ") {}
}

#[test]
fn who_loses_one_server_is_recovered_on_another() {
    let courier = Courier::new();
    let ((a, _), (b, _)) = (streams(&courier), streams(&courier));
    let (mut client, socket) = a.joined();
    let (id, pid) = (client.id.clone(), client.pid.clone().unwrap());
    socket.join(&["room"]);
    socket.set_data_json("{\"n\":1}");
    b.io.of("/").to("room").emit("seen", "", &[]).unwrap();
    let offset = offset_of(&client.text(), "seen");
    a.skip();
    drop(client);
    hears_of_the_loss(&a);
    // Nobody has it now.
    a.io.of("/").to("room").emit("one", "", &[]).unwrap();
    b.io.of("/").to(&id).emit("two", "", &[]).unwrap();
    b.io.of("/").to("other").emit("other", "", &[]).unwrap();
    let mut client = back(&b, &pid, Some(&offset));
    offset_of(&client.text(), "one");
    let offset = offset_of(&client.text(), "two");
    client.joined("/");
    assert_eq!((&client.id, client.pid.as_ref()), (&id, Some(&pid)));
    let again = b.socket();
    assert!(again.recovered());
    assert_eq!(again.rooms(), [id.as_str(), "room"]);
    assert_eq!(again.data_json(), "{\"n\":1}");
    a.io.of("/").to("room").emit("new", "", &[]).unwrap();
    sent(again.emit("own", "", &[], &EmitOptions::default()));
    offset_of(&client.text(), "new");
    // That got lost on the way.
    drop(client);
    hears_of_the_loss(&b);
    let mut client = back(&a, &pid, Some(&offset));
    offset_of(&client.text(), "new");
    offset_of(&client.text(), "own");
    client.joined("/");
    assert_eq!(client.id, id);
}

#[test]
fn who_never_got_an_event_is_recovered_too() {
    let courier = Courier::new();
    let ((a, _), (b, bus)) = (streams(&courier), streams(&courier));
    b.io.of("/").emit("before", "", &[]).unwrap();
    settle(&bus);
    let (client, _) = a.joined();
    let (id, pid) = (client.id.clone(), client.pid.clone().unwrap());
    drop(client);
    hears_of_the_loss(&a);
    let mut client = back(&b, &pid, None);
    client.joined("/");
    assert_eq!(client.id, id);
    drop(client);
    hears_of_the_loss(&b);
    b.io.of("/").emit("missed", "", &[]).unwrap();
    let mut client = back(&a, &pid, None);
    offset_of(&client.text(), "missed");
    client.joined("/");
}

#[test]
fn who_is_elsewhere_before_that_is_noticed_is_recovered_and_its_former_socket_goes() {
    let courier = Courier::new();
    let ((a, _), (b, dead)) = (streams(&courier), streams(&courier));
    let (mut former, _) = a.joined();
    let (id, pid) = (former.id.clone(), former.pid.clone().unwrap());
    courier.server.advance(1_000);
    let mut client = back(&b, &pid, None);
    client.joined("/");
    assert_eq!(client.id, id);
    former.gets(&["41"]);
    hears_of_the_loss(&a);
    // Now its server dies.
    courier.server.advance(1_000);
    dead.cut();
    a.io.of("/").emit("missed", "", &[]).unwrap();
    let mut client = back(&a, &pid, None);
    offset_of(&client.text(), "missed");
    client.joined("/");
    assert_eq!(client.id, id);
    // So does the former socket of a client that comes back to the same server.
    let mut former = client;
    courier.server.advance(1_000);
    let mut client = back(&a, &pid, None);
    former.gets(&["41"]);
    hears_of_the_loss(&a);
    while courier.server.waiting() > 0 {
        std::thread::yield_now();
    }
    courier.server.advance(100);
    offset_of(&client.text(), "missed");
    client.joined("/");
    assert_eq!(client.id, id);
}

/// Here nothing is delivered before it is asked for.
#[test]
fn who_goes_while_it_is_looked_for_can_come_again() {
    let server = MemoryServer::new();
    let (a, _) = node(&server, RedisMode::Streams);
    server.deliver();
    let (client, _) = a.joined();
    let (id, pid) = (client.id.clone(), client.pid.clone().unwrap());
    drop(client);
    hears_of_the_loss(&a);
    a.io.of("/").emit("missed", "", &[]).unwrap();
    server.deliver();
    let mut client = back(&a, &pid, None);
    while server.waiting() == 0 {
        a.settle();
    }
    // Asking again is not against the rules.
    client.say("40{}");
    drop(client);
    while a.io.engine_clients() > 0 {
        a.settle();
    }
    server.deliver();
    assert_eq!(a.io.of("/").socket_count(), 0);
    let mut client = back(&a, &pid, None);
    while server.waiting() == 0 {
        a.settle();
    }
    server.deliver();
    offset_of(&client.text(), "missed");
    client.joined("/");
    assert_eq!(client.id, id);
}

#[test]
fn who_is_unknown_begins_anew_on_any_server() {
    let courier = Courier::new();
    let (a, bus) = streams(&courier);
    let mut client = back(&a, "nobody's", Some("1-1"));
    client.joined("/");
    assert!(!a.socket().recovered());
    // Without Redis, too.
    bus.cut();
    let mut client = back(&a, "nobody's", None);
    client.joined("/");
    a.io.of("/").emit("alone", "", &[]).unwrap();
    client.gets(&["42[\"alone\"]"]);
}

#[test]
fn rooms_have_channels_of_their_own() {
    let courier = Courier::new();
    let (a, bus) = node(&courier.server, RedisMode::Sharded);
    let (b, _) = node(&courier.server, RedisMode::Sharded);
    let (mut first, socket) = a.joined();
    let (mut second, other) = b.joined();
    socket.join(&["room"]);
    other.join(&["room"]);
    let subscribed = |room: &str| {
        let name = format!("socket.io#/#{room}#");
        bus.subscriptions().iter().any(|one| one.name() == name)
    };
    assert!(subscribed("room") && !subscribed(socket.id()));
    a.io.of("/").to("room").emit("room", "1", &[]).unwrap();
    b.io.of("/").to(socket.id()).emit("you", "", &[]).unwrap();
    let room = |text: String| assert!(text.starts_with("42[\"room\",1,"), "{text}");
    room(first.text());
    room(second.text());
    assert!(first.text().starts_with("42[\"you\","));
    socket.leave("room");
    assert!(!subscribed("room"));
}
