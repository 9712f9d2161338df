//! Answers whose numbers are shown to a handler that mostly uses them before it returns: until then they are in no table,
//! but in a place that their thread has for one.

use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;

use super::{Ack, registry};

/// Where a thread has what it lends.
#[derive(Default)]
struct Place(Mutex<Option<(u64, Ack)>>);

/// Those of all threads that have lent something and live.
static PLACES: LazyLock<Mutex<Vec<Arc<Place>>>> = LazyLock::new(Mutex::default);

/// A thread's own, as long as it lives.
struct Own(Arc<Place>);

thread_local!(static OWN: Own = Own::new());

impl Own {
    fn new() -> Own {
        let place = Arc::new(Place::default());
        PLACES.lock().push(place.clone());
        Own(place)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        PLACES.lock().retain(|place| !Arc::ptr_eq(place, &self.0));
    }
}

impl Place {
    fn take(&self, number: u64) -> Option<Ack> {
        let taken = self.0.lock().take_if(|(lent, _)| *lent == number);
        taken.map(|(_, ack)| ack)
    }
}

/// At its end what was lent and is there still goes to the table, under the same number.
struct Lent<'a> {
    place: &'a Place,
    number: u64,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut place = self.place.0.lock();
        if let Some((_, ack)) = place.take_if(|(lent, _)| *lent == self.number) {
            ack.become_number(self.number); // under the lock, so that it is in one of both all the time
        }
    }
}

impl Ack {
    /// Does something with the number that [`Ack::into_raw`] would give, for hosts whose handlers mostly answer before they
    /// return: then that takes no place in a table. What `act` leaves unanswered goes on as after [`Ack::into_raw`].
    pub fn lend<R>(self, act: impl FnOnce(u64) -> R) -> R {
        let number = registry::fresh();
        let Ok(place) = OWN.try_with(|own| own.0.clone()) else {
            self.become_number(number); // the thread ends
            return act(number);
        };
        let mut room = place.0.lock();
        if let Some((outer, ack)) = room.replace((number, self)) {
            ack.become_number(outer); // its handler turns another loop
        }
        drop(room);
        let _lent = Lent {
            place: &place,
            number,
        };
        act(number)
    }

    /// What this thread has lent under this number.
    pub(super) fn lent_here(number: u64) -> Option<Ack> {
        OWN.try_with(|own| own.0.take(number)).ok().flatten()
    }

    /// The same of any thread.
    #[cold]
    pub(super) fn lent_anywhere(number: u64) -> Option<Ack> {
        let places = PLACES.lock().clone();
        places.iter().find_map(|place| place.take(number))
    }
}
