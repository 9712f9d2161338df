//! What is told of sessions, whether or not they have sockets.

use crate::fixture::{Poller, serve, upgrade_request};
use crate::support::{Peer, masked};

#[test]
fn a_session_is_told_from_its_beginning_to_its_end() {
    let fixture = serve();
    let (client, socket) = fixture.joined();
    let id = socket.session_id().to_owned();
    fixture.hears_of_session(&format!(
        "{id} begins: websocket 4 /socket.io/?EIO=4&transport=websocket"
    ));
    drop(client);
    fixture.hears_of_session(&format!("{id} closed: transport close"));
}

#[test]
fn a_session_without_sockets_is_told_of_when_it_moves_and_ends() {
    let fixture = serve();
    let poller = Poller::open(fixture.port, "EIO=4");
    let id = &poller.sid;
    fixture.hears_of_session(&format!(
        "{id} begins: polling 4 /socket.io/?EIO=4&transport=polling"
    ));
    let mut peer = Peer::connect(fixture.port);
    peer.send(upgrade_request(&format!("EIO=4&transport=websocket&sid={id}"), "").as_bytes());
    peer.read_head();
    peer.send(&masked(0x81, b"2probe"));
    assert_eq!(peer.read_frame(), (0x81, b"3probe".to_vec()));
    peer.send(&masked(0x81, b"5"));
    fixture.hears_of_session(&format!("{id} upgraded"));
    drop(peer);
    fixture.hears_of_session(&format!("{id} closed: transport close"));
}
