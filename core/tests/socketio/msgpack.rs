//! Socket.IO's packets in MessagePack.

use bytes::Bytes;
use sockline::json;
use sockline::socketio::msgpack::{decode, encode};
use sockline::socketio::{Content, Limits, Outgoing, PacketType, ParseError};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    data_encoding::HEXLOWER_PERMISSIVE.decode(&digits).unwrap()
}

/// What a value becomes as an event's only argument.
fn read(value: &str) -> Result<(String, Vec<Bytes>), ParseError> {
    let mut data = hex("83 a474797065 02 a36e7370 a12f a464617461 92 a161");
    data.extend(hex(value));
    let packet = decode(&data, &Limits::default())?;
    let Content::Event(event) = packet.content else {
        panic!("no event")
    };
    assert!(json::is_valid(event.array()));
    Ok((event.args().to_owned(), packet.attachments))
}

fn becomes(value: &str, expected: &str) {
    assert_eq!(read(value), Ok((expected.to_owned(), Vec::new())), "{value}");
}

/// What an event's only argument becomes.
fn written(json: &str, attachments: &[&[u8]]) -> String {
    let mut out = Vec::new();
    let array = format!("[\"a\",{json}]");
    encode(
        &Outgoing::event("/", &array).with_attachments(attachments),
        &mut out,
    )
    .unwrap();
    let head = hex("83 a474797065 02 a36e7370 a12f a464617461 92 a161");
    assert!(out.starts_with(&head));
    data_encoding::HEXLOWER.encode(&out[head.len()..])
}

#[test]
fn every_kind_of_value_is_read() {
    becomes("c0", "null");
    becomes("c2", "false");
    becomes("c3", "true");
    becomes("7f", "127");
    becomes("e0", "-32");
    becomes("ccff", "255");
    becomes("cdffff", "65535");
    becomes("ceffffffff", "4294967295");
    becomes("cfffffffffffffffff", "18446744073709551615");
    becomes("d080", "-128");
    becomes("d18000", "-32768");
    becomes("d280000000", "-2147483648");
    becomes("d38000000000000000", "-9223372036854775808");
    becomes("d37fffffffffffffff", "9223372036854775807");
    becomes("ca3fc00000", "1.5");
    becomes("cb3fb999999999999a", "0.1");
    becomes("cb7e37e43c8800759c", "1e+300");
    becomes("cb7ff8000000000000", "null");
    becomes("cb7ff0000000000000", "1e999"); // JavaScript's Infinity, as JSON.parse reads this
    becomes("cbfff0000000000000", "-1e999");
    becomes("ca7f800000", "1e999");
    becomes("a3c3a922", r#""é\"""#);
    becomes("d90161", r#""a""#);
    becomes("da000161", r#""a""#);
    becomes("db0000000161", r#""a""#);
    becomes("a2ff61", "\"\u{fffd}a\"");
    becomes("92 01 90", "[1,[]]");
    becomes("dc0001 80", "[{}]");
    becomes("dd00000001 c0", "[null]");
    becomes("82 a161 01 a162 81 a163 02", r#"{"a":1,"b":{"c":2}}"#);
    becomes("de0001 a161 01", r#"{"a":1}"#);
    becomes("df00000001 a161 01", r#"{"a":1}"#);
}

#[test]
fn what_json_cannot_say_has_a_place_in_it() {
    becomes("d40000", "null"); // undefined
    becomes("93 01 d40000 02", "[1,null,2]");
    becomes("83 a161 d40000 a162 01 a163 d400ff", r#"{"b":1}"#);
    becomes("d7000000000000000000", r#""1970-01-01T00:00:00.000Z""#);
    becomes(
        "84 01 c0 ff c0 c0 c0 c3 c0",
        r#"{"1":null,"-1":null,"null":null,"true":null}"#,
    );
    becomes(
        "83 cb7ff0000000000000 01 cbfff0000000000000 02 cb7ff8000000000000 03",
        r#"{"Infinity":1,"-Infinity":2,"NaN":3}"#,
    );
    let one = |value, expected: &str, data: &[u8]| {
        let expected = expected.replace('@', r#"{"_placeholder":true,"num":0}"#);
        assert_eq!(
            read(value),
            Ok((expected, vec![Bytes::copy_from_slice(data)])),
            "{value}"
        );
    };
    one("c403010203", "@", &[1, 2, 3]);
    one("c5000101", "@", &[1]);
    one("c60000000101", "@", &[1]);
    one("c400", "@", &[]);
    one("c7020001 02", "@", &[1, 2]); // an ArrayBuffer
    one("c80002000102", "@", &[1, 2]);
    one("c9 00000002 00 0102", "@", &[1, 2]);
    one("81 a161 91 c40101", r#"{"a":[@]}"#, &[1]);
    one("d40501", "[5,@]", &[1]);
    one("d6ff00000001", "[-1,@]", &[0, 0, 0, 1]);
    one("d5000102", "[0,@]", &[1, 2]);
    let (text, attachments) = read("92 c40101 c40102").unwrap();
    assert_eq!(attachments, [&[1][..], &[2]]);
    assert_eq!(
        text,
        r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#
    );
}

#[test]
fn what_is_malformed_is_refused() {
    for value in [
        "c1",
        "92 01",
        "a261",
        "dd ffffffff",
        "df ffffffff 00",
        "c6ffffffff",
        "d7 00 00",
        "",
        "01 01",
    ] {
        assert_eq!(read(value), Err(ParseError::Json), "{value}");
    }
    for key in ["90", "80", "c40100", "d40000", "d7000000000000000000"] {
        assert_eq!(read(&format!("81 {key} c0")), Err(ParseError::Json), "{key}");
    }
    let forged = format!("82 ac{} c3 a36e756d 00", "5f706c616365686f6c646572");
    assert_eq!(read(&forged), Err(ParseError::Placeholder));
    becomes(
        &forged.replacen("c3", "c2", 1),
        r#"{"_placeholder":false,"num":0}"#,
    );
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "91".repeat(depth), "c0");
    assert!(read(&nested(json::MAX_DEPTH - 1)).is_ok());
    assert_eq!(read(&nested(json::MAX_DEPTH)), Err(ParseError::TooDeep));
    assert_eq!(read(&"91".repeat(1 << 20)), Err(ParseError::TooDeep));
    let limits = Limits {
        max_bytes: 1000,
        ..Limits::default()
    };
    let head = "83 a474797065 02 a36e7370 a12f a464617461 92 a161";
    for (element, fits) in [("c0", 190), ("c400", 10), ("a401010101", 30)] {
        let of = |count: usize| hex(&format!("{head} dd{count:08x} {}", element.repeat(count)));
        assert!(decode(&of(fits), &limits).is_ok(), "{element}");
        assert_eq!(
            decode(&of(fits * 2), &limits),
            Err(ParseError::TooLarge),
            "{element}"
        );
    }
}

#[test]
fn a_packet_is_its_members_in_any_order() {
    let is = |data: &str, packet_type, namespace: &str, id| {
        let data = hex(data);
        let packet = decode(&data, &Limits::default()).unwrap();
        assert_eq!(
            (packet.packet_type(), &*packet.namespace, packet.id),
            (packet_type, namespace, id)
        );
    };
    let (kind, nsp, data, id) = ("a474797065", "a36e7370", "a464617461", "a26964");
    is(
        &format!("82 {nsp} a22f61 {kind} 00"),
        PacketType::Connect,
        "/a",
        None,
    );
    is(
        &format!("83 {nsp} a12f {kind} 00 {data} d40000"),
        PacketType::Connect,
        "/",
        None,
    );
    is(
        &format!("83 {data} 80 {nsp} a12f {kind} cc00"),
        PacketType::Connect,
        "/",
        None,
    );
    is(
        &format!("83 {kind} 01 {data} d40000 {nsp} a12f"),
        PacketType::Disconnect,
        "/",
        None,
    );
    // As python-socketio writes it.
    is(
        &format!("83 {kind} 01 {data} c0 {nsp} a12f"),
        PacketType::Disconnect,
        "/",
        None,
    );
    is(
        &format!("84 {id} 0c {data} 90 {nsp} a12f {kind} 03"),
        PacketType::Ack,
        "/",
        Some(12),
    );
    is(
        &format!("84 {id} d40000 {data} 90 {nsp} a12f {kind} 03"),
        PacketType::Ack,
        "/",
        None,
    );
    is(
        &format!("84 {id} cb4028000000000000 {data} 90 {nsp} a12f {kind} 03"),
        PacketType::Ack,
        "/",
        Some(12),
    );
    is(
        &format!("83 {kind} 04 {data} a26e6f {nsp} a12f"),
        PacketType::ConnectError,
        "/",
        None,
    );
    // The official client's `options`, with what else may come.
    let options = "a76f7074696f6e73 81 a8636f6d7072657373 92 c3 c40101";
    is(
        &format!("84 {kind} 02 {options} {data} 91 a161 {nsp} a12f"),
        PacketType::Event,
        "/",
        None,
    );
    let refused = |data: &str, error| {
        let data = hex(data);
        assert_eq!(decode(&data, &Limits::default()), Err(error));
    };
    refused(&format!("82 {nsp} a12f {kind} 05"), ParseError::UnknownType);
    refused(&format!("82 {nsp} a12f {kind} a130"), ParseError::UnknownType);
    refused(&format!("81 {nsp} a12f"), ParseError::UnknownType);
    refused(&format!("81 {kind} 00"), ParseError::Namespace);
    refused(&format!("82 {kind} 00 {nsp} 2f"), ParseError::Namespace);
    refused(&format!("83 {kind} 00 {nsp} a12f {data} c0"), ParseError::Payload);
    refused(&format!("83 {kind} 01 {nsp} a12f {data} 80"), ParseError::Payload);
    refused(&format!("82 {kind} 02 {nsp} a12f"), ParseError::Payload);
    refused(&format!("83 {kind} 02 {nsp} a12f {data} 90"), ParseError::Payload);
    refused(
        &format!("84 {kind} 03 {nsp} a12f {data} 90 {id} ff"),
        ParseError::AckId,
    );
    refused(
        &format!("84 {kind} 03 {nsp} a12f {data} 90 {id} a131"),
        ParseError::AckId,
    );
    refused("90", ParseError::Json);
    refused("", ParseError::Json);
}

#[test]
fn values_are_written_as_short_as_they_can_be() {
    for (json, expected) in [
        ("null", "c0"),
        ("true", "c3"),
        ("false", "c2"),
        ("0", "00"),
        ("-0", "00"),
        ("-0.0", "00"),
        ("127", "7f"),
        ("128", "cc80"),
        ("65536", "ce00010000"),
        ("-1", "ff"),
        ("-33", "d0df"),
        ("1.5", "cb3ff8000000000000"),
        ("8e999", "cb7ff0000000000000"),
        ("-1e400", "cbfff0000000000000"),
        ("1000.0", "cd03e8"),
        ("1e3", "cd03e8"),
        ("18446744073709551615", "cfffffffffffffffff"),
        ("-9223372036854775808", "d38000000000000000"),
        ("18446744073709551616", "cb43f0000000000000"),
        ("1e300", "cb7e37e43c8800759c"),
        ("1e999", "cb7ff0000000000000"),
        (r#""a\u00e9\n""#, "a461c3a90a"),
        ("[]", "90"),
        ("{}", "80"),
        ("[1,[2,{}],3]", "930192028003"),
        (r#"{"a":[{"b":1}],"c":{}}"#, "82a1619181a16201a16380"),
        (
            r#"{"_placeholder":true,"num":0}"#,
            "82ac5f706c616365686f6c646572c3a36e756d00",
        ),
    ] {
        assert_eq!(written(json, &[]), expected, "{json}");
    }
    let long = format!("[{}]", ["1"; 16].join(","));
    assert_eq!(written(&long, &[]), format!("dc0010{}", "01".repeat(16)));
    let many = format!("[[{}],2]", ["[]"; 70_000].join(","));
    assert_eq!(
        written(&many, &[]),
        format!("92dd00011170{}02", "90".repeat(70_000))
    );
    let map: Vec<String> = (0..16).map(|n| format!("\"{n:x}\":0")).collect();
    assert!(written(&format!("{{{}}}", map.join(",")), &[]).starts_with("de0010a13000"));
}

#[test]
fn placeholders_become_what_they_stand_for() {
    let attachments: &[&[u8]] = &[&[1], &[2, 3]];
    for (json, expected) in [
        (r#"{"_placeholder":true,"num":1}"#, "c4020203"),
        (r#" { "num" : 0 , "_placeholder" : true } "#, "c40101"),
        (
            r#"[{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":0}}]"#,
            "92c4010181a161c40101",
        ),
        (
            r#"{"_placeholder":true,"num":2}"#,
            "82ac5f706c616365686f6c646572c3a36e756d02",
        ),
        (
            r#"{"_placeholder":true,"num":0,"a":1}"#,
            "83ac5f706c616365686f6c646572c3a36e756d00a16101",
        ),
    ] {
        assert_eq!(written(json, attachments), expected, "{json}");
    }
}

#[test]
fn a_payload_that_is_no_json_is_not_written() {
    for payload in ["", "[", "[\"a\",NaN]", "[\"a\"] []"] {
        let result = encode(&Outgoing::event("/", payload), &mut Vec::new());
        assert_eq!(result, Err(ParseError::Json), "{payload}");
    }
    let deep = "[".repeat(1 << 20);
    assert_eq!(
        encode(&Outgoing::event("/", &deep), &mut Vec::new()),
        Err(ParseError::TooDeep)
    );
}
