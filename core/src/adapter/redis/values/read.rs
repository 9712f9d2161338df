//! Messages as they are read.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use super::with_buffers;
use crate::adapter::{BroadcastFlags, BroadcastOptions};
use crate::json::{self, Token, Tokens};
use crate::socketio::msgpack::{Head, Reader, Transcoder};
use crate::socketio::{ParseError, check_placeholders};

/// What users' data of one message may take, as text and attachments. Redis has messages of 512 MiB at most.
const MAX_CONTENT: usize = 512 << 20;

/// A part of a message, or the whole.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// Well-formed.
    Json(&'a str),
    /// Maybe not well-formed.
    Msgpack(&'a [u8]),
}

impl<'a> Value<'a> {
    /// A whole message, an object or an array: JSON if it begins with a brace, as the official adapters tell.
    ///
    /// # Errors
    /// It is no well-formed JSON. MessagePack is looked at later.
    pub fn read(message: &'a [u8]) -> Result<Value<'a>, ParseError> {
        if message.first() != Some(&b'{') {
            return Ok(Value::Msgpack(message));
        }
        let text = std::str::from_utf8(message).map_err(|_| ParseError::Json)?;
        Value::from_json(text)
    }

    /// # Errors
    /// It is not well-formed.
    pub fn from_json(text: &'a str) -> Result<Value<'a>, ParseError> {
        json::check(text)?;
        Ok(Value::Json(text))
    }

    /// The members with these names, the last one where there are several. `undefined` is no member.
    ///
    /// # Errors
    /// It is no object, or not well-formed.
    pub fn members<const N: usize>(self, names: [&str; N]) -> Result<[Option<Value<'a>>; N], ParseError> {
        let mut found = [None; N];
        let mut put = |is_name: &dyn Fn(&str) -> bool, value| {
            for (place, name) in found.iter_mut().zip(names) {
                if is_name(name) {
                    *place = value;
                }
            }
        };
        match self {
            Value::Json(text) => {
                let mut tokens = Tokens::new(text);
                if tokens.next()? != Some(Token::ObjectStart) {
                    return Err(ParseError::Payload);
                }
                while let Some(Token::Key(key)) = tokens.next()? {
                    let value = next_json(text, &mut tokens)?;
                    put(&|name| key.is(name), Some(value));
                }
            }
            Value::Msgpack(data) => {
                let mut reader = Reader::new(data);
                let Head::Map(count) = reader.head()? else {
                    return Err(ParseError::Payload);
                };
                for _ in 0..count {
                    let key = Reader::new(reader.value()?).head()?;
                    let value = Value::Msgpack(reader.value()?);
                    let value = Some(value).filter(|value| !value.is_undefined());
                    if let Head::Str(key) = key {
                        put(&|name| name.as_bytes() == key, value);
                    }
                }
                at_end(&reader)?;
            }
        }
        Ok(found)
    }

    /// The elements, one after the other.
    ///
    /// # Errors
    /// It is no array.
    pub fn items(self) -> Result<Items<'a>, ParseError> {
        match self {
            Value::Json(text) => {
                let mut tokens = Tokens::new(text);
                match tokens.next()? {
                    Some(Token::ArrayStart) => Ok(Items(Rest::Json(text, tokens))),
                    _ => Err(ParseError::Payload),
                }
            }
            Value::Msgpack(data) => {
                let mut reader = Reader::new(data);
                match reader.head()? {
                    Head::Array(count) => Ok(Items(Rest::Msgpack(reader, count))),
                    _ => Err(ParseError::Payload),
                }
            }
        }
    }

    /// Users' data: text, and what its placeholders stand for; `null` for `undefined`.
    ///
    /// # Errors
    /// It is not well-formed, or names attachments that aren't there.
    pub fn content(self) -> Result<(String, Vec<Bytes>), ParseError> {
        match self {
            Value::Json(text) => {
                check_placeholders(text, 0)?;
                Ok((text.to_owned(), Vec::new()))
            }
            Value::Msgpack(data) => {
                let mut reader = Reader::new(data);
                let mut transcoder = Transcoder::new(MAX_CONTENT).with_timestamps();
                let is_defined = transcoder.value(&mut reader)?;
                at_end(&reader)?;
                Ok(match is_defined {
                    true => transcoder.finish(),
                    false => ("null".to_owned(), Vec::new()),
                })
            }
        }
    }

    /// Users' data as JSON alone, which is what `JSON.stringify` would have made of it: a Buffer becomes an object.
    ///
    /// # Errors
    /// As for [`Value::content`].
    pub fn text(self) -> Result<String, ParseError> {
        let (text, attachments) = self.content()?;
        Ok(match attachments.as_slice() {
            [] => text,
            attachments => with_buffers(&text, attachments)?,
        })
    }

    /// What it says, if it is a string.
    pub fn string(self) -> Option<Cow<'a, str>> {
        match self {
            Value::Json(text) => json::string(text),
            Value::Msgpack(data) => match Reader::new(data).head() {
                Ok(Head::Str(text)) => Some(String::from_utf8_lossy(text)),
                _ => None,
            },
        }
    }

    /// What they are, if it is bytes, which JSON has not.
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Value::Json(_) => None,
            Value::Msgpack(data) => match Reader::new(data).head() {
                Ok(Head::Bin(bytes)) => Some(bytes),
                _ => None,
            },
        }
    }

    /// A string, or a number as its digits: rooms of JavaScript may be numbers.
    pub fn name(self) -> Option<Cow<'a, str>> {
        self.string().or_else(|| match self {
            Value::Json(text) => match Tokens::new(text).next() {
                Ok(Some(Token::Number(digits))) => Some(Cow::Borrowed(digits)),
                _ => None,
            },
            Value::Msgpack(data) => match Reader::new(data).head() {
                Ok(Head::Uint(number)) => Some(Cow::Owned(number.to_string())),
                Ok(Head::Int(number)) => Some(Cow::Owned(number.to_string())),
                Ok(Head::Float(number)) => Some(Cow::Owned(number.to_string())),
                _ => None,
            },
        })
    }

    /// What it is, if it is an integer that is not negative.
    pub fn number(self) -> Option<u64> {
        let whole =
            |number: f64| (number >= 0.0 && number.fract() == 0.0 && number < 9e15).then_some(number as u64);
        match self {
            Value::Json(text) => match Tokens::new(text).next() {
                Ok(Some(Token::Number(digits))) => {
                    digits.parse().ok().or_else(|| whole(digits.parse().ok()?))
                }
                _ => None,
            },
            Value::Msgpack(data) => match Reader::new(data).head() {
                Ok(Head::Uint(number)) => Some(number),
                Ok(Head::Float(number)) => whole(number),
                _ => None,
            },
        }
    }

    /// Whether it is no value.
    pub fn is_nil(self) -> bool {
        match self {
            Value::Json(text) => text == "null",
            Value::Msgpack(data) => matches!(Reader::new(data).head(), Ok(Head::Nil)),
        }
    }

    /// What it is, if it is `true` or `false`.
    pub fn bool(self) -> Option<bool> {
        match self {
            Value::Json(text) => match Tokens::new(text).next() {
                Ok(Some(Token::Bool(value))) => Some(value),
                _ => None,
            },
            Value::Msgpack(data) => match Reader::new(data).head() {
                Ok(Head::Bool(value)) => Some(value),
                _ => None,
            },
        }
    }

    /// Rooms. What is no list has none.
    ///
    /// # Errors
    /// It is not well-formed.
    pub fn names(self) -> Result<Vec<Arc<str>>, ParseError> {
        let Ok(items) = self.items() else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for item in items {
            names.extend(item?.name().map(|name| Arc::from(&*name)));
        }
        Ok(names)
    }

    /// Whom something is for: `{rooms, except, flags}`. What is missing is empty. It is never for this node only.
    ///
    /// # Errors
    /// It is no object, or not well-formed.
    pub fn options(self) -> Result<BroadcastOptions, ParseError> {
        let [rooms, except, flags] = self.members(["rooms", "except", "flags"])?;
        let names = |value: Option<Value<'a>>| value.map_or(Ok(Vec::new()), Value::names);
        let mut options = BroadcastOptions {
            rooms: names(rooms)?,
            except: names(except)?,
            flags: BroadcastFlags::default(),
        };
        if let Some(Ok([volatile, compress, timeout])) =
            flags.map(|flags| flags.members(["volatile", "compress", "timeout"]))
        {
            options.flags = BroadcastFlags {
                volatile: volatile.and_then(Value::bool) == Some(true),
                compress: compress.and_then(Value::bool) != Some(false),
                local: false,
                timeout: timeout.and_then(Value::number),
            };
        }
        Ok(options)
    }

    fn is_undefined(self) -> bool {
        match self {
            Value::Json(_) => false,
            Value::Msgpack(data) => matches!(Reader::new(data).head(), Ok(Head::Undefined)),
        }
    }
}

/// The elements of an array. After an error there are no more.
pub struct Items<'a>(Rest<'a>);

/// What is left of them.
enum Rest<'a> {
    Json(&'a str, Tokens<'a>),
    Msgpack(Reader<'a>, u32),
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Value<'a>, ParseError>;

    fn next(&mut self) -> Option<Result<Value<'a>, ParseError>> {
        match &mut self.0 {
            Rest::Json(text, tokens) => match Tokens::clone(tokens).next() {
                Ok(Some(Token::ArrayEnd) | None) | Err(_) => None,
                Ok(Some(_)) => Some(next_json(text, tokens)),
            },
            Rest::Msgpack(reader, left) => {
                if *left == 0 {
                    return None;
                }
                *left -= 1;
                let value = reader.value();
                if value.is_err() {
                    *left = 0;
                }
                Some(value.map(Value::Msgpack))
            }
        }
    }
}

/// The value that comes next.
fn next_json<'a>(text: &'a str, tokens: &mut Tokens<'a>) -> Result<Value<'a>, ParseError> {
    let start = tokens.position();
    tokens.skip_value()?;
    let value = text.get(start..tokens.position()).ok_or(ParseError::Json)?;
    // In an array a comma is in front of it.
    let value = value.trim_start_matches([',', ' ', '\t', '\r', '\n']);
    Ok(Value::Json(value))
}

fn at_end(reader: &Reader<'_>) -> Result<(), ParseError> {
    match reader.is_at_end() {
        true => Ok(()),
        false => Err(ParseError::Json),
    }
}
