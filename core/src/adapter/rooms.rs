//! Who is in which room.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use super::memberships::Memberships;
use super::{BroadcastOptions, RoomEvent};

/// Up to so many rooms are asked one after the other whether they have a member; more are put together first.
const FEW: usize = 4;

/// The members of a namespace on this node, which its rooms are about.
///
/// Each member has an id, and is alone in a room of that name from the beginning to the end. [`Rooms`] doesn't store
/// these rooms; it asks here.
pub trait Directory<M> {
    /// The member with this id.
    fn find(&self, id: &str) -> Option<M>;

    /// Calls with every member, once each.
    fn for_each(&self, visit: &mut dyn FnMut(&M));
}

/// Rooms and their members, each of whom is a small value, like a number or a counted pointer.
///
/// A room exists as long as somebody is in it. Its name is stored once, and a membership takes a slot in the room's
/// table and, beside the member, eight bytes for the first and a list for more. A member that joins no room costs nothing.
#[derive(Debug)]
pub struct Rooms<M> {
    names: HashMap<Arc<str>, u32>,
    rooms: Vec<Room<M>>,
    vacant: Vec<u32>,
    joined: Memberships<M>,
}

#[derive(Debug)]
struct Room<M> {
    name: Arc<str>,
    members: HashSet<M>,
}

impl<M> Default for Rooms<M> {
    fn default() -> Rooms<M> {
        Rooms {
            names: HashMap::new(),
            rooms: Vec::new(),
            vacant: Vec::new(),
            joined: Memberships::default(),
        }
    }
}

impl<M: Clone + Eq + Hash> Rooms<M> {
    /// Adds a member, whose id is `id`, to a room; whether it was not there before. What happens is added to `events`
    /// if somebody wants to know.
    pub fn join(
        &mut self,
        member: &M,
        id: &str,
        room: &str,
        mut events: Option<&mut Vec<RoomEvent>>,
    ) -> bool {
        if room == id {
            return false; // it is there already, without a word here
        }
        let index = match self.names.get(room) {
            Some(index) => *index,
            None => {
                let index = self.create(room);
                tell(&mut events, || RoomEvent::Create(self.name(index)));
                index
            }
        };
        let is_new = match self.rooms.get_mut(index as usize) {
            Some(room) => room.members.insert(member.clone()),
            None => false,
        };
        if is_new {
            self.joined.add(member.clone(), index);
            tell(&mut events, || RoomEvent::Join(self.name(index), id.into()));
        }
        is_new
    }

    /// Takes a member out of a room; whether it was there. The room of its own id can't be left.
    pub fn leave(
        &mut self,
        member: &M,
        id: &str,
        room: &str,
        mut events: Option<&mut Vec<RoomEvent>>,
    ) -> bool {
        let Some(index) = self.names.get(room).copied() else {
            return false;
        };
        if !self.joined.remove(member, index) {
            return false;
        }
        self.remove(member, id, index, &mut events);
        true
    }

    /// Takes a member out of all rooms.
    pub fn leave_all(&mut self, member: &M, id: &str, mut events: Option<&mut Vec<RoomEvent>>) {
        for index in self.joined.take(member) {
            self.remove(member, id, index, &mut events);
        }
    }

    /// The rooms that a member has joined, without that of its own id.
    pub fn of(&self, member: &M) -> Vec<Arc<str>> {
        let joined = self.joined.of(member);
        joined.iter().map(|index| self.name(*index)).collect()
    }

    /// Whether a member has joined a room.
    pub fn contains(&self, member: &M, room: &str) -> bool {
        self.room(room).is_some_and(|room| room.members.contains(member))
    }

    /// Whether somebody has joined a room.
    pub fn has(&self, room: &str) -> bool {
        self.names.contains_key(room)
    }

    /// All rooms that somebody has joined, with how many have. Rooms of members' own ids are not among them unless
    /// somebody else is there too.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, usize)> {
        self.names
            .iter()
            .filter_map(|(name, index)| Some((name, self.rooms.get(*index as usize)?.members.len())))
    }

    /// Calls with each member that a broadcast is for, exactly once: who is in one of the rooms, or everybody if none is
    /// named, but for who is in a room of `except`.
    pub fn for_each(
        &self,
        directory: &impl Directory<M>,
        options: &BroadcastOptions,
        visit: &mut dyn FnMut(&M),
    ) {
        let except = self.any_of(directory, &options.except);
        match options.rooms.as_slice() {
            [] => directory.for_each(&mut |member| {
                if !except.has(member) {
                    visit(member);
                }
            }),
            [room] => self.for_each_in(directory, room, &mut |member| {
                if !except.has(member) {
                    visit(member);
                }
            }),
            rooms => {
                let mut seen = HashSet::new();
                for room in rooms {
                    self.for_each_in(directory, room, &mut |member| {
                        if !except.has(member) && seen.insert(member.clone()) {
                            visit(member);
                        }
                    });
                }
            }
        }
    }

    /// Those who have joined the room, and the one whose id it is.
    fn for_each_in(&self, directory: &impl Directory<M>, room: &str, visit: &mut dyn FnMut(&M)) {
        let joined = self.room(room).map(|room| &room.members);
        if let Some(own) = directory.find(room)
            && !joined.is_some_and(|joined| joined.contains(&own))
        {
            visit(&own);
        }
        joined.into_iter().flatten().for_each(visit);
    }

    fn any_of<'a>(&'a self, directory: &impl Directory<M>, rooms: &[Arc<str>]) -> AnyOf<'a, M> {
        let mut any = AnyOf {
            members: HashSet::new(),
            rooms: Vec::new(),
        };
        let few = rooms.len() <= FEW;
        for name in rooms {
            any.members.extend(directory.find(name));
            match self.room(name) {
                Some(room) if few => any.rooms.push(&room.members),
                Some(room) => any.members.extend(room.members.iter().cloned()),
                None => {}
            }
        }
        any
    }

    fn room(&self, name: &str) -> Option<&Room<M>> {
        self.rooms.get(*self.names.get(name)? as usize)
    }

    fn name(&self, index: u32) -> Arc<str> {
        match self.rooms.get(index as usize) {
            Some(room) => Arc::clone(&room.name),
            None => Arc::default(),
        }
    }

    fn create(&mut self, name: &str) -> u32 {
        let room = Room {
            name: Arc::from(name),
            members: HashSet::new(),
        };
        let name = Arc::clone(&room.name);
        let index = match self.vacant.pop() {
            Some(index) => {
                self.rooms[index as usize] = room;
                index
            }
            None => {
                self.rooms.push(room);
                (self.rooms.len() - 1) as u32
            }
        };
        self.names.insert(name, index);
        index
    }

    /// The room's half of leaving, and its end if that was the last member.
    fn remove(&mut self, member: &M, id: &str, index: u32, events: &mut Option<&mut Vec<RoomEvent>>) {
        let name = self.name(index);
        let Some(room) = self.rooms.get_mut(index as usize) else {
            return;
        };
        room.members.remove(member);
        tell(events, || RoomEvent::Leave(Arc::clone(&name), id.into()));
        if room.members.is_empty() {
            *room = Room {
                name: Arc::default(),
                members: HashSet::new(),
            };
            self.names.remove(&name);
            self.vacant.push(index);
            tell(events, || RoomEvent::Delete(name));
        } else if room.members.capacity() > 64 && room.members.len() < room.members.capacity() / 8 {
            // A room that was full once doesn't stay large, nor slow to go through.
            room.members.shrink_to(room.members.len() * 2);
        }
        self.release_if_empty();
    }

    fn release_if_empty(&mut self) {
        if self.names.is_empty() {
            *self = Rooms::default();
        }
    }
}

/// Who is in any of some rooms.
struct AnyOf<'a, M> {
    members: HashSet<M>,
    rooms: Vec<&'a HashSet<M>>,
}

impl<M: Eq + Hash> AnyOf<'_, M> {
    fn has(&self, member: &M) -> bool {
        self.members.contains(member) || self.rooms.iter().any(|room| room.contains(member))
    }
}

fn tell(events: &mut Option<&mut Vec<RoomEvent>>, event: impl FnOnce() -> RoomEvent) {
    if let Some(events) = events {
        events.push(event());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Members are numbers, and their ids the numbers' text.
    struct People(Vec<u32>);

    impl Directory<u32> for People {
        fn find(&self, id: &str) -> Option<u32> {
            id.parse().ok().filter(|id| self.0.contains(id))
        }

        fn for_each(&self, visit: &mut dyn FnMut(&u32)) {
            self.0.iter().for_each(visit);
        }
    }

    fn to(rooms: &[&str], except: &[&str]) -> BroadcastOptions {
        BroadcastOptions {
            rooms: rooms.iter().map(|room| Arc::from(*room)).collect(),
            except: except.iter().map(|room| Arc::from(*room)).collect(),
            ..BroadcastOptions::default()
        }
    }

    fn reached(rooms: &Rooms<u32>, people: &People, options: &BroadcastOptions) -> Vec<u32> {
        let mut found = Vec::new();
        rooms.for_each(people, options, &mut |member| found.push(*member));
        found.sort_unstable();
        found
    }

    #[test]
    fn a_broadcast_reaches_each_once() {
        let (mut rooms, people) = (Rooms::default(), People(vec![1, 2, 3, 4]));
        for (member, room) in [(1, "a"), (2, "a"), (2, "b"), (3, "b"), (4, "1")] {
            assert!(rooms.join(&member, &member.to_string(), room, None));
        }
        let is = |names: &[&str], except: &[&str], expected: &[u32]| {
            assert_eq!(
                reached(&rooms, &people, &to(names, except)),
                expected,
                "{names:?} {except:?}"
            );
        };
        is(&[], &[], &[1, 2, 3, 4]);
        is(&["a"], &[], &[1, 2]);
        is(&["a", "b"], &[], &[1, 2, 3]);
        is(&["a", "a", "2"], &[], &[1, 2]);
        is(&["1"], &[], &[1, 4]); // its own, and who has joined it
        is(&["3"], &[], &[3]);
        is(&["9", "none"], &[], &[]);
        is(&[], &["a"], &[3, 4]);
        is(&["a", "b"], &["2"], &[1, 3]);
        is(&["a"], &["b", "none", "9", "x", "y", "z"], &[1]);
        is(&["a"], &["1"], &[2]);
    }

    #[test]
    fn rooms_tell_of_themselves() {
        let mut rooms = Rooms::default();
        let mut events = Vec::new();
        rooms.join(&1, "1", "a", Some(&mut events));
        rooms.join(&1, "1", "a", Some(&mut events));
        rooms.join(&1, "1", "1", Some(&mut events));
        rooms.join(&2, "2", "a", Some(&mut events));
        rooms.leave(&1, "1", "a", Some(&mut events));
        rooms.leave(&1, "1", "a", Some(&mut events));
        rooms.leave_all(&2, "2", Some(&mut events));
        let a = || Arc::from("a");
        assert_eq!(
            events,
            [
                RoomEvent::Create(a()),
                RoomEvent::Join(a(), "1".into()),
                RoomEvent::Join(a(), "2".into()),
                RoomEvent::Leave(a(), "1".into()),
                RoomEvent::Leave(a(), "2".into()),
                RoomEvent::Delete(a()),
            ]
        );
    }

    #[test]
    fn who_is_in_no_room_costs_nothing() {
        let mut rooms = Rooms::default();
        for member in 0..1000_u32 {
            rooms.join(&member, &member.to_string(), &member.to_string(), None);
        }
        assert_eq!(rooms.joined.capacity() + rooms.rooms.capacity(), 0);
        for member in 0..1000_u32 {
            rooms.join(&member, "", "all", None);
            rooms.join(&member, "", &format!("room {member}"), None);
        }
        assert_eq!(rooms.iter().count(), 1001);
        (0..1000).for_each(|member| rooms.leave_all(&member, "", None));
        assert_eq!(
            rooms.joined.capacity() + rooms.rooms.capacity() + rooms.names.capacity(),
            0
        );
    }

    /// Random joins and leaves, compared with a plain list of pairs.
    #[test]
    fn the_tables_agree_with_a_list() {
        let (mut rooms, people) = (Rooms::default(), People((0..12).collect()));
        let mut list: BTreeSet<(u32, String)> = BTreeSet::new();
        let mut random = 7_u64;
        let mut below = |n: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % n
        };
        for _ in 0..20_000 {
            let (member, room) = (below(12) as u32, format!("{}", below(24)));
            let id = member.to_string();
            let is_own = id == room;
            match below(5) {
                0 | 1 => {
                    let joined = rooms.join(&member, &id, &room, None);
                    assert_eq!(joined, !is_own && list.insert((member, room)));
                }
                2 | 3 => assert_eq!(
                    rooms.leave(&member, &id, &room, None),
                    list.remove(&(member, room))
                ),
                _ if below(4) == 0 => {
                    rooms.leave_all(&member, &id, None);
                    list.retain(|(other, _)| *other != member);
                }
                _ => {}
            }
            let names: Vec<String> = (0..below(7)).map(|_| below(24).to_string()).collect();
            let except: Vec<String> = (0..below(7)).map(|_| below(24).to_string()).collect();
            let is_in = |member: u32, names: &[String]| {
                names
                    .iter()
                    .any(|name| *name == member.to_string() || list.contains(&(member, name.clone())))
            };
            let expected: Vec<u32> = (0..12)
                .filter(|member| (names.is_empty() || is_in(*member, &names)) && !is_in(*member, &except))
                .collect();
            let texts = |names: &[String]| names.iter().map(|name| Arc::from(name.as_str())).collect();
            let options = BroadcastOptions {
                rooms: texts(&names),
                except: texts(&except),
                ..BroadcastOptions::default()
            };
            assert_eq!(reached(&rooms, &people, &options), expected);
            assert_eq!(rooms.iter().map(|room| room.1).sum::<usize>(), list.len());
        }
        for member in 0..12 {
            let mut own: Vec<String> = rooms.of(&member).iter().map(ToString::to_string).collect();
            own.sort();
            let mut expected: Vec<String> = list
                .iter()
                .filter(|pair| pair.0 == member)
                .map(|pair| pair.1.clone())
                .collect();
            expected.sort();
            assert_eq!(own, expected);
        }
    }
}
