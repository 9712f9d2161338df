use std::collections::BTreeSet;

use serde_json::{Value, json};
use sockline::ErrorCode;
use sockline::io::{AdminAuth, AdminOptions};

use crate::fixture::{Client, Fixture, serve};

/// "changeit", with the least cost.
const HASH: &str = "$2a$04$s99oAleGap10pDesgkpk4.mIqtxlx2LaQAMYxE/l/wLY7kZTFROpi";

fn admin(fixture: &Fixture, options: AdminOptions) -> Client {
    fixture.io.enable_admin(options).unwrap();
    let mut client = fixture.client();
    client.join("/admin");
    client
}

/// The next event of this name.
fn event(client: &mut Client, name: &str) -> Value {
    loop {
        let text = client.text();
        let array = text.strip_prefix("42/admin,").unwrap_or_else(|| panic!("{text}"));
        let array: Value = serde_json::from_str(array).unwrap();
        if array[0] == name {
            return array;
        }
    }
}

fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap();
    text.len() == 24 && text.ends_with('Z') && text.as_bytes()[10] == b'T'
}

#[test]
fn an_admin_sees_what_there_is_and_what_happens() {
    let fixture = serve();
    let (mut other, socket) = fixture.joined();
    socket.set_data_json("{\"n\":1}");
    let mut client = admin(&fixture, AdminOptions::new(AdminAuth::None));
    let config = event(&mut client, "config");
    let features = [
        "EMIT",
        "JOIN",
        "LEAVE",
        "DISCONNECT",
        "MJOIN",
        "MLEAVE",
        "MDISCONNECT",
        "AGGREGATED_EVENTS",
        "ALL_EVENTS",
    ];
    assert_eq!(config[1]["supportedFeatures"], json!(features));
    let all = event(&mut client, "all_sockets");
    let ids: BTreeSet<&str> = all[1]
        .as_array()
        .unwrap()
        .iter()
        .map(|socket| socket["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, BTreeSet::from([socket.id(), &client.id]));
    let shown = all[1]
        .as_array()
        .unwrap()
        .iter()
        .find(|shown| shown["nsp"] == "/")
        .unwrap();
    assert_eq!(shown["data"], json!({"n": 1}));
    assert_eq!(
        (&shown["transport"], &shown["rooms"]),
        (&"websocket".into(), &json!([socket.id()]))
    );
    assert_eq!(shown["clientId"], socket.session_id()[..12]);
    assert!(shown["handshake"]["headers"].is_object() && shown["handshake"]["auth"].is_null());
    let stats = event(&mut client, "server_stats");
    assert_eq!(
        (&stats[1]["clientsCount"], &stats[1]["pollingClientsCount"]),
        (&2.into(), &0.into())
    );
    assert_eq!(stats[1]["namespaces"].as_array().unwrap().len(), 2);
    assert_eq!(stats[1]["pid"], std::process::id());

    socket.join(&["r"]);
    let joined = event(&mut client, "room_joined");
    assert_eq!(
        (&joined[1], &joined[2], &joined[3]),
        (&"/".into(), &"r".into(), &socket.id().into())
    );
    assert!(is_time(&joined[4]));
    other.say("42[\"in\",{\"a\":1}]");
    let received = event(&mut client, "event_received");
    assert_eq!(
        (&received[2], &received[3]),
        (&socket.id().into(), &json!(["in", {"a": 1}]))
    );
    socket.namespace().emit("out", "1", &[]).unwrap();
    assert_eq!(event(&mut client, "event_sent")[3], json!(["out", 1]));
    crate::fixture::sent(socket.emit("direct", "", &[], &Default::default()));
    assert_eq!(event(&mut client, "event_sent")[3], json!(["direct"]));
    socket.set_data_json("{\"n\":2}");
    assert_eq!(
        event(&mut client, "socket_updated")[1],
        json!({"id": socket.id(), "nsp": "/", "data": {"n": 2}})
    );
    let (_third, third) = fixture.joined();
    let connected = event(&mut client, "socket_connected");
    assert_eq!(connected[1]["id"], third.id());
    drop(other);
    assert_eq!(event(&mut client, "room_left")[2], "r");
    let gone = event(&mut client, "socket_disconnected");
    assert_eq!(
        (&gone[2], &gone[3]),
        (&socket.id().into(), &"transport close".into())
    );
    let stats = event(&mut client, "server_stats");
    let sums: BTreeSet<&str> = stats[1]["aggregatedEvents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sum| sum["type"].as_str().unwrap())
        .collect();
    for sum in [
        "rawConnection",
        "rawDisconnection",
        "packetsIn",
        "packetsOut",
        "bytesIn",
        "bytesOut",
    ] {
        assert!(sums.contains(sum), "{sums:?}");
    }
    // The application hears nothing of the admin.
    fixture.hears(&[
        "connecting / {}",
        "connection /",
        "event in [{\"a\":1}]",
        "connecting / {}",
        "connection /",
    ]);
    fixture.hears(&["disconnecting transport close 2", "disconnect / transport close"]);
    fixture.hears_nothing_more();
}

#[test]
fn an_admin_emits_moves_and_disconnects() {
    let fixture = serve();
    let (mut one, first) = fixture.joined();
    let (mut two, second) = fixture.joined();
    let mut client = admin(&fixture, AdminOptions::new(AdminAuth::None));
    client.say(&format!("42/admin,[\"join\",\"/\",\"r\",\"{}\"]", first.id()));
    event(&mut client, "room_joined");
    assert_eq!(first.rooms().len(), 2);
    client.say("42/admin,[\"emit\",\"/\",\"r\",\"hi\",1,{\"a\":[2]}]");
    one.gets(&["42[\"hi\",1,{\"a\":[2]}]"]);
    client.say("42/admin,[\"emit\",\"/\",null,\"all\"]");
    one.gets(&["42[\"all\"]"]);
    two.gets(&["42[\"all\"]"]);
    client.say("42/admin,[\"leave\",\"/\",\"r\"]");
    event(&mut client, "room_left");
    assert_eq!(first.rooms().len(), 1);
    client.say(&format!(
        "42/admin,[\"_disconnect\",\"/\",false,\"{}\"]",
        second.id()
    ));
    two.gets(&["41"]);
    client.say("42/admin,[\"_disconnect\",\"/\",true]");
    one.gets(&["41"]);
    one.is_closed();
    for nonsense in [
        "[\"emit\"]",
        "[\"join\",1,2,3]",
        "[\"_disconnect\",\"/nope\"]",
        "[\"emit\",\"/\",null,\"connect\"]",
        "[\"x\"]",
    ] {
        client.say(&format!("42/admin,{nonsense}"));
    }
    event(&mut client, "server_stats");
}

#[test]
fn one_who_may_only_look_changes_nothing() {
    let fixture = serve();
    let (mut one, first) = fixture.joined();
    let options = AdminOptions {
        namespace: "/look".to_owned(),
        read_only: true,
        development: false,
        server_id: "me".to_owned(),
        ..AdminOptions::new(AdminAuth::None)
    };
    fixture.io.enable_admin(options.clone()).unwrap();
    assert_eq!(
        fixture.io.enable_admin(options).unwrap_err().code(),
        ErrorCode::InvalidArgument
    );
    let mut client = fixture.client();
    client.join("/look");
    client.gets(&["42/look,[\"config\",{\"supportedFeatures\":[\"AGGREGATED_EVENTS\"]}]"]);
    assert!(
        client
            .text()
            .starts_with("42/look,[\"server_stats\",{\"serverId\":\"me\",")
    );
    client.say("42/look,[\"emit\",\"/\",null,\"all\"]");
    client.say("42/look,[\"_disconnect\",\"/\",true]");
    fixture.settle();
    one.gets_nothing_more(&fixture, &first);
}

#[test]
fn an_admin_needs_the_password_or_a_session() {
    let fixture = serve();
    let wrong = AdminAuth::Basic {
        username: "me".to_owned(),
        password_hash: "changeit".to_owned(),
    };
    assert_eq!(
        fixture
            .io
            .enable_admin(AdminOptions::new(wrong))
            .unwrap_err()
            .code(),
        ErrorCode::InvalidArgument
    );
    let auth = AdminAuth::Basic {
        username: "me".to_owned(),
        password_hash: HASH.to_owned(),
    };
    fixture.io.enable_admin(AdminOptions::new(auth)).unwrap();
    for auth in [
        "",
        "{\"username\":\"me\"}",
        "{\"username\":\"me\",\"password\":\"wrong\"}",
        "{\"username\":\"you\",\"password\":\"changeit\"}",
        "{\"sessionId\":\"guessed\"}",
    ] {
        let mut client = fixture.client();
        client.say(&format!("40/admin,{auth}"));
        client.gets(&["44/admin,{\"message\":\"invalid credentials\"}"]);
    }
    let mut client = fixture.client();
    client.join_with("/admin", "{\"username\":\"me\",\"password\":\"changeit\"}");
    let session = event(&mut client, "session")[1].as_str().unwrap().to_owned();
    let mut again = fixture.client();
    again.join_with("/admin", &format!("{{\"sessionId\":\"{session}\"}}"));
    event(&mut again, "config");
}

#[test]
fn a_password_may_be_given_without_its_hash() {
    let fixture = serve();
    let auth = AdminAuth::password("me", "changeit").unwrap();
    let AdminAuth::Basic { password_hash, .. } = &auth else {
        panic!("no hash was made");
    };
    assert!(password_hash.starts_with("$2b$") && !password_hash.contains("changeit"));
    fixture.io.enable_admin(AdminOptions::new(auth)).unwrap();
    let mut client = fixture.client();
    client.say("40/admin,{\"username\":\"me\",\"password\":\"changed\"}");
    client.gets(&["44/admin,{\"message\":\"invalid credentials\"}"]);
    let mut client = fixture.client();
    client.join_with("/admin", "{\"username\":\"me\",\"password\":\"changeit\"}");
    event(&mut client, "session");
}
