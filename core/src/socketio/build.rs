//! Payloads, put together from what applications say.

use crate::json::push_string;

/// Names that applications must not give to events: they stand for what happens to a connection, or for what Node's
/// event emitters say of themselves.
pub const RESERVED_EVENTS: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// Whether no event may have this name, in either direction.
#[inline]
pub fn is_reserved(name: &str) -> bool {
    matches!(name.as_bytes().first(), Some(b'c' | b'd' | b'n' | b'r')) && RESERVED_EVENTS.contains(&name)
}

/// Writes an event's payload: `["name",args]`. `args` are JSON values with commas between them, without brackets; they
/// aren't checked: [`are_valid_args`](crate::json::are_valid_args).
pub fn event_array(name: &str, args: &str, out: &mut String) {
    out.reserve(name.len() + args.len() + 5);
    out.push('[');
    push_string(name, out);
    if !is_blank(args) {
        out.push(',');
        out.push_str(args);
    }
    out.push(']');
}

/// Writes an acknowledgement's payload: `[args]`; see [`event_array`].
pub fn ack_array(args: &str, out: &mut String) {
    out.reserve(args.len() + 2);
    out.push('[');
    out.push_str(args);
    out.push(']');
}

/// Adds a last element, which is JSON, to a well-formed array. Used for offsets ("Connection state recovery").
pub fn push_element(array: &mut String, element: &str) {
    let end = array.trim_end().len();
    array.truncate(end.saturating_sub(1));
    if array.trim_end().len() > 1 {
        array.push(',');
    }
    array.push_str(element);
    array.push(']');
}

/// Writes what answers a CONNECT in revision 5: `{"sid":…}`, with the private id if sessions can be recovered.
pub fn connect_reply(sid: &str, pid: Option<&str>, out: &mut String) {
    out.push_str("{\"sid\":");
    push_string(sid, out);
    if let Some(pid) = pid {
        out.push_str(",\"pid\":");
        push_string(pid, out);
    }
    out.push('}');
}

/// Writes the payload of a CONNECT_ERROR in revision 5: `{"message":…}`, with `data`, which is JSON, if there is some.
pub fn connect_error(message: &str, data: Option<&str>, out: &mut String) {
    out.push_str("{\"message\":");
    push_string(message, out);
    if let Some(data) = data {
        out.push_str(",\"data\":");
        out.push_str(data);
    }
    out.push('}');
}

/// Writes the payload of an ERROR in revision 4, for clients of Socket.IO 1 and 2: the data if there is some, else the
/// message as a string.
pub fn error_v4(message: &str, data: Option<&str>, out: &mut String) {
    match data {
        Some(data) => out.push_str(data),
        None => push_string(message, out),
    }
}

fn is_blank(args: &str) -> bool {
    args.bytes().all(|byte| byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn payloads_are_put_together() {
        assert_eq!(
            written(|out| event_array("a\"b", "1,[2]", out)),
            r#"["a\"b",1,[2]]"#
        );
        assert_eq!(written(|out| event_array("a", " ", out)), r#"["a"]"#);
        assert_eq!(written(|out| ack_array("", out)), "[]");
        assert_eq!(written(|out| ack_array("1,2", out)), "[1,2]");
        assert_eq!(written(|out| connect_reply("x", None, out)), r#"{"sid":"x"}"#);
        assert_eq!(
            written(|out| connect_reply("x", Some("y"), out)),
            r#"{"sid":"x","pid":"y"}"#
        );
        assert_eq!(
            written(|out| connect_error("no", Some("[1]"), out)),
            r#"{"message":"no","data":[1]}"#
        );
        assert_eq!(
            written(|out| connect_error("n\"o", None, out)),
            r#"{"message":"n\"o"}"#
        );
        assert_eq!(written(|out| error_v4("no", None, out)), r#""no""#);
        assert_eq!(written(|out| error_v4("no", Some("{}"), out)), "{}");
    }

    #[test]
    fn an_element_is_added_at_the_end() {
        for (array, expected) in [
            ("[\"a\"]", "[\"a\",\"x\"]"),
            ("[ ] ", "[\"x\"]"),
            ("[1 ]\n", "[1 ,\"x\"]"),
        ] {
            let mut array = array.to_owned();
            push_element(&mut array, "\"x\"");
            assert!(crate::json::is_valid(&array));
            assert_eq!(array.replace(' ', ""), expected.replace(' ', ""));
        }
    }

    #[test]
    fn reserved_names_are_told() {
        assert!(RESERVED_EVENTS.iter().all(|name| is_reserved(name)));
        for name in [
            "",
            "message",
            "connected",
            "Connect",
            "connection",
            "error",
            "disconnec",
        ] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
