//! What is offered, chosen and refused of permessage-deflate (RFC 7692 §5 and §7.1).

use sockline::http::{Limits, Request, Response, parse_request, parse_response};
use sockline::ws::handshake::{
    Chosen, ClientRequest, agree_on_compression, check_request, check_response, client_request,
};
use sockline::ws::{Agreement, Compression};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn request(extensions: &[&str]) -> Request {
    let lines: String = extensions
        .iter()
        .map(|line| format!("Sec-WebSocket-Extensions: {line}\r\n"))
        .collect();
    let head = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{lines}\r\n"
    );
    let (request, _) = parse_request(head.as_bytes(), &Limits::default())
        .unwrap()
        .unwrap();
    check_request(&request).unwrap();
    request
}

/// What a server that is content with everything answers; empty for nothing.
#[track_caller]
fn answer(extensions: &[&str]) -> String {
    answer_of(&Compression::client(), extensions)
}

#[track_caller]
fn answer_of(own: &Compression, extensions: &[&str]) -> String {
    let agreed = agree_on_compression(&request(extensions), own).unwrap();
    agreed.as_ref().map(Agreement::to_string).unwrap_or_default()
}

fn response(extensions: &[&str]) -> Response {
    let lines: String = extensions
        .iter()
        .map(|line| format!("Sec-WebSocket-Extensions: {line}\r\n"))
        .collect();
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n{lines}\r\n"
    );
    parse_response(head.as_bytes(), &Limits::default())
        .unwrap()
        .unwrap()
        .0
}

fn judge(offered: &Compression, extensions: &[&str]) -> Result<Chosen, String> {
    check_response(&response(extensions), KEY, &[], Some(offered)).map_err(|error| error.text)
}

#[track_caller]
fn refused(offered: &Compression, extensions: &[&str], words: &str) {
    let error = judge(offered, extensions).expect_err("a failure");
    assert!(error.contains(words), "{error}");
    assert!(error.contains(extensions[0]), "{error}");
}

fn offer(wanted: &Compression) -> String {
    let mut out = Vec::new();
    let request = ClientRequest {
        host: "x",
        target: "/",
        subprotocols: &[],
        compression: Some(wanted),
        headers: &[],
    };
    client_request(&request, &mut out).unwrap();
    let (request, _) = parse_request(&out, &Limits::default()).unwrap().unwrap();
    request.header("sec-websocket-extensions").unwrap().to_owned()
}

fn small() -> Compression {
    Compression {
        server_max_window_bits: 11,
        client_max_window_bits: 10,
        ..Compression::server()
    }
}

// The server

#[test]
fn a_server_takes_the_first_offer_that_it_can() {
    assert_eq!(answer(&[]), "");
    assert_eq!(answer(&["permessage-deflate"]), "permessage-deflate");
    assert_eq!(answer(&["x-webkit-deflate-frame, permessage-bzip2"]), "");
    assert_eq!(
        answer(&[
            "x; y=1",
            "permessage-deflate; unknown, permessage-deflate; server_max_window_bits=12, permessage-deflate"
        ]),
        "permessage-deflate; server_max_window_bits=12"
    );
}

#[test]
fn a_server_grants_what_is_asked() {
    for parameter in [
        "server_no_context_takeover",
        "client_no_context_takeover",
        "server_max_window_bits=9",
        "server_max_window_bits=15",
        "client_max_window_bits=9",
    ] {
        let offer = format!("permessage-deflate; {parameter}");
        assert_eq!(answer(&[&offer]), offer);
    }
    assert_eq!(
        answer(&["permessage-deflate; client_max_window_bits"]),
        "permessage-deflate"
    );
    assert_eq!(
        answer(&[r#"permessage-deflate;server_max_window_bits="10""#]),
        "permessage-deflate; server_max_window_bits=10",
        "quoted"
    );
}

#[test]
fn a_server_asks_for_what_it_wants() {
    let forgets = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(
        answer_of(&Compression::server(), &["permessage-deflate"]),
        forgets
    );
    assert_eq!(
        answer_of(&small(), &["permessage-deflate; client_max_window_bits"]),
        format!("{forgets}; server_max_window_bits=11; client_max_window_bits=10")
    );
    assert_eq!(
        answer_of(
            &small(),
            &["permessage-deflate; client_max_window_bits=9; server_max_window_bits=10"]
        ),
        format!("{forgets}; server_max_window_bits=10; client_max_window_bits=9")
    );
    // §7.1.2.2: a client that does not say that it can is not asked to.
    assert_eq!(
        answer_of(&small(), &["permessage-deflate"]),
        format!("{forgets}; server_max_window_bits=11")
    );
}

#[test]
fn a_server_declines_what_is_wrong() {
    for parameters in [
        "unknown",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "server_no_context_takeover; server_no_context_takeover",
        "client_max_window_bits; client_max_window_bits=10",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=010",
        "server_max_window_bits=+10",
        "server_max_window_bits=10.0",
        "server_max_window_bits=1e1",
        "client_max_window_bits=0",
        "client_max_window_bits=16",
        "client_max_window_bits=99999999999999999999",
        "Server_Max_Window_Bits=10",
    ] {
        let offer = format!("permessage-deflate; {parameters}");
        assert_eq!(answer(&[&offer]), "", "{offer}");
    }
}

#[test]
fn a_server_declines_a_window_that_zlib_cannot_keep() {
    assert_eq!(answer(&["permessage-deflate; server_max_window_bits=8"]), "");
    assert_eq!(
        answer(&["permessage-deflate; server_max_window_bits=8, permessage-deflate"]),
        "permessage-deflate"
    );
    // The client's own window may be that small: inflating needs to know no size.
    let offer = "permessage-deflate; client_max_window_bits=8";
    assert_eq!(answer(&[offer]), offer);
}

#[test]
fn a_header_that_breaks_the_grammar_fails_the_handshake() {
    for bad in [
        "permessage-deflate;",
        "permessage-deflate; =1",
        "permessage deflate",
        "a; b=\"c d\"",
    ] {
        let refusal = agree_on_compression(&request(&[bad]), &Compression::server()).expect_err(bad);
        assert_eq!(refusal.status, 400);
        assert!(
            refusal.text.contains("Sec-WebSocket-Extensions"),
            "{}",
            refusal.text
        );
    }
}

// The client

#[test]
fn a_client_offers_what_it_wants() {
    assert_eq!(
        offer(&Compression::client()),
        "permessage-deflate; client_max_window_bits"
    );
    assert_eq!(
        offer(&small()),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         server_max_window_bits=11; client_max_window_bits=10"
    );
}

#[test]
fn a_client_takes_what_it_offered() {
    let wanted = Compression::client();
    assert_eq!(judge(&wanted, &[]), Ok(Chosen::default()), "no compression");
    for chosen in [
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate;client_max_window_bits=9",
        "permessage-deflate; client_max_window_bits=8",
    ] {
        let found = judge(&wanted, &[chosen]).unwrap();
        assert_eq!(found.extensions, chosen, "as it was written");
        let agreed = found.compression.expect("an agreement").to_string();
        assert_eq!(agreed.replace(' ', ""), chosen.replace(' ', ""));
    }
}

#[test]
fn a_client_keeps_to_its_own_offer() {
    let chosen = "permessage-deflate; server_no_context_takeover; server_max_window_bits=9";
    let agreed = judge(&small(), &[chosen]).unwrap().compression.unwrap();
    assert!(agreed.client_no_context_takeover, "it offered to forget");
    assert_eq!(
        agreed.client_max_window_bits,
        Some(10),
        "and a window of this size"
    );
}

#[test]
fn a_client_refuses_what_it_did_not_offer() {
    let wanted = Compression::client();
    refused(&wanted, &["x"], "not offered");
    refused(&wanted, &["permessage-deflate, x"], "not offered");
    refused(
        &wanted,
        &["permessage-deflate, permessage-deflate"],
        "not offered",
    );
    refused(&wanted, &["permessage-deflate; x"], "not known");
    refused(
        &wanted,
        &["permessage-deflate; server_max_window_bits=10; server_max_window_bits=10"],
        "twice",
    );
    refused(
        &wanted,
        &["permessage-deflate; server_max_window_bits"],
        "no value",
    );
    refused(
        &wanted,
        &["permessage-deflate; client_max_window_bits"],
        "no value",
    );
    refused(
        &wanted,
        &["permessage-deflate; server_no_context_takeover=1"],
        "has a value",
    );
    for bits in ["7", "16", "08", "-9", "9 9"] {
        let parameter = format!("permessage-deflate; client_max_window_bits={bits}");
        refused(&wanted, &[&parameter], "the server chose the extension");
    }
    refused(&wanted, &["permessage-deflate;"], "missing");
}

#[test]
fn a_client_refuses_less_than_it_asked_for() {
    let forgets = "permessage-deflate; server_no_context_takeover";
    refused(&small(), &["permessage-deflate"], "server_no_context_takeover");
    refused(&small(), &[forgets], "server_max_window_bits");
    refused(
        &small(),
        &[&format!("{forgets}; server_max_window_bits=12")],
        "server_max_window_bits",
    );
    assert!(judge(&small(), &[&format!("{forgets}; server_max_window_bits=11")]).is_ok());
}

#[test]
fn nothing_is_chosen_where_nothing_was_offered() {
    let response = response(&["permessage-deflate"]);
    let error = check_response(&response, KEY, &[], None).expect_err("a failure");
    assert!(error.text.contains("not offered"), "{error}");
}

#[test]
fn our_client_and_our_server_agree() {
    let all = [Compression::client(), Compression::server(), small()];
    for (client, server) in all
        .iter()
        .flat_map(|client| all.each_ref().map(|server| (client, server)))
    {
        let agreed = answer_of(server, &[&offer(client)]);
        let found = judge(client, &[&agreed]).unwrap();
        assert_eq!(found.extensions, agreed);
        assert_eq!(found.compression.unwrap().to_string(), agreed);
    }
}
