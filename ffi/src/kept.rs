//! What C gives along with functions that are kept after the call that was given them.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// C's word for its functions, shared by all that can call these. When nobody can any more, C is told.
pub(crate) struct UserData {
    pointer: usize,
    on_freed: Option<unsafe extern "C" fn(*mut c_void)>,
    /// The call that was given it has succeeded. Of one that fails nothing is kept, so there is nothing to tell.
    is_taken: AtomicBool,
}

impl UserData {
    pub(crate) fn new(
        pointer: *mut c_void,
        on_freed: Option<unsafe extern "C" fn(*mut c_void)>,
    ) -> Arc<UserData> {
        Arc::new(UserData {
            pointer: pointer as usize,
            on_freed,
            is_taken: AtomicBool::new(false),
        })
    }

    /// The call that was given it succeeds: its end is told from now on.
    pub(crate) fn taken(&self) {
        self.is_taken.store(true, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> *mut c_void {
        self.pointer as *mut c_void
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let (Some(call), true) = (self.on_freed, self.is_taken.load(Ordering::Relaxed)) {
            // SAFETY: the header asks for a function of this type.
            unsafe { call(self.get()) }
        }
    }
}

/// All that one call was given, until it is known whether it succeeds.
#[derive(Default)]
pub(crate) struct Given(Vec<Arc<UserData>>);

impl Given {
    pub(crate) fn add(&mut self, user_data: &Arc<UserData>) {
        self.0.push(user_data.clone());
    }

    /// The call succeeds. What nobody keeps even now is told of at once.
    pub(crate) fn taken(self) {
        self.0.iter().for_each(|user_data| user_data.taken());
    }
}
