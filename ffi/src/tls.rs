//! TLS: how connections are secured, in objects that connections and servers share.

use std::ffi::{c_char, c_void};

use sockline::{
    ClientTls, ClientTlsOptions, Identity, Result, ServerTls, ServerTlsOptions, TlsError, TlsVersion,
    WebSocket,
};

use crate::abi::{
    Versioned, array, bytes, fill_struct, invalid, optional_string, read_struct, strings, write_out,
};
use crate::guard::{guard, guard_value};
use crate::settings::switch;
use crate::status::{OK, sockline_status};
use crate::types::{sockline_bytes, sockline_string, sockline_ws};

/// How connections are secured: made once for clients or for a server, and given to any number of sockline_connect or
/// sockline_listen. Clients that share one resume each other's sessions, which spares a part of the handshake.
///
/// It is a pointer and has to be freed; connections and servers keep what they need, so that may be done at once.
pub struct sockline_tls(Role);

enum Role {
    Client(ClientTls),
    Server(ServerTls),
}

/// Versions of TLS, by their numbers on the wire.
#[repr(C)]
pub enum sockline_tls_version {
    /// RFC 5246.
    SOCKLINE_TLS_1_2 = 0x0303,
    /// RFC 8446.
    SOCKLINE_TLS_1_3 = 0x0304,
}

/// What was wrong with TLS, for SOCKLINE_ERR_TLS. Later versions may add some.
#[repr(C)]
pub enum sockline_tls_error {
    /// The certificate is not valid any more.
    SOCKLINE_TLS_EXPIRED = 1,
    /// The certificate is not valid yet.
    SOCKLINE_TLS_NOT_YET_VALID = 2,
    /// The certificate is for other names.
    SOCKLINE_TLS_WRONG_NAME = 3,
    /// The certificate was issued by nobody but its owner, and is not trusted by itself.
    SOCKLINE_TLS_SELF_SIGNED = 4,
    /// What issued the certificate came along, up to a root that is not trusted.
    SOCKLINE_TLS_UNTRUSTED_ROOT = 5,
    /// Certificates that lead on came along, but they lead to no root that is trusted.
    SOCKLINE_TLS_INCOMPLETE_CHAIN = 6,
    /// Who issued the certificate is not known, and nothing else came along.
    SOCKLINE_TLS_UNKNOWN_ISSUER = 7,
    /// The certificate was revoked.
    SOCKLINE_TLS_REVOKED = 8,
    /// The certificate is malformed, wrongly signed, or for another purpose.
    SOCKLINE_TLS_BAD_CERTIFICATE = 9,
    /// None of the chain's keys is among the pins.
    SOCKLINE_TLS_NOT_PINNED = 10,
    /// The peer has ended TLS with an alert; the text says which.
    SOCKLINE_TLS_ALERT = 11,
    /// What came is not TLS.
    SOCKLINE_TLS_NOT_TLS = 12,
    /// Something else; the text says what.
    SOCKLINE_TLS_OTHER = 99,
}

/// A certificate with its key. Copied by the call that takes it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_identity {
    /// The certificate, and after it those that lead towards a root: PEM, or a single one as DER.
    pub certificates: sockline_bytes,
    /// The private key of the first certificate, not encrypted: PEM or DER (PKCS #8, PKCS #1 or SEC 1).
    pub private_key: sockline_bytes,
}

/// How a client secures its connections. Start from SOCKLINE_TLS_CLIENT_OPTIONS_INIT; a field of 0 means its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_tls_client_options {
    /// sizeof(sockline_tls_client_options), as the INIT macro sets it.
    pub size: usize,
    /// Further certification authorities to trust, ca_count of them, each in PEM (also several in one) or DER.
    pub ca: *const sockline_bytes,
    /// How many those are.
    pub ca_count: usize,
    /// Whether to trust what the system trusts: 1, the default, or -1 for not.
    pub platform_roots: i64,
    /// Who we are, for servers that ask for a client's certificate. Default: nobody.
    pub identity: *const sockline_identity,
    /// The name to ask for (SNI, RFC 6066 section 3) and to expect in the certificate. Default: the URL's host.
    pub server_name: sockline_string,
    /// The application protocols to offer (ALPN, RFC 7301), alpn_count of them, the preferred one first. Default:
    /// "http/1.1"; a single empty string offers none.
    pub alpn: *const sockline_string,
    /// How many those are.
    pub alpn_count: usize,
    /// SHA-256 hashes of the public keys (SubjectPublicKeyInfo in DER) to accept, 32 bytes each and pin_count of them. If
    /// there are any, one certificate of the verified chain must have one of them: the server's own, one that it sends
    /// and that leads to its own, or one of ca. Default: no pins.
    pub pins: *const c_void,
    /// How many those are.
    pub pin_count: usize,
    /// The oldest version to accept, as one of enum sockline_tls_version. Default: SOCKLINE_TLS_1_2.
    pub min_version: i64,
    /// 1 accepts any certificate of anybody, which lets everyone in between read and change everything: for tests only,
    /// and logged as a warning. Pins still count. Default: certificates are verified.
    pub insecure: i64,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_tls_client_options {
    const NAME: &'static str = "sockline_tls_client_options";
}

/// How a server secures its connections. Start from SOCKLINE_TLS_SERVER_OPTIONS_INIT; a field of 0 means its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_tls_server_options {
    /// sizeof(sockline_tls_server_options), as the INIT macro sets it.
    pub size: usize,
    /// Whom to be, identity_count of them and at least one: for the name that a client asks for, the first whose
    /// certificate is for that name, wildcards included; the first of all where there is none, or no name is asked for.
    pub identities: *const sockline_identity,
    /// How many those are.
    pub identity_count: usize,
    /// Certification authorities whose client certificates are accepted, client_ca_count of them, each in PEM (also
    /// several in one) or DER. Default: clients are not asked for a certificate.
    pub client_ca: *const sockline_bytes,
    /// How many those are.
    pub client_ca_count: usize,
    /// 1 refuses clients without a certificate. Default: they are welcome too.
    pub require_client_certificate: i64,
    /// The application protocols to choose from (ALPN, RFC 7301), alpn_count of them, the preferred one first. A client
    /// that offers only others is refused. Default: "http/1.1"; a single empty string ignores what clients offer.
    pub alpn: *const sockline_string,
    /// How many those are.
    pub alpn_count: usize,
    /// The oldest version to accept, as one of enum sockline_tls_version. Default: SOCKLINE_TLS_1_2.
    pub min_version: i64,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_tls_server_options {
    const NAME: &'static str = "sockline_tls_server_options";
}

/// What was agreed on in a TLS handshake. Start from SOCKLINE_TLS_INFO_INIT. Texts are ended by a NUL, and cut if they
/// are longer than their place, which no registered name is.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_tls_info {
    /// sizeof(sockline_tls_info), as the INIT macro sets it.
    pub size: usize,
    /// The version in use, as one of enum sockline_tls_version; 0 for a connection without TLS, and before the handshake
    /// is done: all else is empty then, too.
    pub version: i32,
    /// 1 if an earlier session was resumed: no certificates were exchanged again. Otherwise 0.
    pub resumed: i32,
    /// The cipher suite in use, by its IANA name, such as "TLS_AES_128_GCM_SHA256".
    pub cipher_suite: [c_char; 64],
    /// The application protocol; empty if none was agreed on.
    pub alpn: [c_char; 64],
    /// The name that the client asked for; empty if it asked for none.
    pub server_name: [c_char; 256],
}

// SAFETY: `repr(C)`, `size` first, numbers and characters only.
unsafe impl Versioned for sockline_tls_info {
    const NAME: &'static str = "sockline_tls_info";
}

/// Makes what secures a client's connections, and writes it to *tls: owned, until sockline_tls_free.
///
/// options: copied; NULL for the defaults. tls: not NULL; left alone after a failure. Reads the system's certification
/// authorities if they are wanted, which takes some milliseconds.
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT says which option can't be used, and why; SOCKLINE_ERR_UNSUPPORTED in a build
/// without TLS. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_tls_client_new(
    options: *const sockline_tls_client_options,
    tls: *mut *mut sockline_tls,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a struct as long as its size says, with what it points to.
        let options = match unsafe { read_struct(options) }? {
            // SAFETY: as above.
            Some(given) => unsafe { client_options(&given) }?,
            None => ClientTlsOptions::default(),
        };
        // SAFETY: the header asks for NULL or a writable pointer.
        unsafe { hand_out(tls, || Ok(Role::Client(ClientTls::new(options)?))) }
    })
}

/// Makes what secures a server's connections, and writes it to *tls: owned, until sockline_tls_free.
///
/// options: copied, not NULL. tls: not NULL; left alone after a failure.
/// Errors: as for sockline_tls_client_new. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_tls_server_new(
    options: *const sockline_tls_server_options,
    tls: *mut *mut sockline_tls,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a struct as long as its size says, with what it points to.
        let Some(given) = (unsafe { read_struct(options) })? else {
            return Err(invalid(
                "options is NULL, and a server needs a certificate".to_owned(),
            ));
        };
        // SAFETY: as above.
        let options = unsafe { server_options(&given) }?;
        // SAFETY: the header asks for NULL or a writable pointer.
        unsafe { hand_out(tls, || Ok(Role::Server(ServerTls::new(options)?))) }
    })
}

/// Has a server take other certificates and keys from the next handshake on, identity_count of them, copied; connections
/// that are there stay as they are. After an error those that are there stay in use.
///
/// tls: from sockline_tls_server_new; keep it for this.
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_tls_reload(
    tls: *mut sockline_tls,
    identities: *const sockline_identity,
    identity_count: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or an object that is not freed yet, and for readable identities.
        let (tls, identities) = unsafe { (tls.as_ref(), read_identities(identities, identity_count)?) };
        match tls.map(|tls| &tls.0) {
            Some(Role::Server(server)) => server.reload(identities).map(|()| OK),
            Some(Role::Client(_)) => Err(invalid("tls is a client's; make another one".to_owned())),
            None => Err(invalid("tls is NULL".to_owned())),
        }
    })
}

/// Frees it: consumed. Connections and servers that it was given to go on. NULL does nothing. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_tls_free(tls: *mut sockline_tls) {
    guard_value((), || {
        if !tls.is_null() {
            // SAFETY: the pointer came from `hand_out` and was not freed before, as the header asks.
            drop(unsafe { Box::from_raw(tls) });
        }
    });
}

/// Writes what was agreed on in the connection's TLS handshake to *info, which is not NULL and from its INIT macro.
///
/// Errors: SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_ws_tls_info(
    ws: sockline_ws,
    info: *mut sockline_tls_info,
) -> sockline_status {
    guard(|| {
        let told = c_info(WebSocket::from_raw(ws)?);
        // SAFETY: the header asks for NULL or a struct as long as its size says.
        unsafe { fill_struct(info, told) }.map(|()| OK)
    })
}

/// Writes the peer's own certificate, in DER, to buffer: the server's, or the client's if it has shown one. Writes
/// nothing if capacity is less than what this returns, the certificate's length in bytes; 0 if there is none. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_ws_peer_certificate(
    ws: sockline_ws,
    buffer: *mut c_void,
    capacity: usize,
) -> usize {
    guard_value(0, || {
        let tls = WebSocket::from_raw(ws).ok().and_then(WebSocket::tls);
        let certificate = tls.and_then(|tls| tls.peer_certificate).unwrap_or_default();
        if !buffer.is_null() && capacity >= certificate.len() {
            // SAFETY: the header asks for `capacity` writable bytes.
            unsafe { std::ptr::copy_nonoverlapping(certificate.as_ptr(), buffer.cast(), certificate.len()) };
        }
        certificate.len()
    })
}

/// What a client was given; `None` for the default.
///
/// # Safety
/// `tls` is NULL, or not freed yet.
pub(crate) unsafe fn read_client(tls: *mut sockline_tls) -> Result<Option<ClientTls>> {
    // SAFETY: the caller's promise.
    match unsafe { tls.as_ref() }.map(|tls| &tls.0) {
        Some(Role::Client(client)) => Ok(Some(client.clone())),
        Some(Role::Server(_)) => Err(invalid("tls is a server's, and a client's is needed".to_owned())),
        None => Ok(None),
    }
}

/// What a server was given; `None` for a plain one.
///
/// # Safety
/// `tls` is NULL, or not freed yet.
pub(crate) unsafe fn read_server(tls: *mut sockline_tls) -> Result<Option<ServerTls>> {
    // SAFETY: the caller's promise.
    match unsafe { tls.as_ref() }.map(|tls| &tls.0) {
        Some(Role::Server(server)) => Ok(Some(server.clone())),
        Some(Role::Client(_)) => Err(invalid("tls is a client's, and a server's is needed".to_owned())),
        None => Ok(None),
    }
}

/// # Safety
/// `tls` is NULL or writable.
unsafe fn hand_out(
    tls: *mut *mut sockline_tls,
    make: impl FnOnce() -> Result<Role>,
) -> Result<sockline_status> {
    if tls.is_null() {
        return Err(invalid("tls is NULL".to_owned()));
    }
    let fresh = Box::into_raw(Box::new(sockline_tls(make()?)));
    // SAFETY: not NULL, and writable by the caller's promise.
    unsafe { write_out(tls, fresh) };
    Ok(OK)
}

/// # Safety
/// What it points to is readable.
unsafe fn client_options(given: &sockline_tls_client_options) -> Result<ClientTlsOptions> {
    let defaults = ClientTlsOptions::default();
    // SAFETY: the caller's promise.
    unsafe {
        Ok(ClientTlsOptions {
            platform_roots: switch("platform_roots", given.platform_roots, defaults.platform_roots)?,
            ca: blobs(given.ca, given.ca_count)?,
            identity: read_identities(given.identity, usize::from(!given.identity.is_null()))?.pop(),
            server_name: optional_string(given.server_name)?,
            alpn: read_alpn(given.alpn, given.alpn_count, defaults.alpn)?,
            pins: array(given.pins.cast::<[u8; 32]>(), given.pin_count)?.to_vec(),
            min_version: version(given.min_version)?,
            insecure: switch("insecure", given.insecure, false)?,
        })
    }
}

/// # Safety
/// What it points to is readable.
unsafe fn server_options(given: &sockline_tls_server_options) -> Result<ServerTlsOptions> {
    // SAFETY: the caller's promise.
    unsafe {
        let defaults = ServerTlsOptions::new(read_identities(given.identities, given.identity_count)?);
        Ok(ServerTlsOptions {
            client_ca: blobs(given.client_ca, given.client_ca_count)?,
            require_client_certificate: switch(
                "require_client_certificate",
                given.require_client_certificate,
                false,
            )?,
            alpn: read_alpn(given.alpn, given.alpn_count, defaults.alpn)?,
            min_version: version(given.min_version)?,
            identities: defaults.identities,
        })
    }
}

/// # Safety
/// `identities` points to `count` readable ones.
unsafe fn read_identities(identities: *const sockline_identity, count: usize) -> Result<Vec<Identity>> {
    let one = |given: &sockline_identity| -> Result<Identity> {
        // SAFETY: the caller's promise covers what they point to.
        unsafe {
            Ok(Identity {
                certificates: bytes(given.certificates.data, given.certificates.len)?.to_vec(),
                private_key: bytes(given.private_key.data, given.private_key.len)?.to_vec(),
            })
        }
    };
    // SAFETY: the caller's promise covers the array.
    unsafe { array(identities, count) }?.iter().map(one).collect()
}

/// # Safety
/// `items` points to `count` readable ones.
unsafe fn blobs(items: *const sockline_bytes, count: usize) -> Result<Vec<Vec<u8>>> {
    // SAFETY: the caller's promise covers the array and what it points to.
    unsafe {
        array(items, count)?
            .iter()
            .map(|item| bytes(item.data, item.len).map(<[u8]>::to_vec))
            .collect()
    }
}

/// A single empty name stands for none at all, since no names stand for the default.
///
/// # Safety
/// `names` points to `count` readable strings.
unsafe fn read_alpn(
    names: *const sockline_string,
    count: usize,
    default: Vec<String>,
) -> Result<Vec<String>> {
    // SAFETY: the caller's promise.
    let names = unsafe { strings(names, count) }?;
    Ok(match names.as_slice() {
        [] => default,
        [only] if only.is_empty() => Vec::new(),
        _ => names,
    })
}

fn version(given: i64) -> Result<TlsVersion> {
    const TLS_1_2: i64 = sockline_tls_version::SOCKLINE_TLS_1_2 as i64;
    const TLS_1_3: i64 = sockline_tls_version::SOCKLINE_TLS_1_3 as i64;
    match given {
        0 | TLS_1_2 => Ok(TlsVersion::Tls12),
        TLS_1_3 => Ok(TlsVersion::Tls13),
        other => Err(invalid(format!(
            "min_version {other} is not one of enum sockline_tls_version"
        ))),
    }
}

/// The number of what was wrong.
pub(crate) fn tls_error(error: TlsError) -> i32 {
    use sockline_tls_error as number;
    let number = match error {
        TlsError::Expired => number::SOCKLINE_TLS_EXPIRED,
        TlsError::NotYetValid => number::SOCKLINE_TLS_NOT_YET_VALID,
        TlsError::WrongName => number::SOCKLINE_TLS_WRONG_NAME,
        TlsError::SelfSigned => number::SOCKLINE_TLS_SELF_SIGNED,
        TlsError::UntrustedRoot => number::SOCKLINE_TLS_UNTRUSTED_ROOT,
        TlsError::IncompleteChain => number::SOCKLINE_TLS_INCOMPLETE_CHAIN,
        TlsError::UnknownIssuer => number::SOCKLINE_TLS_UNKNOWN_ISSUER,
        TlsError::Revoked => number::SOCKLINE_TLS_REVOKED,
        TlsError::BadCertificate => number::SOCKLINE_TLS_BAD_CERTIFICATE,
        TlsError::NotPinned => number::SOCKLINE_TLS_NOT_PINNED,
        TlsError::Alert(_) => number::SOCKLINE_TLS_ALERT,
        TlsError::NotTls => number::SOCKLINE_TLS_NOT_TLS,
        _ => number::SOCKLINE_TLS_OTHER,
    };
    number as i32
}

fn c_info(ws: WebSocket) -> sockline_tls_info {
    let Some(tls) = ws.tls() else {
        return sockline_tls_info {
            size: size_of::<sockline_tls_info>(),
            version: 0,
            resumed: 0,
            cipher_suite: place(""),
            alpn: place(""),
            server_name: place(""),
        };
    };
    let version = match tls.version {
        TlsVersion::Tls12 => sockline_tls_version::SOCKLINE_TLS_1_2,
        TlsVersion::Tls13 => sockline_tls_version::SOCKLINE_TLS_1_3,
    };
    sockline_tls_info {
        size: size_of::<sockline_tls_info>(),
        version: version as i32,
        resumed: i32::from(tls.resumed),
        cipher_suite: place(&tls.cipher_suite),
        alpn: place(tls.alpn.as_deref().unwrap_or_default()),
        server_name: place(tls.server_name.as_deref().unwrap_or_default()),
    }
}

/// A text in a place of fixed length, ended by a NUL.
fn place<const LENGTH: usize>(text: &str) -> [c_char; LENGTH] {
    let mut place = [0; LENGTH];
    for (free, byte) in place.iter_mut().take(LENGTH - 1).zip(text.bytes()) {
        *free = byte as c_char;
    }
    place
}
