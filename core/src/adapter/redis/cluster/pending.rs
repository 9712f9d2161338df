//! Questions that other nodes have not answered yet.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::super::super::{Answer, BroadcastAcks, SocketDetails};

/// How many questions may be open at once; more are answered without the other nodes.
const MAX_OPEN: usize = 10_000;

/// Hears what nodes have answered, and how many have not.
pub(super) type Done<T> = Box<dyn FnOnce(Vec<T>, usize) + Send>;

/// A question to all nodes.
pub(super) enum Question {
    Sockets(Gathering<SocketDetails>),
    Answers(Gathering<Answer>),
}

/// What has been answered so far.
pub(super) struct Gathering<T> {
    expected: usize,
    heard: HashSet<String>,
    values: Vec<T>,
    done: Done<T>,
}

impl<T> Gathering<T> {
    /// So many other nodes are asked; `values` are known already.
    pub(super) fn new(expected: usize, values: Vec<T>, done: Done<T>) -> Gathering<T> {
        Gathering {
            expected,
            heard: HashSet::new(),
            values,
            done,
        }
    }

    /// Whether that was the last one. A node is heard once.
    fn add(&mut self, node: &str, values: impl IntoIterator<Item = T>) -> bool {
        if self.heard.insert(node.to_owned()) {
            self.values.extend(values);
        }
        self.heard.len() >= self.expected
    }

    fn finish(self) {
        let missing = self.expected.saturating_sub(self.heard.len());
        (self.done)(self.values, missing);
    }
}

impl Question {
    pub(super) fn finish(self) {
        match self {
            Question::Sockets(gathering) => gathering.finish(),
            Question::Answers(gathering) => gathering.finish(),
        }
    }
}

/// All open questions, by the ids of their requests.
#[derive(Default)]
pub(super) struct Pending(Mutex<Open>);

#[derive(Default)]
struct Open {
    questions: HashMap<String, Question>,
    /// Who waits for clients' answers holds these; when nobody does any more they are of no use.
    acks: HashMap<String, Weak<dyn BroadcastAcks>>,
    /// The table of `acks` is looked through when it is as long as this.
    many: usize,
}

impl Pending {
    /// Keeps a question until it is answered; gives it back if there are too many.
    pub(super) fn ask(&self, request: &str, question: Question) -> Result<(), Question> {
        let mut open = self.0.lock();
        if open.questions.len() >= MAX_OPEN {
            return Err(question);
        }
        open.questions.insert(request.to_owned(), question);
        Ok(())
    }

    /// Nobody will answer any more.
    pub(super) fn give_up(&self, request: &str) {
        let question = self.0.lock().questions.remove(request);
        if let Some(question) = question {
            question.finish();
        }
    }

    /// Nobody will answer anything any more.
    pub(super) fn give_up_all(&self) {
        let questions = std::mem::take(&mut self.0.lock().questions);
        questions.into_values().for_each(Question::finish);
    }

    pub(super) fn sockets(&self, node: &str, request: &str, sockets: Vec<SocketDetails>) {
        self.answer(request, |question| match question {
            Question::Sockets(gathering) => gathering.add(node, sockets),
            Question::Answers(_) => false,
        });
    }

    pub(super) fn value(&self, node: &str, request: &str, value: Answer) {
        self.answer(request, |question| match question {
            Question::Answers(gathering) => gathering.add(node, [value]),
            Question::Sockets(_) => false,
        });
    }

    fn answer(&self, request: &str, add: impl FnOnce(&mut Question) -> bool) {
        let done = {
            let mut open = self.0.lock();
            let Some(question) = open.questions.get_mut(request) else {
                return log::debug!("an answer came too late, or to nobody's question");
            };
            add(question).then(|| open.questions.remove(request)).flatten()
        };
        if let Some(question) = done {
            question.finish();
        }
    }

    /// Clients' answers to this request are for `acks`, as long as somebody else holds it.
    pub(super) fn expect_acks(&self, request: &str, acks: &Arc<dyn BroadcastAcks>) {
        let mut open = self.0.lock();
        if open.acks.len() >= open.many {
            open.acks.retain(|_, acks| acks.strong_count() > 0);
            open.many = (open.acks.len() * 2).max(64);
        }
        open.acks.insert(request.to_owned(), Arc::downgrade(acks));
    }

    /// No more answers are expected.
    pub(super) fn forget_acks(&self, request: &str) {
        self.0.lock().acks.remove(request);
    }

    /// Who waits for clients' answers.
    pub(super) fn acks(&self, request: &str) -> Option<Arc<dyn BroadcastAcks>> {
        self.0.lock().acks.get(request)?.upgrade()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl BroadcastAcks for Nobody {
        fn on_clients(&self, _: usize) {}
        fn on_ack(&self, _: &str, _: &[bytes::Bytes]) {}
    }

    type Result = Option<(Vec<String>, usize)>;

    fn question(expected: usize) -> (Question, Arc<Mutex<Result>>) {
        let result = Arc::new(Mutex::new(None));
        let told = Arc::clone(&result);
        let done = Box::new(move |answers: Vec<Answer>, missing| {
            let values = answers.into_iter().map(|answer| answer.value);
            *told.lock() = Some((values.collect(), missing));
        });
        (
            Question::Answers(Gathering::new(expected, Vec::new(), done)),
            result,
        )
    }

    fn answer(value: &str) -> Answer {
        Answer {
            value: value.to_owned(),
            attachments: Vec::new(),
        }
    }

    #[test]
    fn each_node_is_heard_once() {
        let pending = Pending::default();
        let (asked, result) = question(2);
        assert!(pending.ask("q", asked).is_ok());
        pending.value("a", "q", answer("1"));
        pending.value("a", "q", answer("2"));
        pending.value("b", "other", answer("3"));
        pending.sockets("b", "q", Vec::new());
        assert_eq!(*result.lock(), None);
        pending.value("b", "q", answer("4"));
        assert_eq!(*result.lock(), Some((vec!["1".into(), "4".into()], 0)));
        pending.value("c", "q", answer("5"));
        pending.give_up("q");
    }

    #[test]
    fn what_is_missing_is_said() {
        let pending = Pending::default();
        let ((one, first), (two, second)) = (question(2), question(3));
        assert!(pending.ask("1", one).is_ok() && pending.ask("2", two).is_ok());
        pending.value("a", "1", answer("x"));
        pending.give_up("1");
        assert_eq!(*first.lock(), Some((vec!["x".into()], 1)));
        pending.give_up_all();
        assert_eq!(*second.lock(), Some((vec![], 3)));
    }

    #[test]
    fn open_questions_are_bounded() {
        let pending = Pending::default();
        for number in 0..MAX_OPEN {
            assert!(pending.ask(&number.to_string(), question(1).0).is_ok());
        }
        assert!(pending.ask("more", question(1).0).is_err());
        let kept: Arc<dyn BroadcastAcks> = Arc::new(Nobody);
        pending.expect_acks("kept", &kept);
        for number in 0..1000 {
            let gone: Arc<dyn BroadcastAcks> = Arc::new(Nobody);
            pending.expect_acks(&number.to_string(), &gone);
        }
        assert!(pending.0.lock().acks.len() <= 64);
        assert!(pending.acks("kept").is_some() && pending.acks("1").is_none());
        pending.forget_acks("kept");
        assert!(pending.acks("kept").is_none());
    }
}
