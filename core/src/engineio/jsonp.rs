//! Polling by script tags and forms, for pages in browsers without CORS: a parameter `j` asks for it. Of revision 3 only; the
//! protocol's later revisions don't have it, and any page could read what it brings.

use std::fmt::Write;

use super::query::pairs;
use super::request::json_string;

/// What answers are. The official server says `text/plain`, which a page takes for a script only where nobody adds
/// `X-Content-Type-Options: nosniff`; its version 3 said this.
pub const CONTENT_TYPE: &str = "text/javascript; charset=UTF-8";

/// The script that hands a payload to a page's function with this number.
pub fn script(number: &str, payload: &str) -> String {
    let json = json_string(payload);
    let mut out = String::with_capacity(json.len() + number.len() + 12);
    let _ = write!(out, "___eio[{number}]("); // a String takes all
    for character in json.chars() {
        match character {
            // Ends of lines in JavaScript, until ECMAScript 2019, but not in JSON.
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            _ => out.push(character),
        }
    }
    out.push_str(");");
    out
}

/// The payload of a form that a page has sent, in its field `d`. `None` without that, or with several.
pub fn payload(form: &str) -> Option<String> {
    let mut fields = pairs(form)
        .filter(|(name, _)| name == "d")
        .map(|(_, value)| value);
    let (data, other) = (fields.next()?, fields.next());
    other.is_none().then(|| unescape(&data))
}

/// Forms change the ends of lines, so clients write `\n` for one, and `\\n` for `\n`.
fn unescape(data: &str) -> String {
    let mut out = String::with_capacity(data.len());
    let mut rest = data;
    while let Some(at) = rest.find("\\n") {
        let before = &rest[..at];
        match before.strip_suffix('\\') {
            Some(before) => {
                out.push_str(before);
                out.push_str("\\n");
            }
            None => {
                out.push_str(before);
                out.push('\n');
            }
        }
        rest = &rest[at + 2..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_scripts() {
        assert_eq!(script("", "1:2"), "___eio[](\"1:2\");");
        assert_eq!(
            script("12", "a\"\\\n\u{2028}\u{2029}é</script>"),
            "___eio[12](\"a\\\"\\\\\\n\\u2028\\u2029é</script>\");"
        );
    }

    #[test]
    fn forms_bring_payloads() {
        for (form, expected) in [
            ("d=2%3A40", Some("2:40")),
            ("x=1&d=a+b%2B", Some("a b+")),
            ("d=a%5Cnb", Some("a\nb")),
            ("d=a%5C%5Cnb", Some("a\\nb")),
            ("d=%5C%5C%5Cn%5Cx%5C", Some("\\\\n\\x\\")),
            ("d=", Some("")),
            ("d=1&d=2", None),
            ("2:40", None),
            ("", None),
        ] {
            assert_eq!(payload(form).as_deref(), expected, "{form}");
        }
    }
}
