//! Placeholders: where in a payload its attachments belong. `{"_placeholder":true,"num":0}` stands for the first one.

use super::ParseError;
use crate::json::{Token, Tokens};

/// The names of a placeholder's members.
pub(super) const MARK: &str = "_placeholder";
pub(super) const NUMBER: &str = "num";

/// What an open array or object has of a placeholder.
#[derive(Clone, Copy, Default)]
struct Level {
    marked: bool,
    number: Option<usize>,
}

/// Checks that all placeholders of a well-formed payload name one of so many attachments. An object is a placeholder if
/// its `_placeholder` is `true`, whatever else it has.
///
/// # Errors
///
/// [`ParseError::Placeholder`], and what is wrong with the JSON if it isn't well-formed.
pub fn check_placeholders(payload: &str, attachments: usize) -> Result<(), ParseError> {
    let mut tokens = Tokens::new(payload);
    let mut levels: Vec<Level> = Vec::new();
    while let Some(token) = tokens.next()? {
        match token {
            Token::ArrayStart | Token::ObjectStart => levels.push(Level::default()),
            Token::ArrayEnd | Token::ObjectEnd => {
                let level = levels.pop().unwrap_or_default();
                if level.marked && level.number.is_none_or(|number| number >= attachments) {
                    return Err(ParseError::Placeholder);
                }
            }
            Token::Key(key) => {
                let Some(level) = levels.last_mut() else { continue };
                let (mark, number) = (key.is(MARK), key.is(NUMBER));
                if mark || number {
                    // A look ahead only: what it is may contain placeholders.
                    let value = Tokens::clone(&tokens).next()?;
                    if mark {
                        level.marked = value == Some(Token::Bool(true));
                    } else {
                        level.number = index(value);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn index(value: Option<Token<'_>>) -> Option<usize> {
    match value {
        Some(Token::Number(text)) => text.parse().ok(),
        _ => None,
    }
}

/// Writes the placeholder of an attachment.
pub fn push_placeholder(number: usize, out: &mut String) {
    use std::fmt::Write;
    // A String takes all.
    let _ = write!(out, "{{\"{MARK}\":true,\"{NUMBER}\":{number}}}");
}

/// The attachment's number, if a well-formed placeholder and nothing else comes next; and what follows it.
pub(super) fn read_placeholder<'a>(tokens: &Tokens<'a>) -> Option<(usize, Tokens<'a>)> {
    let mut tokens = *tokens;
    let (mut level, mut members) = (Level::default(), 0);
    if tokens.next() != Ok(Some(Token::ObjectStart)) {
        return None;
    }
    loop {
        match tokens.next().ok()?? {
            Token::Key(key) if key.is(MARK) => level.marked = tokens.next().ok()?? == Token::Bool(true),
            Token::Key(key) if key.is(NUMBER) => level.number = index(tokens.next().ok()?),
            Token::ObjectEnd if level.marked && members == 2 => return Some((level.number?, tokens)),
            _ => return None,
        }
        members += 1;
    }
}

/// The payload, which is well-formed, with something else in the place of each placeholder; what that is `write` appends.
///
/// # Errors
///
/// What is wrong with the JSON if it isn't well-formed.
#[cfg(feature = "redis")]
pub(crate) fn replace_placeholders(
    payload: &str,
    mut write: impl FnMut(usize, &mut String),
) -> Result<String, ParseError> {
    let mut tokens = Tokens::new(payload);
    let (mut out, mut copied) = (String::new(), 0);
    loop {
        let before = tokens;
        let Some(token) = tokens.next()? else { break };
        if token == Token::ObjectStart
            && let Some((number, behind)) = read_placeholder(&before)
        {
            let start = tokens.position().saturating_sub(1);
            out.push_str(payload.get(copied..start).unwrap_or_default());
            write(number, &mut out);
            copied = behind.position();
            tokens = behind;
        }
    }
    out.push_str(payload.get(copied..).unwrap_or_default());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_bounded() {
        for payload in [
            r#"["a",{"_placeholder":true,"num":1}]"#,
            r#"["a",{"num":0,"_placeholder":true}]"#,
            r#"["a",[{"b":{"_placeholder" : true , "num" : 0 }}]]"#,
            r#"["a",{"_placeholder":false,"num":9}]"#,
            r#"["a",{"_placeholder":"true","num":9}]"#,
            r#"["a",{"num":9}]"#,
            r#"["_placeholder",{"_placeholder":{"num":9}}]"#,
            r#"["a",{"_placeholder":true,"num":9,"num":1}]"#,
        ] {
            assert_eq!(check_placeholders(payload, 2), Ok(()), "{payload}");
        }
        for payload in [
            r#"["a",{"_placeholder":true,"num":2}]"#,
            r#"["a",{"_placeholder":true,"num":-1}]"#,
            r#"["a",{"_placeholder":true,"num":0.5}]"#,
            r#"["a",{"_placeholder":true,"num":"splice"}]"#,
            r#"["a",{"_placeholder":true}]"#,
            r#"["a",{"_placehold\u0065r":true,"n\u0075m":2}]"#,
            r#"[[{"a":{"b":{"num":7,"_placeholder":true}}}]]"#,
            r#"["a",{"_placeholder":true,"num":99999999999999999999999}]"#,
        ] {
            assert_eq!(
                check_placeholders(payload, 2),
                Err(ParseError::Placeholder),
                "{payload}"
            );
        }
        assert_eq!(check_placeholders("[", 2), Err(ParseError::Json));
    }

    #[test]
    fn a_written_placeholder_is_read() {
        let mut text = String::new();
        push_placeholder(17, &mut text);
        assert_eq!(text, r#"{"_placeholder":true,"num":17}"#);
        assert_eq!(read_placeholder(&Tokens::new(&text)).map(|read| read.0), Some(17));
        for other in [
            r#"{"_placeholder":true}"#,
            r#"{"_placeholder":true,"num":1,"a":1}"#,
            "{}",
            "[]",
        ] {
            assert!(read_placeholder(&Tokens::new(other)).is_none(), "{other}");
        }
    }
}
