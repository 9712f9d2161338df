//! Who may use the admin namespace: a name and a password, then the session's id that was given for them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::super::{ConnectQuestion, Socket};
use crate::error::{Error, ErrorCode, Result};
use crate::event_loop;
use crate::json;

/// Checking a password takes a thread tens of milliseconds, on purpose. So many may be busy with it.
const MAX_CHECKS: usize = 2;
/// The latest sessions are known; older ones have to give the password again.
const MAX_SESSIONS: usize = 1000;

pub(super) struct Login(Arc<Known>);

struct Known {
    username: String,
    password_hash: String,
    checks: AtomicUsize,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    known: VecDeque<Box<str>>,
    /// Those that a socket, by its number, has to be told of.
    fresh: HashMap<u64, Box<str>>,
}

impl Login {
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for a hash that isn't bcrypt's.
    pub(super) fn new(username: String, password_hash: String) -> Result<Login> {
        // Any password will do: only what can't be a hash is an error.
        if let Err(error) = password_hash.parse::<bcrypt::HashParts>() {
            let text = format!("the password's hash is not one of bcrypt: {error}");
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
        Ok(Login(Arc::new(Known {
            username,
            password_hash,
            checks: AtomicUsize::new(0),
            sessions: Mutex::default(),
        })))
    }

    /// Answers now, or when the password has been checked on a thread.
    pub(super) fn ask(&self, question: ConnectQuestion) {
        let auth = question.socket().auth();
        let text = |name| json::member(auth, name).and_then(json::string);
        let knows = |session: &str| {
            self.0
                .sessions
                .lock()
                .known
                .iter()
                .any(|known| **known == *session)
        };
        if text("sessionId").is_some_and(|session| knows(&session)) {
            return question.allow();
        }
        let (Some(username), Some(password)) = (text("username"), text("password")) else {
            return deny(question);
        };
        if *username != *self.0.username {
            return deny(question);
        }
        let (known, password) = (self.0.clone(), password.into_owned());
        if known.checks.fetch_add(1, Ordering::AcqRel) >= MAX_CHECKS {
            known.checks.fetch_sub(1, Ordering::AcqRel);
            return question.deny("too many logins at once", None);
        }
        let check = move || {
            let matches = bcrypt::verify(&password, &known.password_hash).unwrap_or(false);
            known.checks.fetch_sub(1, Ordering::AcqRel);
            match matches {
                true => known.admit(question),
                false => deny(question),
            }
        };
        if let Err(error) = event_loop::spawn("sockline-login", check) {
            log::error!("no thread to check a password: {error}"); // the question is dropped, which denies
            self.0.checks.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// The session that began with this socket's password, once.
    pub(super) fn session_to_tell(&self, socket: &Socket) -> Option<Box<str>> {
        self.0.sessions.lock().fresh.remove(&socket.raw())
    }
}

impl Known {
    fn admit(&self, question: ConnectQuestion) {
        let session = super::super::ids::fresh();
        {
            let mut sessions = self.sessions.lock();
            sessions.known.push_back(session.clone());
            if sessions.known.len() > MAX_SESSIONS {
                sessions.known.pop_front();
            }
            sessions.fresh.insert(question.socket().raw(), session);
        }
        question.allow();
    }
}

fn deny(question: ConnectQuestion) {
    question.deny("invalid credentials", None);
}
