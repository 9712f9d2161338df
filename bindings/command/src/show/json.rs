//! JSON over several lines. The text is laid out anew and not read into values: numbers, and the order of members, stay
//! what they were.

use crate::paint::Paint;

/// The text with indents; `None` if it isn't JSON.
pub(crate) fn pretty(text: &str, paint: Paint) -> Option<String> {
    if !sockline::json::is_valid(text) {
        return None;
    }
    let mut layout = Layout {
        out: String::with_capacity(text.len() * 2),
        depth: 0,
        paint,
    };
    layout.all(text);
    Some(layout.out)
}

struct Layout {
    out: String,
    depth: usize,
    paint: Paint,
}

impl Layout {
    /// Of a text that is JSON.
    fn all(&mut self, text: &str) {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '"' => string(rest),
                '{' | '[' | '}' | ']' | ',' | ':' => 1,
                _ => rest
                    .find([',', ']', '}', ' ', '\t', '\r', '\n'])
                    .unwrap_or(rest.len()),
            };
            let (token, behind) = rest.split_at(length.max(1).min(rest.len()));
            rest = behind.trim_start();
            self.token(token, &mut rest);
        }
    }

    fn token(&mut self, token: &str, rest: &mut &str) {
        match token {
            "{" | "[" => {
                self.out.push_str(token);
                // What is empty stays on its line.
                if let Some(behind) = rest.strip_prefix(['}', ']']) {
                    self.out.push_str(&rest[..1]);
                    *rest = behind.trim_start();
                    return;
                }
                self.depth += 1;
                self.newline();
            }
            "}" | "]" => {
                self.depth = self.depth.saturating_sub(1);
                self.newline();
                self.out.push_str(token);
            }
            "," => {
                self.out.push(',');
                self.newline();
            }
            ":" => self.out.push_str(": "),
            _ => {
                let token = super::text(token);
                let painted = match token.as_ref() {
                    key if rest.starts_with(':') => self.paint.name(key).to_string(),
                    value => self.paint.value(value).to_string(),
                };
                self.out.push_str(&painted);
            }
        }
    }

    fn newline(&mut self) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', 2 * self.depth));
    }
}

/// The length of the string that a text begins with, quotes included.
fn string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_arrays_are_indented_and_nothing_else_changes() {
        let text = r#" {"b":[1.0,12345678901234567890,{}],"a":"x, \"{y}\\","e":[ ] } "#;
        let expected = "\
{
  \"b\": [
    1.0,
    12345678901234567890,
    {}
  ],
  \"a\": \"x, \\\"{y}\\\\\",
  \"e\": []
}";
        assert_eq!(pretty(text, Paint::OFF).as_deref(), Some(expected));
    }

    #[test]
    fn single_values_are_json_too() {
        for text in ["1", "\"a b\"", "null", "true"] {
            assert_eq!(pretty(text, Paint::OFF).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_is_not_json_is_left_alone() {
        for text in ["", "hello", "{", "{\"a\":1}{", "[1,]"] {
            assert_eq!(pretty(text, Paint::OFF), None, "{text}");
        }
    }
}
