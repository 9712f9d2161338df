//! Which rooms each member is in.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

/// Members that are in rooms, and the numbers of these rooms. Most members are in one, which then stands beside them; the
/// lists of the others are elsewhere, because the table has room for twice as many members as there may be.
#[derive(Debug)]
pub(super) struct Memberships<M> {
    members: HashMap<M, Joined>,
    lists: Vec<Vec<u32>>,
    vacant: Vec<u32>,
}

/// Never empty.
#[derive(Debug)]
enum Joined {
    One(u32),
    /// The list at this place has two or more.
    Several(u32),
}

impl<M> Default for Memberships<M> {
    fn default() -> Memberships<M> {
        Memberships {
            members: HashMap::new(),
            lists: Vec::new(),
            vacant: Vec::new(),
        }
    }
}

impl<M: Eq + Hash> Memberships<M> {
    /// The member is in this room from now on; it was not there before.
    pub(super) fn add(&mut self, member: M, room: u32) {
        match self.members.entry(member) {
            Entry::Vacant(vacant) => {
                vacant.insert(Joined::One(room));
            }
            Entry::Occupied(mut joined) => match joined.get() {
                Joined::One(first) => {
                    let list = vec![*first, room];
                    let place = put(&mut self.lists, &mut self.vacant, list);
                    joined.insert(Joined::Several(place));
                }
                Joined::Several(place) => {
                    if let Some(list) = self.lists.get_mut(*place as usize) {
                        list.push(room);
                    }
                }
            },
        }
    }

    /// The member has left this room; whether it was there.
    pub(super) fn remove(&mut self, member: &M, room: u32) -> bool {
        let Some(joined) = self.members.get_mut(member) else {
            return false;
        };
        let place = match joined {
            Joined::One(only) => {
                let was_there = *only == room;
                if was_there {
                    self.members.remove(member);
                }
                return was_there;
            }
            Joined::Several(place) => *place,
        };
        let Some(list) = self.lists.get_mut(place as usize) else {
            return false;
        };
        let Some(found) = list.iter().position(|other| *other == room) else {
            return false;
        };
        list.swap_remove(found);
        if let [last] = list.as_slice() {
            *joined = Joined::One(*last);
            *list = Vec::new();
            self.vacant.push(place);
        }
        true
    }

    /// The member has left all rooms: these.
    pub(super) fn take(&mut self, member: &M) -> Vec<u32> {
        match self.members.remove(member) {
            None => Vec::new(),
            Some(Joined::One(room)) => vec![room],
            Some(Joined::Several(place)) => {
                self.vacant.push(place);
                let list = self.lists.get_mut(place as usize);
                list.map(std::mem::take).unwrap_or_default()
            }
        }
    }

    /// The rooms that the member is in.
    pub(super) fn of(&self, member: &M) -> &[u32] {
        match self.members.get(member) {
            None => &[],
            Some(Joined::One(room)) => std::slice::from_ref(room),
            Some(Joined::Several(place)) => self.lists.get(*place as usize).map_or(&[], Vec::as_slice),
        }
    }

    /// How much room is taken, for whomever it may be.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.members.capacity() + self.lists.capacity()
    }
}

fn put(lists: &mut Vec<Vec<u32>>, vacant: &mut Vec<u32>, list: Vec<u32>) -> u32 {
    if let Some(place) = vacant.pop()
        && let Some(free) = lists.get_mut(place as usize)
    {
        *free = list;
        return place;
    }
    lists.push(list);
    (lists.len() - 1) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_among_many_costs_little_more_than_its_name() {
        assert_eq!(size_of::<(usize, Joined)>(), 16);
    }

    #[test]
    fn places_of_lists_are_used_again() {
        let mut memberships = Memberships::default();
        for round in 0..100 {
            for room in 0..3 {
                memberships.add(round, room);
            }
            assert_eq!(memberships.of(&round), [0, 1, 2]);
            if round % 2 == 0 {
                assert!(memberships.remove(&round, 0) && !memberships.remove(&round, 0));
                assert!(memberships.remove(&round, 1) && memberships.remove(&round, 2));
                assert!(!memberships.remove(&round, 2));
            } else {
                assert_eq!(memberships.take(&round), [0, 1, 2]);
            }
            assert!(memberships.of(&round).is_empty() && memberships.take(&round).is_empty());
        }
        assert_eq!((memberships.lists.len(), memberships.members.len()), (1, 0));
    }
}
