//! Names that the application looks up.

use std::ffi::c_void;
use std::io;
use std::net::IpAddr;

use sockline::{Lookup, Result};

use crate::abi::{Versioned, invalid, read_struct, string};
use crate::guard::{c_text, guard};
use crate::kept::{Given, UserData};
use crate::status::{OK, sockline_status};
use crate::types::sockline_string;

/// What is found out about a name, by sockline_lookup_add and sockline_lookup_failed; borrowed until on_lookup returns.
pub struct sockline_addresses {
    found: Vec<IpAddr>,
    failure: Option<String>,
}

/// Looks names up in place of the system's resolver. Start from SOCKLINE_LOOKUP_INIT and set on_lookup. It is copied by the call
/// that takes it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_lookup {
    /// sizeof(sockline_lookup), as the INIT macro sets it.
    pub size: usize,
    /// A host's addresses are wanted: give each to sockline_lookup_add, the best one first, or say why there are none with
    /// sockline_lookup_failed. The families are tried in turn (RFC 8305). host: ended by a NUL, borrowed. Hosts that are
    /// addresses are not asked for. Not NULL.
    ///
    /// It is called on a thread of the library's that may block, on several at once, and perhaps for a client that was closed
    /// meanwhile. No C++ exception and no longjmp may leave it.
    pub on_lookup: Option<
        unsafe extern "C" fn(
            host: sockline_string,
            addresses: *mut sockline_addresses,
            user_data: *mut c_void,
        ),
    >,
    /// The client looks up no further name: on_lookup is called no more, and user_data may be freed. Exactly once for each call
    /// that took it, unless that returned an error. On any thread; it must not call the library.
    pub on_freed: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Yours, given to both.
    pub user_data: *mut c_void,
}

// SAFETY: `repr(C)`, `size` first; zeroes are a number, no functions and NULL.
unsafe impl Versioned for sockline_lookup {
    const NAME: &'static str = "sockline_lookup";
}

/// Adds an IP address, such as "192.0.2.1" or "2001:db8::1", to those of a name; copied.
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8. Only within on_lookup.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_lookup_add(
    addresses: *mut sockline_addresses,
    address: sockline_string,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or what on_lookup was given, and for readable text.
        let (addresses, text) = unsafe { (given(addresses)?, string(address)?) };
        let address = text.parse();
        addresses
            .found
            .push(address.map_err(|_| invalid(format!("{text:?} is not an IP address")))?);
        Ok(OK)
    })
}

/// Says that the name has no addresses, also if some were added, and why, for people; copied. The client hears of
/// SOCKLINE_ERR_NAME_NOT_RESOLVED with that in its text.
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8. Only within on_lookup.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_lookup_failed(
    addresses: *mut sockline_addresses,
    why: sockline_string,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or what on_lookup was given, and for readable text.
        let (addresses, why) = unsafe { (given(addresses)?, string(why)?) };
        addresses.failure = Some(why.to_owned());
        Ok(OK)
    })
}

/// # Safety
/// `addresses` is NULL or what `on_lookup` was given.
unsafe fn given<'a>(addresses: *mut sockline_addresses) -> Result<&'a mut sockline_addresses> {
    // SAFETY: the caller's promise; nobody else looks at it while the callback runs.
    unsafe { addresses.as_mut() }.ok_or_else(|| invalid("addresses is NULL".to_owned()))
}

/// # Safety
/// `given` is NULL or a struct as long as its size says.
pub(crate) unsafe fn read_lookup(given: *const sockline_lookup, keeps: &mut Given) -> Result<Option<Lookup>> {
    // SAFETY: the caller's promise is the same.
    let Some(given) = (unsafe { read_struct(given) })? else {
        return Ok(None);
    };
    let on_lookup = given
        .on_lookup
        .ok_or_else(|| invalid("lookup has no on_lookup".to_owned()))?;
    let user_data = UserData::new(given.user_data, given.on_freed);
    keeps.add(&user_data);
    Ok(Some(Lookup::new(move |host| {
        let host = c_text(host);
        let mut addresses = sockline_addresses {
            found: Vec::new(),
            failure: None,
        };
        // SAFETY: the header asks for a function of this type; what it gets is good until it returns.
        unsafe {
            on_lookup(
                sockline_string::borrow(host.as_bytes()),
                &raw mut addresses,
                user_data.get(),
            );
        }
        match addresses.failure {
            None => Ok(addresses.found),
            Some(why) => Err(io::Error::other(why)),
        }
    })))
}
