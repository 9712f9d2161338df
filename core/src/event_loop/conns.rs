//! The connections of a loop, by the numbers of their slots.
//!
//! They lie in segments, so that one costs no allocation of its own, and that they never move. A segment in which nobody is
//! left is given back.

use super::connection::Conn;
use crate::handle::Id;

const LENGTH: usize = 32;

#[derive(Default)]
pub(crate) struct Conns(Vec<Option<Box<Segment>>>);

#[derive(Default)]
struct Segment {
    taken: usize,
    places: [Option<Conn>; LENGTH],
}

impl Conns {
    /// Takes a connection in, at a place where none is.
    pub(crate) fn put(&mut self, conn: Conn) {
        let (segment, place) = place(conn.id.slot());
        if self.0.len() <= segment {
            self.0.resize_with(segment + 1, || None);
        }
        if let Some(segment) = self.0.get_mut(segment) {
            let segment = segment.get_or_insert_default();
            segment.taken += 1;
            segment.places[place] = Some(conn);
        }
    }

    /// Takes out the connection that has this handle.
    pub(crate) fn take(&mut self, id: Id) -> Option<Conn> {
        let (at, place) = place(id.slot());
        let entry = self.0.get_mut(at)?;
        let segment = entry.as_mut()?;
        let conn = segment.places[place].take_if(|conn| conn.id == id)?;
        segment.taken -= 1;
        if segment.taken == 0 {
            *entry = None;
        }
        Some(conn)
    }

    /// The connection in this slot.
    #[inline(always)]
    pub(crate) fn at(&mut self, slot: u32) -> Option<&mut Conn> {
        let (segment, place) = place(slot);
        self.0.get_mut(segment)?.as_mut()?.places[place].as_mut()
    }

    /// The same, to look at.
    #[inline(always)]
    pub(crate) fn see(&self, slot: u32) -> Option<&Conn> {
        let (segment, place) = place(slot);
        self.0.get(segment)?.as_ref()?.places[place].as_ref()
    }

    /// The connection that has this handle.
    #[inline(always)]
    pub(crate) fn find(&mut self, id: Id) -> Option<&mut Conn> {
        self.at(id.slot()).filter(|conn| conn.id == id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Conn> {
        self.0
            .iter()
            .flatten()
            .flat_map(|segment| segment.places.iter().flatten())
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Conn> {
        let segments = self.0.iter_mut().flatten();
        segments.flat_map(|segment| segment.places.iter_mut().flatten())
    }
}

#[inline(always)]
fn place(slot: u32) -> (usize, usize) {
    (slot as usize / LENGTH, slot as usize % LENGTH)
}
