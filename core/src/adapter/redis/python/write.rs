//! Messages as they are written: members in the order of python-socketio's, with a blank behind each comma and colon, as
//! Python's `json` has it.

use data_encoding::BASE64;

use super::super::super::{BroadcastOptions, BroadcastPacket};
use super::super::values::distinct;
use super::message::{Asker, Message};
use crate::json::{self, push_string};
use crate::socketio::{ParseError, check_placeholders};

impl Message {
    /// Writes it, for this server.
    ///
    /// # Errors
    /// The users' data in it is not well-formed.
    pub fn write(&self, host_id: &str, namespace: &str) -> Result<Vec<u8>, ParseError> {
        let mut object = Object::new(self.method());
        match self {
            Message::Emit(packet, options, asker) => {
                emit(&mut object, packet, options, namespace, asker.as_ref())?;
            }
            Message::Answer(asker, array) => {
                return answer(object, asker, array);
            }
            Message::Disconnect(sid) => {
                object.string("sid", sid).string("namespace", namespace);
            }
            Message::Enter(sid, room) | Message::Leave(sid, room) => {
                object.string("sid", sid).string("room", room);
                object.string("namespace", namespace);
            }
            Message::CloseRoom(room) => {
                object.string("room", room).string("namespace", namespace);
            }
        }
        object.string("host_id", host_id);
        Ok(object.finish())
    }

    fn method(&self) -> &'static str {
        match self {
            Message::Emit(..) => "emit",
            Message::Answer(..) => "callback",
            Message::Disconnect(_) => "disconnect",
            Message::Enter(..) => "enter_room",
            Message::Leave(..) => "leave_room",
            Message::CloseRoom(_) => "close_room",
        }
    }
}

fn emit(
    object: &mut Object,
    packet: &BroadcastPacket,
    options: &BroadcastOptions,
    namespace: &str,
    asker: Option<&Asker>,
) -> Result<(), ParseError> {
    let BroadcastPacket { array, attachments } = packet;
    let (_, behind) = json::check_event(array)?;
    check_placeholders(array, attachments.len())?;
    let (event, args) = (name_before(array, behind), json::args_behind(array, behind));
    object.text("event", event);
    match attachments.is_empty() {
        true => object.text("data", &format!("[{args}]")),
        false => {
            let attachments = attachments
                .iter()
                .map(|data| format!("\"{}\"", BASE64.encode(data)));
            let items: Vec<String> = [format!("[{args}]")].into_iter().chain(attachments).collect();
            object.text("data", &format!("[{}]", items.join(", ")))
        }
    };
    object.text("binary", if attachments.is_empty() { "false" } else { "true" });
    object.string("namespace", namespace);
    object.text("room", &names(&options.rooms));
    object.text("skip_sid", &names(&options.except));
    match asker {
        Some(Asker {
            room, namespace, id, ..
        }) => {
            object.text("callback", &format!("[{room}, {namespace}, {id}]"));
        }
        None => {
            object.text("callback", "null");
        }
    }
    Ok(())
}

/// The first element of an array, as it is written.
fn name_before(array: &str, behind: usize) -> &str {
    let begin = array.get(..behind).unwrap_or_default();
    begin.trim_start_matches([' ', '\t', '\r', '\n', '['])
}

fn answer(mut object: Object, asker: &Asker, array: &str) -> Result<Vec<u8>, ParseError> {
    json::check(array)?;
    object.text("host_id", &asker.host_id).text("sid", &asker.room);
    object.text("namespace", &asker.namespace).text("id", &asker.id);
    object.text("args", array);
    Ok(object.finish())
}

/// None, one, or a list of them.
fn names<S: AsRef<str>>(names: &[S]) -> String {
    match distinct(names).as_slice() {
        [] => "null".to_owned(),
        [name] => quoted(name),
        several => {
            let names: Vec<String> = several.iter().map(|name| quoted(name)).collect();
            format!("[{}]", names.join(", "))
        }
    }
}

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::new();
    push_string(text, &mut out);
    out
}

/// A JSON object that is being written.
struct Object(String);

impl Object {
    fn new(method: &str) -> Object {
        let mut object = Object("{".to_owned());
        object.string("method", method);
        object
    }

    fn string(&mut self, name: &str, value: &str) -> &mut Object {
        self.name(name);
        push_string(value, &mut self.0);
        self
    }

    /// A member whose value is JSON.
    fn text(&mut self, name: &str, value: &str) -> &mut Object {
        self.name(name);
        self.0.push_str(value);
        self
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push_str(", ");
        }
        push_string(name, &mut self.0);
        self.0.push_str(": ");
    }

    fn finish(mut self) -> Vec<u8> {
        self.0.push('}');
        self.0.into_bytes()
    }
}
