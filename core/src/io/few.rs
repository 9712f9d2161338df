//! The sockets of one client: one, as a rule, which then needs no memory beside its own.

use super::Socket;

#[derive(Default)]
pub(super) struct FewSockets {
    first: Option<Socket>,
    /// Empty without a first.
    #[allow(clippy::box_collection)] // seldom there
    others: Option<Box<Vec<Socket>>>,
}

impl FewSockets {
    pub(super) fn push(&mut self, socket: Socket) {
        match &mut self.first {
            None => self.first = Some(socket),
            Some(_) => self.others.get_or_insert_default().push(socket),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Socket> {
        self.first
            .iter()
            .chain(self.others.iter().flat_map(|others| others.iter()))
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, socket: &Socket) -> bool {
        if self.first.as_ref() == Some(socket) {
            self.first = self.others.as_mut().and_then(|others| others.pop());
        } else {
            let others = self.others.as_mut();
            let found = others.and_then(|others| {
                let place = others.iter().position(|other| other == socket)?;
                Some(others.swap_remove(place))
            });
            if found.is_none() {
                return false;
            }
        }
        if self.others.as_ref().is_some_and(|others| others.is_empty()) {
            self.others = None;
        }
        true
    }
}

impl IntoIterator for FewSockets {
    type Item = Socket;
    type IntoIter = std::iter::Chain<std::option::IntoIter<Socket>, std::vec::IntoIter<Socket>>;

    fn into_iter(self) -> Self::IntoIter {
        let others = self.others.map(|others| *others).unwrap_or_default();
        self.first.into_iter().chain(others)
    }
}
