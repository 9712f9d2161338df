//! What @socket.io/redis-streams-adapter 0.3 has appended and kept: it is read, and written again byte for byte.

use std::sync::Arc;

use super::super::super::cluster::Envelope;
use super::super::entry::{self, Entry};
use super::super::session::{self, Marks};
use crate::adapter::Progress;

const LOG: &str = include_str!("../../../../../tests/redis/tap-streams.log");

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn entry_again(fields: &Fields) -> (u64, Fields) {
    let entry = Entry::new(fields);
    let message = entry.message().unwrap();
    let (kind, data) = entry::write(&message).unwrap();
    let envelope = Envelope {
        uid: entry.uid.to_owned(),
        namespace: entry.namespace.to_owned(),
        message: message.clone(),
    };
    let fields = entry::fields(envelope, kind, data).into_iter();
    (
        message.kind(),
        fields.map(|(name, value)| (name.into(), value)).collect(),
    )
}

fn session_again(value: &str) -> Vec<u8> {
    let (session, marks) = session::read(value.as_bytes()).unwrap();
    assert_eq!(marks, None);
    assert_eq!(
        (session.pid.as_str(), session.sid.as_str()),
        ("2KcUASm581BtOoRHAAAD", "E0DRs-191cVrfVauAAAC")
    );
    assert_eq!(session.rooms, [Arc::from("E0DRs-191cVrfVauAAAC")]);
    let marks = Marks {
        progress: Progress {
            since: 5,
            sent: 7 << 64,
        },
        at: 7 << 64 | 9,
        is_live: false,
    };
    let marked = session::write(&session, Some(marks)).unwrap();
    let again = session::read(&marked).unwrap();
    assert_eq!((again.0.progress, again.1), (marks.progress, Some(marks)));
    session::write(&session, None).unwrap()
}

#[test]
fn entries_and_sessions_are_written_as_captured() {
    let mut kinds = Vec::new();
    for line in LOG.lines() {
        let words: Vec<&str> = line.split("  |  ").collect();
        match words.as_slice() {
            ["XADD socket.io", "MAXLEN", "~", "10000", "*", fields @ ..] => {
                let fields: Fields = fields
                    .chunks(2)
                    .map(|pair| (pair[0].into(), pair[1].into()))
                    .collect();
                let (kind, written) = entry_again(&fields);
                assert_eq!(written, fields);
                kinds.push(kind);
            }
            ["SET sio:session:2KcUASm581BtOoRHAAAD", value, "PX", "120000"] => {
                assert_eq!(session_again(value), value.as_bytes());
                kinds.push(0);
            }
            _ => {
                let command = line.split(' ').next().unwrap();
                let known = [
                    "SUBSCRIBE",
                    "XREAD",
                    "PUBLISH",
                    "PUBSUB",
                    "MULTI",
                    "GET",
                    "DEL",
                    "EXEC",
                    "XRANGE",
                ];
                assert!(known.contains(&command), "{line}");
            }
        }
    }
    assert_eq!(kinds, [3, 3, 3, 3, 3, 4, 5, 0, 3, 6, 0]);
}
