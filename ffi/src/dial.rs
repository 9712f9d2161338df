//! Connections that the application makes whenever one is needed.

use std::ffi::c_void;

use sockline::{Dial, Dialing, Result};

use crate::abi::{Versioned, invalid, read_struct, string, take_over};
use crate::guard::{c_text, guard};
use crate::kept::{Given, UserData};
use crate::status::{OK, sockline_status};
use crate::types::sockline_string;

/// A connection that is wanted of the application: a number, to be used once, now or later, on any thread, by
/// sockline_dial_connected or sockline_dial_failed. It ends by that alone: also what nobody waits for any more, since its client
/// was closed or its time is over, has to be answered, else it is kept for ever.
pub type sockline_dialing = u64;

/// Where a connection is wanted to; borrowed until on_dial returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_dial_request {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// The URL's host, without an IPv6 address's brackets; ended by a NUL.
    pub host: sockline_string,
    /// The URL's port, or its scheme's.
    pub port: u32,
    /// 1 if the URL asks for TLS.
    pub is_secure: i32,
}

/// Makes a client's connections in place of the library: each that it needs, again for each redirect, each return, and, of a
/// Socket.IO manager, each that its requests are sent over. So they can go ways that the library doesn't know: through a
/// tunnel of the program's, to a virtual machine, by another library's TLS. There is no proxy then. Start from
/// SOCKLINE_DIAL_INIT and set on_dial. It is copied by the call that takes it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_dial {
    /// sizeof(sockline_dial), as the INIT macro sets it.
    pub size: usize,
    /// A connection is wanted. Answer with sockline_dial_connected or sockline_dial_failed, here or later from any thread;
    /// meanwhile the handshake timeout runs. request is borrowed. Not NULL.
    ///
    /// It is called on the loop's thread, perhaps within the call that needs the connection, and before that has written its
    /// handle. It must not block: what takes time is for another thread. No C++ exception and no longjmp may leave it.
    pub on_dial: Option<
        unsafe extern "C" fn(
            dialing: sockline_dialing,
            request: *const sockline_dial_request,
            user_data: *mut c_void,
        ),
    >,
    /// The client needs no further connection: on_dial is called no more, and user_data may be freed. Exactly once for each call
    /// that took it, unless that returned an error. On any thread; it must not call the library.
    pub on_freed: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Yours, given to both.
    pub user_data: *mut c_void,
}

// SAFETY: `repr(C)`, `size` first; zeroes are a number, no functions and NULL.
unsafe impl Versioned for sockline_dial {
    const NAME: &'static str = "sockline_dial";
}

/// Answers on_dial: here is the connection. If nobody waits for it any more, it is closed.
///
/// descriptor: a connected TCP or Unix socket; on Windows a SOCKET. It is taken over, also by an error: the library closes it.
/// is_secured: 0 has TLS begin on it if the URL asks for that. 1 says that TLS is yours, and what goes over it here is plain:
/// give one end of a socketpair(2) then, and copy what is decrypted to and from the other.
///
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT for a descriptor that is none, after which the answer is still owed;
/// SOCKLINE_ERR_ALREADY_ANSWERED. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_dial_connected(
    dialing: sockline_dialing,
    descriptor: i64,
    is_secured: i32,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header gives the descriptor away.
        let socket = unsafe { take_over(descriptor) }?;
        let dialing = Dialing::from_raw(dialing)?;
        match is_secured {
            0 => dialing.connected(socket),
            _ => dialing.secured(socket),
        }
        Ok(OK)
    })
}

/// Answers on_dial: there is no connection. The client hears of SOCKLINE_ERR_CONNECT_FAILED, with why in its text; one that comes
/// back tries again. why: for people, copied.
///
/// Errors: SOCKLINE_ERR_ALREADY_ANSWERED; SOCKLINE_ERR_INVALID_UTF8, after which the answer is still owed. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_dial_failed(
    dialing: sockline_dialing,
    why: sockline_string,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text.
        let why = unsafe { string(why) }?;
        Dialing::from_raw(dialing)?.failed(why);
        Ok(OK)
    })
}

/// # Safety
/// `given` is NULL or a struct as long as its size says.
pub(crate) unsafe fn read_dial(given: *const sockline_dial, keeps: &mut Given) -> Result<Option<Dial>> {
    // SAFETY: the caller's promise is the same.
    let Some(given) = (unsafe { read_struct(given) })? else {
        return Ok(None);
    };
    let on_dial = given
        .on_dial
        .ok_or_else(|| invalid("dial has no on_dial".to_owned()))?;
    let user_data = UserData::new(given.user_data, given.on_freed);
    keeps.add(&user_data);
    Ok(Some(Dial::new(move |dialing| {
        let host = c_text(dialing.host());
        let request = sockline_dial_request {
            size: size_of::<sockline_dial_request>(),
            host: sockline_string::borrow(host.as_bytes()),
            port: dialing.port().into(),
            is_secure: dialing.is_secure().into(),
        };
        // SAFETY: the header asks for a function of this type; what it gets is good until it returns.
        unsafe { on_dial(dialing.into_raw(), &raw const request, user_data.get()) }
    })))
}
