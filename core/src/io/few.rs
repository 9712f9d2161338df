//! The sockets of one client: one, as a rule, which then needs no memory beside its own; and the namespaces that it waits
//! for, seldom and not for long.

use super::Socket;
use super::connecting::Asked;

#[derive(Default)]
pub(super) struct FewSockets {
    first: Option<Socket>,
    rest: Option<Box<Rest>>,
}

#[derive(Default)]
struct Rest {
    /// Empty without a first.
    others: Vec<Socket>,
    asked: Vec<Asked>,
}

impl FewSockets {
    pub(super) fn push(&mut self, socket: Socket) {
        match &mut self.first {
            None => self.first = Some(socket),
            Some(_) => self.rest.get_or_insert_default().others.push(socket),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Socket> {
        let others = self.rest.iter().flat_map(|rest| rest.others.iter());
        self.first.iter().chain(others)
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, socket: &Socket) -> bool {
        let others = self.rest.as_mut().map(|rest| &mut rest.others);
        if self.first.as_ref() == Some(socket) {
            self.first = others.and_then(Vec::pop);
        } else {
            let found = others.and_then(|others| {
                let place = others.iter().position(|other| other == socket)?;
                Some(others.swap_remove(place))
            });
            if found.is_none() {
                return false;
            }
        }
        self.tidy();
        true
    }

    /// The namespaces that the client waits to be connected to.
    pub(super) fn asked(&self) -> &[Asked] {
        self.rest.as_ref().map_or(&[], |rest| &rest.asked)
    }

    pub(super) fn asked_mut(&mut self) -> &mut [Asked] {
        self.rest.as_mut().map_or(&mut [], |rest| &mut rest.asked)
    }

    pub(super) fn push_asked(&mut self, asked: Asked) {
        self.rest.get_or_insert_default().asked.push(asked);
    }

    /// The one at this place.
    pub(super) fn take_asked(&mut self, place: usize) -> Option<Asked> {
        let asked = &mut self.rest.as_mut()?.asked;
        let taken = (place < asked.len()).then(|| asked.swap_remove(place));
        self.tidy();
        taken
    }

    /// All of them, and all that is waited for.
    pub(super) fn into_lists(self) -> (impl Iterator<Item = Socket>, Vec<Asked>) {
        let Rest { others, asked } = self.rest.map(|rest| *rest).unwrap_or_default();
        (self.first.into_iter().chain(others), asked)
    }

    fn tidy(&mut self) {
        self.rest
            .take_if(|rest| rest.others.is_empty() && rest.asked.is_empty());
    }
}
