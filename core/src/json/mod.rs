//! JSON where it is handed on as text, checked and looked into in place, as Socket.IO does with users' JSON.

#![forbid(unsafe_code)]

mod arrays;
mod check;
mod cursor;
mod error;
mod scan;
mod text;
mod tokens;

use std::borrow::Cow;
use std::fmt::Write;

pub(crate) use arrays::{args_behind, within_brackets};
pub(crate) use check::check_event;
pub use cursor::Cursor;
pub use error::Error;
pub use text::Text;
pub use tokens::{MAX_DEPTH, Token, Tokens};

/// Whether a text is one well-formed JSON value, and nothing else.
pub fn is_valid(text: &str) -> bool {
    check(text).is_ok()
}

/// Whether a text is JSON values with commas between them, as they stand between an array's brackets; none is fine.
///
/// This is what applications' arguments are checked with, so that they can't break out of the array they are put in.
pub fn are_valid_args(args: &str) -> bool {
    let mut rest = args;
    if args.trim_matches(is_space).is_empty() {
        return true;
    }
    loop {
        let mut tokens = Tokens::new(rest);
        if tokens.skip_value().is_err() {
            return false;
        }
        let behind = rest.get(tokens.position()..).unwrap_or_default();
        let behind = behind.trim_start_matches(is_space);
        match behind.strip_prefix(',') {
            Some(next) => rest = next,
            None => return behind.is_empty(),
        }
    }
}

/// The value of an object's member, as it is written; the last one, as for `JSON.parse`, if there are several.
/// `None` if there is none, or the text is no object.
pub fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let mut tokens = Tokens::new(object);
    let mut found = None;
    if tokens.next().ok()? != Some(Token::ObjectStart) {
        return None;
    }
    while let Some(Token::Key(key)) = tokens.next().ok()? {
        let start = tokens.position();
        tokens.skip_value().ok()?;
        if key.is(name) {
            found = object.get(start..tokens.position());
        }
    }
    found.map(|value| value.trim_matches(is_space))
}

/// What a JSON string says; `None` if the text is something else.
pub fn string(text: &str) -> Option<Cow<'_, str>> {
    let mut tokens = Tokens::new(text);
    match (tokens.next(), tokens.next()) {
        (Ok(Some(Token::String(text))), Ok(None)) => Some(text.decode()),
        _ => None,
    }
}

/// Checks that a text is one well-formed JSON value.
///
/// # Errors
///
/// It is not, or is nested too deep.
pub fn check(text: &str) -> Result<(), Error> {
    check::check(text)
}

/// Writes a JSON string, quotes and escapes included, as `JSON.stringify` does.
pub fn push_string(text: &str, out: &mut String) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at(scan::plain_until(rest.as_bytes(), 0));
        out.push_str(plain);
        let mut chars = special.chars();
        match chars.next() {
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            Some(quoted @ ('"' | '\\')) => out.extend(['\\', quoted]),
            Some(control) => drop(write!(out, "\\u{:04x}", control as u32)), // a String takes all
            None => break,
        }
        rest = chars.as_str();
    }
    out.push('"');
}

/// The white space of RFC 8259 §2.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_cannot_leave_their_array() {
        for args in [
            "",
            " ",
            "1",
            "1,2",
            " \"a\" , [1,2] , {\"a\":null} ",
            "[],[]",
            "1 ,2\n",
        ] {
            assert!(are_valid_args(args), "{args}");
        }
        for args in [
            ",", "1,", ",1", "1 2", "1]", "1],[2", "]", "[1", "\"a", "1,,2", "}{", "a", "1:2", "\"a\":1",
        ] {
            assert!(!are_valid_args(args), "{args}");
        }
    }

    #[test]
    fn members_are_found_at_their_own_level() {
        let object = r#" { "a" : {"pid":"inner"}, "p\u0069d" : "one", "offset":[1, "x"] , "pid" : "two" } "#;
        assert_eq!(member(object, "pid"), Some("\"two\""));
        assert_eq!(member(object, "offset"), Some("[1, \"x\"]"));
        assert_eq!(member(object, "inner"), None);
        assert_eq!(member("[\"pid\",1]", "pid"), None);
        assert_eq!(member("{}", "pid"), None);
        assert_eq!(string(" \"t\\u0077o\" ").as_deref(), Some("two"));
        assert_eq!(string("\"a\" \"b\""), None);
        assert_eq!(string("1"), None);
    }

    #[test]
    fn strings_are_written_as_serde_json_reads_them() {
        let text: String = ('\0'..'\u{200}').chain("😀\"\\\u{fffd}".chars()).collect();
        let mut out = String::new();
        push_string(&text, &mut out);
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        assert_eq!(string(&out).as_deref(), Some(text.as_str()));
    }
}
