//! Texts that come again and again (names of events, of members, of clients) as the Python strings that they were before.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::guarded::Guarded;

/// How many are kept: a power of two.
const PLACES: usize = 256;
/// In bytes; a longer text is made anew.
const MAX_LEN: usize = 32;

/// Each text has one place, where the next text of that place takes over.
#[derive(Default)]
pub(super) struct Names(Guarded<Vec<Option<Py<PyString>>>>);

impl Names {
    /// Its hash is known already, if it was looked for before.
    pub(super) fn get<'py>(&self, py: Python<'py>, text: &str) -> Bound<'py, PyString> {
        if text.is_empty() || text.len() > MAX_LEN {
            return PyString::new(py, text);
        }
        let place = place(text.as_bytes());
        let known = self.0.with(py, |names| {
            let name = names.get(place)?.as_ref()?.bind(py);
            name.to_str()
                .is_ok_and(|known| known == text)
                .then(|| name.clone())
        });
        known.unwrap_or_else(|| self.put(place, PyString::new(py, text)))
    }

    fn put<'py>(&self, place: usize, name: Bound<'py, PyString>) -> Bound<'py, PyString> {
        let before = self.0.with(name.py(), |names| {
            if names.is_empty() {
                names.resize_with(PLACES, || None);
            }
            let kept = names.get_mut(place)?;
            kept.replace(name.clone().unbind())
        });
        drop(before);
        name
    }
}

/// Of the beginning, the end and the length, since names differ there.
fn place(text: &[u8]) -> usize {
    let (head, tail) = match (text.first_chunk(), text.last_chunk()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (text.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
    };
    let mixed = (head ^ tail.rotate_left(29) ^ text.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize % PLACES
}
