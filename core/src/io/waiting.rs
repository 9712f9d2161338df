//! What a socket keeps only if it needs it: answers that are owed to it, its data, its private id.

use std::collections::VecDeque;
use std::sync::Arc;

use super::recovery::Coming;
use crate::adapter::BroadcastAcks;
use crate::event_loop::TimerKey;
use crate::ws::Millis;

/// Behind a pointer, because an idle socket has none of it.
#[derive(Default)]
pub(super) struct More {
    /// Answers that the client owes, by their ids in rising order: they come from one counter, and usually are answered in
    /// that order.
    waiting: VecDeque<Waiting>,
    /// The earliest time that was set with the loop, and the key of the latest timer.
    pub(super) timer: Option<Millis>,
    pub(super) timer_key: Option<TimerKey>,
    /// Numbers of answers that the application owes.
    pub(super) owed: Vec<u64>,
    /// `socket.data`
    pub(super) data: Option<Box<str>>,
    /// What a client shows to get its state back.
    pub(super) pid: Option<Box<str>>,
    /// The number of the first event that it can have missed.
    pub(super) since: u128,
    /// The number of the latest kept event that was sent to it.
    pub(super) sent: u128,
    /// Of a client that comes back, until its socket is connected.
    pub(super) coming: Option<Box<Coming>>,
}

/// Where that pointer is: its alignment leaves no gap beside the lock.
#[derive(Default)]
#[repr(Rust, packed(4))]
pub(super) struct Place(Option<Box<More>>);

impl Place {
    pub(super) fn with<R>(&mut self, act: impl FnOnce(&mut Option<Box<More>>) -> R) -> R {
        let Place(mut more) = std::mem::take(self);
        let result = act(&mut more);
        *self = Place(more);
        result
    }
}

struct Waiting {
    id: u64,
    who: Who,
    deadline: Option<Millis>,
}

/// Who waits for an answer.
pub(super) enum Who {
    /// The application, under its token.
    Token(u64),
    /// A broadcast, together with others' answers.
    Broadcast(Arc<dyn BroadcastAcks>),
}

impl More {
    pub(super) fn wait(&mut self, id: u64, who: Who, deadline: Option<Millis>, now: Millis) {
        let entry = Waiting { id, who, deadline };
        if let Who::Broadcast(_) = entry.who {
            self.forget_late_broadcasts(now);
        }
        let place = match self.waiting.back() {
            Some(last) if last.id > id => self.waiting.partition_point(|other| other.id < id),
            _ => self.waiting.len(),
        };
        self.waiting.insert(place, entry);
    }

    /// Nobody hears of a broadcast's single answers that they are late, so no timer is set for them.
    fn forget_late_broadcasts(&mut self, now: Millis) {
        let is_late = |entry: &Waiting| {
            matches!(entry.who, Who::Broadcast(_)) && entry.deadline.is_some_and(|deadline| deadline <= now)
        };
        if self.waiting.front().is_some_and(is_late) {
            self.waiting.retain(|entry| !is_late(entry));
        }
    }

    /// Who waits for the answer with this id; nobody, if it is unknown or was answered.
    pub(super) fn take(&mut self, id: u64) -> Option<Who> {
        let place = match self.waiting.front() {
            Some(first) if first.id == id => 0,
            _ => self.waiting.binary_search_by_key(&id, |entry| entry.id).ok()?,
        };
        self.waiting.remove(place).map(|entry| entry.who)
    }

    /// Those whose time is up, and the next time at which that will be so.
    pub(super) fn expire(&mut self, now: Millis) -> (Vec<Who>, Option<Millis>) {
        let mut expired = Vec::new();
        let mut left = VecDeque::with_capacity(self.waiting.len());
        for entry in self.waiting.drain(..) {
            if entry.deadline.is_some_and(|deadline| deadline <= now) {
                expired.push(entry.who);
            } else {
                left.push_back(entry);
            }
        }
        self.waiting = left;
        let next = self.waiting.iter().filter_map(|entry| entry.deadline).min();
        (expired, next)
    }

    pub(super) fn take_all(&mut self) -> Vec<Who> {
        std::mem::take(&mut self.waiting)
            .into_iter()
            .map(|entry| entry.who)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(who: Vec<Who>) -> Vec<u64> {
        let token = |who| match who {
            Who::Token(token) => token,
            Who::Broadcast(_) => panic!("no broadcast was made"),
        };
        who.into_iter().map(token).collect()
    }

    #[test]
    fn answers_are_taken_in_any_order_and_once() {
        let mut more = More::default();
        for id in [1, 2, 5, 3, 4] {
            more.wait(id, Who::Token(id * 10), None, 0);
        }
        for id in [1, 4, 5, 2, 3] {
            assert_eq!(tokens(more.take(id).into_iter().collect()), [id * 10]);
            assert!(more.take(id).is_none());
        }
        assert!(more.take_all().is_empty());
    }

    #[test]
    fn what_is_due_expires_and_the_rest_says_when() {
        let mut more = More::default();
        for (id, deadline) in [(1, Some(30)), (2, None), (3, Some(10)), (4, Some(20))] {
            more.wait(id, Who::Token(id), deadline, 0);
        }
        let (expired, next) = more.expire(9);
        assert_eq!((tokens(expired), next), (vec![], Some(10)));
        let (expired, next) = more.expire(20);
        assert_eq!((tokens(expired), next), (vec![3, 4], Some(30)));
        assert_eq!(tokens(more.take_all()), [1, 2]);
    }
}
