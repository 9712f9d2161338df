//! What the application has asked of its server and waits for: it is told exactly once, whatever ends first.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::registry;
use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::{Home, Resident};

/// A server's open inquiries. They live by its loop while there are any, so that the end of that ends them; the end of the
/// server does, too.
pub(super) struct Inquiries {
    me: Weak<Inquiries>,
    home: Home,
    /// What the loop knows this by.
    number: u64,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    all: HashMap<u64, Arc<dyn Ends>>,
    last: u64,
    is_over: bool,
}

/// An inquiry of whatever kind.
trait Ends: Send + Sync {
    /// Tells whoever waits that nobody will answer, unless he has been told.
    fn end(&self);
}

/// Called with the answer, on the thread of the server's loop.
type Done<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// Who waits, until he has been told.
struct Waiting<T>(Mutex<Option<Done<T>>>);

impl<T> Waiting<T> {
    fn tell(&self, answer: Result<T>) {
        let done = self.0.lock().take();
        if let Some(done) = done {
            done(answer);
        }
    }
}

impl<T> Ends for Waiting<T> {
    fn end(&self) {
        self.tell(Err(is_closed()));
    }
}

impl Inquiries {
    pub(super) fn new(home: Home) -> Arc<Inquiries> {
        Arc::new_cyclic(|me| Inquiries {
            me: me.clone(),
            home,
            number: registry::fresh(),
            open: Mutex::default(),
        })
    }

    /// Opens one: `done` is called exactly once, later. [`ErrorCode::Closed`] if the server or its loop has ended; then it
    /// isn't.
    pub(super) fn open<T: Send + 'static>(
        &self,
        done: impl FnOnce(Result<T>) + Send + 'static,
    ) -> Result<Inquiry<T>> {
        let me = self.me.upgrade().ok_or_else(is_closed)?;
        let waiting = Arc::new(Waiting(Mutex::new(Some(Box::new(done) as Done<T>))));
        let key = {
            let mut open = self.open.lock();
            if open.is_over {
                return Err(is_closed());
            }
            open.last += 1;
            let key = open.last;
            open.all.insert(key, waiting.clone());
            key
        };
        let (home, number, resident) = (self.home, self.number, me.clone());
        if !home.run(Box::new(move || home.move_in(number, resident))) {
            self.close(key);
            return Err(is_closed());
        }
        Ok(Inquiry {
            all: me,
            key,
            waiting,
            state: State::Open,
        })
    }

    /// Ends them all, and whatever will be asked; on the thread of the server's loop, if that lives.
    pub(super) fn end(&self) {
        let all = {
            let mut open = self.open.lock();
            open.is_over = true;
            std::mem::take(&mut open.all)
        };
        drop(self.home.move_out(self.number));
        for inquiry in all.into_values() {
            inquiry.end();
        }
    }

    fn close(&self, key: u64) {
        let (closed, is_last) = {
            let mut open = self.open.lock();
            (open.all.remove(&key), open.all.is_empty())
        };
        drop(closed);
        if is_last {
            drop(self.home.move_out(self.number));
        }
    }
}

impl Resident for Inquiries {
    fn loop_shuts_down(&self) {}

    fn loop_ended(self: Arc<Self>) {
        self.end();
    }
}

/// An inquiry that can be answered once, on any thread. Dropped unanswered, it is answered by an error.
pub(super) struct Inquiry<T: Send + 'static> {
    all: Arc<Inquiries>,
    key: u64,
    waiting: Arc<Waiting<T>>,
    state: State<T>,
}

enum State<T> {
    Open,
    /// On its way to the loop's thread, or there.
    Answered(Result<T>),
    Done,
}

impl<T: Send + 'static> Inquiry<T> {
    /// Has whoever waits told, on the thread of the server's loop.
    pub(super) fn answer(mut self, answer: Result<T>) {
        self.state = State::Done;
        self.hand_over(answer);
    }

    /// Where the loop has ended, the job is dropped; that tells as well.
    fn hand_over(&self, answer: Result<T>) {
        let answered = Inquiry {
            all: self.all.clone(),
            key: self.key,
            waiting: self.waiting.clone(),
            state: State::Answered(answer),
        };
        self.all.home.run(Box::new(move || drop(answered)));
    }
}

impl<T: Send + 'static> Drop for Inquiry<T> {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Open => self.hand_over(Err(is_closed())),
            State::Answered(answer) => {
                self.all.close(self.key);
                self.waiting.tell(answer);
            }
            State::Done => {}
        }
    }
}

fn is_closed() -> Error {
    Error::new(ErrorCode::Closed, "the server is closed")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event_loop::{Loop, LoopOptions};

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn who_is_forgotten_hears_of_it_and_nobody_hears_twice() {
        let on_loop = Loop::new(LoopOptions::default()).unwrap();
        on_loop.start().unwrap();
        let all = Inquiries::new(Home::of_loop(&on_loop));
        let (told, hears) = crossbeam_channel::unbounded();
        let ask = |what: u32| {
            let told = told.clone();
            let done = move |answer: Result<u32>| {
                let _ = told.send((what, answer.map_err(|error| error.code())));
            };
            all.open(done)
        };
        let next = || hears.recv_timeout(SOON).unwrap();
        drop(ask(1).unwrap());
        assert_eq!(next(), (1, Err(ErrorCode::Closed)));
        ask(2).unwrap().answer(Ok(5));
        assert_eq!(next(), (2, Ok(5)));
        assert!(all.open.lock().all.is_empty());
        let late = ask(3).unwrap();
        drop(on_loop);
        assert_eq!(next(), (3, Err(ErrorCode::Closed)));
        late.answer(Ok(6));
        assert_eq!(ask(4).err().map(|error| error.code()), Some(ErrorCode::Closed));
        assert!(hears.is_empty());
        assert_eq!(Arc::strong_count(&all), 1);
    }
}
