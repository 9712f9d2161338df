//! From MessagePack to JSON text and attachments.

use bytes::Bytes;

use super::super::placeholders::{MARK, push_placeholder};
use super::date::{TIMESTAMP, push_date, timestamp};
use super::read::{Head, Reader};
use super::{ATTACHMENT, ParseError};
use crate::json::{MAX_DEPTH, push_string};

/// Turns one value into text, and collects what is binary. An array or a map waits on a list of its own, not on the
/// stack.
pub(crate) struct Transcoder {
    text: String,
    attachments: Vec<Bytes>,
    /// What text and attachments may take together.
    max_bytes: usize,
    attached: usize,
    open: Vec<Open>,
    has_timestamps: bool,
}

/// An array or a map that isn't at its end.
struct Open {
    left: u32,
    is_map: bool,
    is_empty: bool,
}

impl Transcoder {
    pub(crate) fn new(max_bytes: usize) -> Transcoder {
        Transcoder {
            text: String::new(),
            attachments: Vec::new(),
            max_bytes,
            attached: 0,
            open: Vec::new(),
            has_timestamps: false,
        }
    }

    /// MessagePack's own timestamps (ext of type -1) are dates, too, as the encoders of today write them.
    #[cfg(feature = "redis")]
    pub(crate) fn with_timestamps(self) -> Transcoder {
        Transcoder {
            has_timestamps: true,
            ..self
        }
    }

    /// The text and the attachments.
    pub(crate) fn finish(self) -> (String, Vec<Bytes>) {
        (self.text, self.attachments)
    }

    /// Reads a whole value; whether it is more than `undefined`.
    pub(crate) fn value(&mut self, reader: &mut Reader<'_>) -> Result<bool, ParseError> {
        let head = reader.head()?;
        if head == Head::Undefined {
            return Ok(false);
        }
        self.push(head)?;
        while let Some(open) = self.open.last_mut() {
            if open.left == 0 {
                self.text.push(if open.is_map { '}' } else { ']' });
                self.open.pop();
                continue;
            }
            open.left -= 1;
            if open.is_map {
                self.member(reader)?;
            } else {
                self.separate();
                self.push(reader.head()?)?;
            }
            self.check_size()?;
        }
        self.check_size()?;
        Ok(true)
    }

    /// A key and its value.
    fn member(&mut self, reader: &mut Reader<'_>) -> Result<(), ParseError> {
        let key = reader.head()?;
        let value = reader.head()?;
        if value == Head::Undefined {
            return Ok(());
        }
        if key == Head::Str(MARK.as_bytes()) && value == Head::Bool(true) {
            return Err(ParseError::Placeholder);
        }
        self.separate();
        self.push_key(key)?;
        self.text.push(':');
        self.push(value)
    }

    fn separate(&mut self) {
        if let Some(open) = self.open.last_mut()
            && !std::mem::take(&mut open.is_empty)
        {
            self.text.push(',');
        }
    }

    /// As JavaScript turns values into keys.
    fn push_key(&mut self, key: Head<'_>) -> Result<(), ParseError> {
        match key {
            Head::Str(text) => {
                push_string(&String::from_utf8_lossy(text), &mut self.text);
                return Ok(());
            }
            Head::Float(number) if !number.is_finite() => {
                push_string(not_finite(number), &mut self.text);
                return Ok(());
            }
            Head::Nil | Head::Bool(_) | Head::Uint(_) | Head::Int(_) | Head::Float(_) => {}
            _ => return Err(ParseError::Json),
        }
        self.text.push('"');
        self.push(key)?;
        self.text.push('"');
        Ok(())
    }

    #[inline]
    fn push(&mut self, head: Head<'_>) -> Result<(), ParseError> {
        match head {
            Head::Str(text) => push_string(&String::from_utf8_lossy(text), &mut self.text),
            Head::Uint(number) => self.text.push_str(itoa::Buffer::new().format(number)),
            Head::Int(number) => self.text.push_str(itoa::Buffer::new().format(number)),
            // The shortest digits that are read as the same number.
            Head::Float(number) if number.is_finite() => {
                self.text.push_str(zmij::Buffer::new().format_finite(number));
            }
            // Beyond all floats, as parsers read it, JavaScript's and Python's among them: JSON has no word for it.
            Head::Float(f64::INFINITY) => self.text.push_str("1e999"),
            Head::Float(f64::NEG_INFINITY) => self.text.push_str("-1e999"),
            Head::Nil | Head::Undefined | Head::Float(_) => self.text.push_str("null"),
            Head::Bool(true) => self.text.push_str("true"),
            Head::Bool(false) => self.text.push_str("false"),
            Head::Date(millis) => push_date(millis, &mut self.text),
            Head::Bin(data) | Head::ArrayBuffer(data) => self.attach(data)?,
            Head::Ext(TIMESTAMP, data) if self.has_timestamps => {
                push_date(timestamp(data).ok_or(ParseError::Json)?, &mut self.text);
            }
            Head::Ext(kind, data) => {
                self.text.push('[');
                self.text.push_str(itoa::Buffer::new().format(kind));
                self.text.push(',');
                self.attach(data)?;
                self.text.push(']');
            }
            Head::Array(left) => self.begin(left, false)?,
            Head::Map(left) => self.begin(left, true)?,
        }
        Ok(())
    }

    fn begin(&mut self, left: u32, is_map: bool) -> Result<(), ParseError> {
        if self.open.len() == MAX_DEPTH {
            return Err(ParseError::TooDeep);
        }
        self.text.push(if is_map { '{' } else { '[' });
        self.open.push(Open {
            left,
            is_map,
            is_empty: true,
        });
        Ok(())
    }

    fn attach(&mut self, data: &[u8]) -> Result<(), ParseError> {
        push_placeholder(self.attachments.len(), &mut self.text);
        self.attached = self.attached.saturating_add(data.len() + ATTACHMENT);
        self.check_size()?;
        self.attachments.push(Bytes::copy_from_slice(data));
        Ok(())
    }

    fn check_size(&self) -> Result<(), ParseError> {
        match self.text.len().saturating_add(self.attached) <= self.max_bytes {
            true => Ok(()),
            false => Err(ParseError::TooLarge),
        }
    }
}

/// JavaScript's word for it.
fn not_finite(number: f64) -> &'static str {
    match number {
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => "NaN",
    }
}
