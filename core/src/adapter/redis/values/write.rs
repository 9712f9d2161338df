//! Messages as they are written.

use std::collections::HashSet;

use bytes::Bytes;

use crate::adapter::{BroadcastFlags, BroadcastOptions};
use crate::json;
use crate::socketio::{ParseError, check_placeholders, msgpack, replace_placeholders};

/// Users' data as JSON alone: binary data becomes what `JSON.stringify` makes of a Buffer,
/// `{"type":"Buffer","data":[1,2,3]}`.
///
/// # Errors
/// The text is not well-formed, or a placeholder names no attachment.
pub fn with_buffers(text: &str, attachments: &[Bytes]) -> Result<String, ParseError> {
    check_placeholders(text, attachments.len())?;
    replace_placeholders(text, |number, out| {
        out.push_str("{\"type\":\"Buffer\",\"data\":[");
        for (place, byte) in attachments.get(number).into_iter().flatten().enumerate() {
            out.push_str(if place > 0 { "," } else { "" });
            out.push_str(itoa::Buffer::new().format(*byte));
        }
        out.push_str("]}");
    })
}

/// A message in MessagePack that is being written, value by value.
#[derive(Debug, Default)]
pub struct Pack(Vec<u8>);

// Writing to memory does not fail.
impl Pack {
    /// An empty one.
    pub fn new() -> Pack {
        Pack::default()
    }

    /// The same, with memory for so many bytes.
    pub fn with_capacity(bytes: usize) -> Pack {
        Pack(Vec::with_capacity(bytes))
    }

    /// What has been written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    /// Begins a map with so many members: keys ([`Pack::str`]) and values follow.
    pub fn map(&mut self, members: usize) -> &mut Pack {
        let _ = rmp::encode::write_map_len(&mut self.0, members as u32);
        self
    }

    /// Begins an array with so many elements.
    pub fn array(&mut self, elements: usize) -> &mut Pack {
        let _ = rmp::encode::write_array_len(&mut self.0, elements as u32);
        self
    }

    /// A string, of which there are none of 4 GiB here.
    pub fn str(&mut self, text: &str) -> &mut Pack {
        if msgpack::push_str(text, &mut self.0).is_err() {
            self.0.push(0xc0);
        }
        self
    }

    /// Binary data, of which there is none of 4 GiB here either.
    pub fn bin(&mut self, data: &[u8]) -> &mut Pack {
        if msgpack::push_bin(data, &mut self.0).is_err() {
            self.0.push(0xc0);
        }
        self
    }

    /// An integer.
    pub fn number(&mut self, number: u64) -> &mut Pack {
        let _ = rmp::encode::write_uint(&mut self.0, number);
        self
    }

    /// No value.
    pub fn nil(&mut self) -> &mut Pack {
        self.0.push(0xc0);
        self
    }

    /// `true` or `false`.
    pub fn bool(&mut self, value: bool) -> &mut Pack {
        self.0.push(if value { 0xc3 } else { 0xc2 });
        self
    }

    /// Users' data: a JSON value, and what its placeholders stand for.
    ///
    /// # Errors
    /// It is not well-formed. What has been written is of no use then.
    pub fn content(&mut self, text: &str, attachments: &[Bytes]) -> Result<&mut Pack, ParseError> {
        msgpack::push_json(text, attachments, &mut self.0)?;
        Ok(self)
    }

    /// A list of rooms, each once.
    pub fn names<S: AsRef<str>>(&mut self, names: &[S]) -> &mut Pack {
        let names = distinct(names);
        self.array(names.len());
        for name in names {
            self.str(name);
        }
        self
    }

    /// `{rooms, except, flags}`, as servers write it.
    pub fn options(&mut self, options: &BroadcastOptions) -> &mut Pack {
        self.map(3).str("rooms").names(&options.rooms);
        self.str("except").names(&options.except);
        self.str("flags").flags(&options.flags)
    }

    /// Those that aren't the default. That something is for one node only is not told to others.
    pub fn flags(&mut self, flags: &BroadcastFlags) -> &mut Pack {
        let count =
            usize::from(flags.volatile) + usize::from(!flags.compress) + usize::from(flags.timeout.is_some());
        self.map(count);
        if flags.volatile {
            self.str("volatile").bool(true);
        }
        if !flags.compress {
            self.str("compress").bool(false);
        }
        if let Some(timeout) = flags.timeout {
            self.str("timeout").number(timeout);
        }
        self
    }
}

/// Appends a JSON array of strings, each once.
pub fn push_names<S: AsRef<str>>(names: &[S], out: &mut String) {
    out.push('[');
    for (place, name) in distinct(names).into_iter().enumerate() {
        out.push_str(if place > 0 { "," } else { "" });
        json::push_string(name, out);
    }
    out.push(']');
}

/// Appends `{rooms, except, flags}` in JSON, as [`Pack::options`].
pub fn push_options(options: &BroadcastOptions, out: &mut String) {
    out.push_str("{\"rooms\":");
    push_names(&options.rooms, out);
    out.push_str(",\"except\":");
    push_names(&options.except, out);
    out.push_str(",\"flags\":{");
    let flags = &options.flags;
    let volatile = flags.volatile.then(|| "\"volatile\":true".to_owned());
    let compress = (!flags.compress).then(|| "\"compress\":false".to_owned());
    let timeout = flags.timeout.map(|timeout| format!("\"timeout\":{timeout}"));
    let said: Vec<String> = volatile.into_iter().chain(compress).chain(timeout).collect();
    out.push_str(&said.join(","));
    out.push_str("}}");
}

/// Each once, where it is first. Rooms are a set for the official adapters.
pub fn distinct<S: AsRef<str>>(names: &[S]) -> Vec<&str> {
    let mut seen = HashSet::new();
    let names = names.iter().map(AsRef::as_ref);
    match names.len() {
        0 | 1 => names.collect(),
        _ => names.filter(|name| seen.insert(*name)).collect(),
    }
}
