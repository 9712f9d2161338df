//! What C gives to a call that keeps it, if it succeeds: what belongs to functions, and a socket.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sockline::GivenSocket;

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
pub(crate) struct Given {
    user_data: Vec<Arc<UserData>>,
    socket: Option<GivenSocket>,
}

impl Given {
    pub(crate) fn add(&mut self, user_data: &Arc<UserData>) {
        self.user_data.push(user_data.clone());
    }

    /// A socket that is C's again, and open, if the call fails.
    pub(crate) fn add_socket(&mut self, socket: &GivenSocket) {
        self.socket = Some(socket.clone());
    }

    /// The call succeeds. What nobody keeps even now is told of at once.
    pub(crate) fn taken(mut self) {
        self.socket = None;
        self.user_data.iter().for_each(|user_data| user_data.taken());
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        // By now nobody else has it: whoever else was given it has said no.
        if let Some(Ok(socket)) = self.socket.take().map(GivenSocket::into_socket) {
            std::mem::forget(socket);
        }
    }
}
