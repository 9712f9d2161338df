//! What nodes say to each other: JSON, or MessagePack where there may be binary data in it; read without a tree.
//!
//! A [`Value`] is a part of a message that nobody has looked into yet. Users' data, which may be anything, becomes JSON
//! text with attachments as everywhere else ([`socketio::msgpack`](crate::socketio::msgpack) says how), and goes out the
//! same way.
//!
//! What is written is what notepack.io 3 and `JSON.stringify` write, which the official adapters use: integers as short
//! as they get, other numbers as floats of 64 bits, and no members that are `undefined`. What they write beside that is
//! read, too: dates as timestamps, or as notepack.io 2 wrote them, and `undefined`.

mod read;
mod write;

pub use read::{Items, Value};
pub use write::{Pack, distinct, push_names, push_options, with_buffers};

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::adapter::{BroadcastFlags, BroadcastOptions};

    fn packed(value: serde_json::Value) -> Vec<u8> {
        let mut out = Vec::new();
        rmpv::encode::write_value(&mut out, &rmpv::ext::to_value(value).unwrap()).unwrap();
        out
    }

    /// The same value in both encodings.
    fn both(value: serde_json::Value, look: impl Fn(Value<'_>)) {
        let text = value.to_string().replace(',', " ,\n ");
        look(Value::from_json(&text).unwrap());
        look(Value::Msgpack(&packed(value)));
    }

    #[test]
    fn members_and_elements_are_found_in_both_encodings() {
        both(
            json!({"a": {"b": [1, "two", [3], {}]}, "t": true, "c": "x"}),
            |value| {
                let [c, a, none, t] = value.members(["c", "a", "b", "t"]).unwrap();
                assert_eq!(c.unwrap().string().unwrap(), "x");
                assert_eq!(t.unwrap().bool(), Some(true));
                assert!(none.is_none());
                let [b] = a.unwrap().members(["b"]).unwrap();
                let items: Vec<Value<'_>> = b.unwrap().items().unwrap().map(Result::unwrap).collect();
                assert_eq!(items.len(), 4);
                assert_eq!(items[0].number(), Some(1));
                assert_eq!(items[1].string().unwrap(), "two");
                assert_eq!(items[2].content().unwrap().0, "[3]");
                assert_eq!(items[3].content().unwrap().0, "{}");
                assert!(items[1].items().is_err() && items[1].members(["a"]).is_err());
                assert_eq!(b.unwrap().names().unwrap(), ["1", "two"].map(Arc::from));
            },
        );
        both(json!([]), |value| assert_eq!(value.items().unwrap().count(), 0));
    }

    #[test]
    fn options_are_read_with_what_is_there() {
        both(
            json!({"rooms": ["a", 7], "except": ["b"], "flags": {"volatile": true, "compress": false, "timeout": 9, "local": true}}),
            |value| {
                let options = value.options().unwrap();
                assert_eq!(options.rooms, ["a", "7"].map(Arc::from));
                assert_eq!(options.except, ["b"].map(Arc::from));
                let flags = BroadcastFlags {
                    volatile: true,
                    compress: false,
                    local: false,
                    timeout: Some(9),
                };
                assert_eq!(options.flags, flags);
            },
        );
        for empty in [
            json!({}),
            json!({"rooms": null, "flags": null}),
            json!({"flags": {"compress": true}}),
        ] {
            both(empty, |value| {
                assert_eq!(value.options().unwrap(), BroadcastOptions::default())
            });
        }
    }

    #[test]
    fn options_are_written_as_notepack_and_json_stringify_do() {
        let mut options = BroadcastOptions {
            rooms: ["a", "b", "a"].map(Arc::from).to_vec(),
            except: vec![Arc::from("c\"")],
            flags: BroadcastFlags {
                local: true,
                ..BroadcastFlags::default()
            },
        };
        let mut text = String::new();
        push_options(&options, &mut text);
        assert_eq!(text, r#"{"rooms":["a","b"],"except":["c\""],"flags":{}}"#);
        options.flags = BroadcastFlags {
            volatile: true,
            compress: false,
            local: true,
            timeout: Some(1000),
        };
        let mut text = String::new();
        push_options(&options, &mut text);
        assert!(
            text.ends_with(r#""flags":{"volatile":true,"compress":false,"timeout":1000}}"#),
            "{text}"
        );
        let mut pack = Pack::new();
        pack.options(&options);
        // require("notepack.io").encode({rooms: ["a", "b"], except: ['c"'], flags: {volatile: true, compress: false, timeout: 1000}})
        let official = "83a5726f6f6d7392a161a162a665786365707491a26322a5666c61677383a8766f6c6174696c65c3a8636f6d7072657373c2a774696d656f7574cd03e8";
        assert_eq!(data_encoding::HEXLOWER.encode(&pack.finish()), official);
    }

    #[test]
    fn numbers_are_as_short_as_notepack_makes_them() {
        let text = "[0,127,128,255,256,65535,65536,4294967295,4294967296,-1,-32,-33,-128,-129,-32768,-32769,-2147483648,-2147483649,1.5,-0,1e3,9007199254740991,true,null]";
        let mut pack = Pack::new();
        pack.content(text, &[]).unwrap();
        // The same array by notepack.io 3.0.1.
        let official = "dc0018007fcc80ccffcd0100cdffffce00010000ceffffffffcf0000000100000000ffe0d0dfd080d1ff7fd18000d2ffff7fffd280000000d3ffffffff7fffffffcb3ff800000000000000cd03e8cf001fffffffffffffc3c0";
        assert_eq!(data_encoding::HEXLOWER.encode(&pack.finish()), official);
    }

    #[test]
    fn dates_and_undefined_are_read_in_every_form() {
        let message = |hex: &str| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        for (hex, text) in [
            ("91d6ff00000000", r#"["1970-01-01T00:00:00.000Z"]"#),
            ("91d7ff1d5353006b07db1a", r#"["2026-11-26T07:09:14.123Z"]"#),
            (
                "91c70cff0754d4c0ffffffffffffffff",
                r#"["1969-12-31T23:59:59.123Z"]"#,
            ),
            ("91d7000000000000000000", r#"["1970-01-01T00:00:00.000Z"]"#),
            ("92d40000c0", "[null,null]"),
            ("82a161d40000a16201", r#"{"b":1}"#),
            ("d40000", "null"),
            ("91c403010203", r#"[{"_placeholder":true,"num":0}]"#),
        ] {
            assert_eq!(Value::Msgpack(&message(hex)).content().unwrap().0, text, "{hex}");
        }
        let map = message("82a161d40000a16201");
        let [a, b] = Value::Msgpack(&map).members(["a", "b"]).unwrap();
        assert!(a.is_none() && b.is_some());
        assert!(Value::Msgpack(&message("91c7ffff")).content().is_err());
        assert!(
            Value::Msgpack(&message("91c703ff000000")).content().is_err(),
            "a timestamp of three bytes"
        );
    }

    #[test]
    fn binary_data_becomes_attachments_or_what_buffers_are_in_json() {
        let message = data_encoding::HEXLOWER.decode(b"92a162c403010203").unwrap();
        let (text, attachments) = Value::Msgpack(&message).content().unwrap();
        assert_eq!(text, r#"["b",{"_placeholder":true,"num":0}]"#);
        assert_eq!(attachments, [Bytes::from_static(&[1, 2, 3])]);
        let mut pack = Pack::new();
        pack.content(&text, &attachments).unwrap();
        assert_eq!(pack.finish(), message);
        let stringified = r#"["b",{"type":"Buffer","data":[1,2,3]}]"#;
        assert_eq!(Value::Msgpack(&message).text().unwrap(), stringified);
        assert_eq!(with_buffers(&text, &attachments).unwrap(), stringified);
        assert!(with_buffers(&text, &[]).is_err());
        let forged = Value::from_json(&text).unwrap();
        assert!(forged.content().is_err(), "JSON brings no attachments");
    }

    #[test]
    fn what_is_not_well_formed_is_an_error() {
        for bad in [&b"{"[..], b"{]", b"{\"a\":1}x", b"{\xff}"] {
            assert!(Value::read(bad).is_err());
        }
        let deep = [&[0x91; 600][..], &[0xc0]].concat();
        assert!(Value::read(&deep).unwrap().content().is_err());
        for bad in [
            &b""[..],
            b"\xc1",
            b"\x81",
            b"\x81\xa1a",
            b"\x81\xa1a\x01\x02",
            b"\xdf\xff\xff\xff\xff",
        ] {
            let value = Value::read(bad).unwrap();
            assert!(value.members(["a"]).is_err(), "{bad:?}");
        }
        let cut = Value::read(b"\x92\x01").unwrap();
        assert!(cut.items().is_err() || cut.items().unwrap().any(|item| item.is_err()));
    }
}
