//! From JSON text and attachments to MessagePack.

use super::super::placeholders::read_placeholder;
use super::ParseError;
use crate::json::{Text, Token, Tokens};

/// An array or a map whose end, and therefore length, isn't known yet.
struct Open {
    /// Where its head is: one byte, until the length is known.
    at: usize,
    len: u32,
    is_map: bool,
}

/// Appends a JSON value. Placeholders that name one of the attachments become binary.
pub(crate) fn push_json<A: AsRef<[u8]>>(
    json: &str,
    attachments: &[A],
    out: &mut Vec<u8>,
) -> Result<(), ParseError> {
    let mut tokens = Tokens::new(json);
    let mut open: Vec<Open> = Vec::new();
    loop {
        let before = (!attachments.is_empty()).then_some(tokens);
        let Some(token) = tokens.next()? else {
            return Ok(());
        };
        let is_end = matches!(token, Token::ArrayEnd | Token::ObjectEnd);
        // A map is as long as it has keys, an array as it has values.
        if let Some(parent) = open.last_mut()
            && !is_end
            && parent.is_map == matches!(token, Token::Key(_))
        {
            parent.len = parent.len.checked_add(1).ok_or(ParseError::TooLarge)?;
        }
        match token {
            Token::ObjectStart => {
                let found = before.as_ref().and_then(read_placeholder);
                if let Some((number, behind)) = found
                    && let Some(data) = attachments.get(number)
                {
                    push_bin(data.as_ref(), out)?;
                    tokens = behind;
                    continue;
                }
                begin(true, &mut open, out);
            }
            Token::ArrayStart => begin(false, &mut open, out),
            Token::ArrayEnd | Token::ObjectEnd => {
                if let Some(done) = open.pop() {
                    set_len(&done, out);
                }
            }
            Token::Key(text) | Token::String(text) => push_text(text, out)?,
            Token::Number(digits) => push_number(digits, out),
            Token::Bool(value) => out.push(if value { 0xc3 } else { 0xc2 }),
            Token::Null => out.push(0xc0),
        }
    }
}

/// Appends a string.
pub(crate) fn push_str(text: &str, out: &mut Vec<u8>) -> Result<(), ParseError> {
    let len = u32::try_from(text.len()).map_err(|_| ParseError::TooLarge)?;
    // Writing to memory does not fail.
    let _ = rmp::encode::write_str_len(out, len);
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn push_text(text: Text<'_>, out: &mut Vec<u8>) -> Result<(), ParseError> {
    push_str(&text.decode(), out)
}

/// Appends binary data.
pub(crate) fn push_bin(data: &[u8], out: &mut Vec<u8>) -> Result<(), ParseError> {
    let len = u32::try_from(data.len()).map_err(|_| ParseError::TooLarge)?;
    let _ = rmp::encode::write_bin_len(out, len);
    out.extend_from_slice(data);
    Ok(())
}

/// An integer where it has no fraction and fits, else a float of 64 bits: `1e3` and `1000.0` are 1000.
fn push_number(digits: &str, out: &mut Vec<u8>) {
    const MAX_SAFE: f64 = 9_007_199_254_740_992.0; // 2^53
    if let Ok(number) = digits.parse::<i64>() {
        let _ = rmp::encode::write_sint(out, number);
    } else if let Ok(number) = digits.parse::<u64>() {
        let _ = rmp::encode::write_uint(out, number);
    } else {
        // A well-formed number of JSON is one for Rust, too; beyond all floats it is infinite, as in JavaScript.
        let number: f64 = digits.parse().unwrap_or(f64::NAN);
        if number.fract() == 0.0 && number.abs() <= MAX_SAFE {
            let _ = rmp::encode::write_sint(out, number as i64);
        } else {
            let _ = rmp::encode::write_f64(out, number);
        }
    }
}

fn begin(is_map: bool, open: &mut Vec<Open>, out: &mut Vec<u8>) {
    open.push(Open {
        at: out.len(),
        len: 0,
        is_map,
    });
    out.push(0);
}

/// Writes the head, which is longer than one byte where there are more than fifteen elements.
fn set_len(open: &Open, out: &mut Vec<u8>) {
    if let (Some(head), 0..16) = (out.get_mut(open.at), open.len) {
        *head = if open.is_map { 0x80 } else { 0x90 } | open.len as u8;
        return;
    }
    let mut head = Vec::new();
    if open.is_map {
        let _ = rmp::encode::write_map_len(&mut head, open.len);
    } else {
        let _ = rmp::encode::write_array_len(&mut head, open.len);
    }
    out.splice(open.at..=open.at, head);
}
