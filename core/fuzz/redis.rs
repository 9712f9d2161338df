//! Any bytes as what nodes of a cluster publish: what is read is well-formed, and said again it stays as it is. Included by
//! the fuzz target and by the tests.

use sockline::adapter::BroadcastPacket;
use sockline::adapter::redis::classic::{
    Broadcast, Received, Request, Response, ResponseContent, Sender, Whom,
};
use sockline::adapter::redis::python::{Envelope, Message};
use sockline::json;
use sockline::socketio::check_placeholders;

const ME: Sender<'_> = Sender::Server("me");

/// A message.
pub fn read_input(input: &[u8]) {
    broadcast(input);
    request(input);
    response(input);
    python(input);
}

fn broadcast(input: &[u8]) {
    let Ok(Some(first)) = Broadcast::read(input, "nobody", "/") else {
        return;
    };
    event(&first.packet);
    let again = |it: &Broadcast| {
        let message = Broadcast::write(ME, "/", &it.packet, &it.options).expect("well-formed");
        assert_eq!(Broadcast::read(&message, "me", "/"), Ok(None), "this node's own");
        Broadcast::read(&message, "nobody", "/")
            .expect("what we write")
            .expect("another's")
    };
    // 1.0 becomes 1, and rooms are there once.
    let second = again(&first);
    assert_eq!(again(&second), second);
}

fn request(input: &[u8]) {
    let Ok(Some(Received { id, request, .. })) = Received::read(input, "nobody") else {
        return;
    };
    match &request {
        Request::ServerSideEmit(packet) | Request::Broadcast(packet, _) => event(packet),
        Request::Join(Whom::One(_), _) | Request::Leave(Whom::One(_), _) => return, // only old adapters write it
        _ => {}
    }
    let again = |it: &Request| {
        let message = it.write(ME, id.as_deref(), "/").expect("well-formed");
        assert_eq!(Received::read(&message, "me"), Ok(None), "this node's own");
        let read = Received::read(&message, "nobody").expect("what we write");
        read.expect("another's").request
    };
    // How something is sent is not told where it doesn't matter; binary data becomes JSON where there is none.
    let second = again(&request);
    assert_eq!(again(&second), second);
}

fn response(input: &[u8]) {
    let Ok(response) = Response::read(input) else {
        return;
    };
    let _ = (
        response.id(),
        response.ids(),
        response.rooms(),
        response.client_count(),
    );
    if let Ok(answer) = response.answer() {
        well_formed(&answer.value, answer.attachments.len());
        let content = ResponseContent::Emitted(answer);
        content.write("id").expect("well-formed");
    }
    if let Some(Ok((array, attachments))) = response.client_ack() {
        well_formed(&array, attachments.len());
    }
    if let Ok(sockets) = response.sockets() {
        let message = ResponseContent::Sockets(sockets.clone())
            .write("id")
            .expect("well-formed");
        let again = Response::read(&message)
            .expect("what we write")
            .sockets()
            .expect("sockets");
        assert_eq!(again.len(), sockets.len());
    }
}

fn python(input: &[u8]) {
    let Ok(envelope) = Envelope::read(input) else {
        return;
    };
    let Ok(first) = envelope.open() else { return };
    match &first {
        Message::Emit(packet, ..) => event(packet),
        Message::Answer(_, array) => well_formed(array, 0),
        _ => {}
    }
    let namespace = envelope.namespace();
    let again = |it: &Message| {
        let message = it.write("me", namespace).expect("well-formed");
        let envelope = Envelope::read(&message).expect("what we write");
        assert_eq!(envelope.namespace(), namespace);
        assert_eq!(envelope.is_from("me"), !envelope.is_answer(), "this node's own");
        envelope.open().expect("what we write")
    };
    // Rooms are there once, and who waits is asked for by us.
    let second = again(&first);
    assert_eq!(again(&second), second);
}

fn event(packet: &BroadcastPacket) {
    well_formed(&packet.array, packet.attachments.len());
    assert!(packet.array.trim_start().starts_with('['));
}

fn well_formed(text: &str, attachments: usize) {
    assert!(json::is_valid(text), "{text}");
    assert_eq!(check_placeholders(text, attachments), Ok(()), "{text}");
}
