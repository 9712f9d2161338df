//! What the callers of a bus ask its thread for.

use std::sync::Arc;

use crate::adapter::AdapterError;
use crate::adapter::redis::{Entry, Follower, Listener, Subscription};
use crate::ws::Millis;

use super::shared::{Owed, Weight};

pub(super) enum Command {
    Publish {
        channel: String,
        payload: Vec<u8>,
        sharded: bool,
        weight: Weight,
    },
    Set {
        key: String,
        value: Vec<u8>,
        ttl: Millis,
        weight: Weight,
    },
    Ask(Question, Weight),
    Subscribe(Subscription, Arc<dyn Listener>, Option<Owed<()>>),
    Unsubscribe(Subscription),
    Follow(String, Arc<dyn Follower>),
    Unfollow(String),
    /// Too much waits: something was dropped.
    Overflow,
    /// Something else went wrong.
    Report(AdapterError),
    /// Everything before has to leave first.
    Close,
}

pub(super) enum Question {
    Deliver {
        channel: String,
        payload: Vec<u8>,
        sharded: bool,
        owed: Owed<usize>,
    },
    Subscribers {
        channel: String,
        sharded: bool,
        owed: Owed<usize>,
    },
    Append {
        stream: String,
        max_len: usize,
        fields: Vec<(&'static str, Vec<u8>)>,
        owed: Owed<String>,
    },
    Range {
        stream: String,
        start: String,
        end: String,
        count: usize,
        owed: Owed<Vec<Entry>>,
    },
    Take {
        key: String,
        owed: Owed<Option<Vec<u8>>>,
    },
    /// Has all before arrived?
    Flush(Owed<()>),
}
