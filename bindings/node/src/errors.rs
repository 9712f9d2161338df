//! Failures under the codes and texts that npm `ws` gives them, else under our own.

use sockline::ws::ProtocolError;
use sockline::{Error, ErrorCode, TlsError};

/// A failure whose `code` JavaScript sees.
pub(crate) type Failure = napi::Error<&'static str>;
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// The core's failure for JavaScript: the message is a record, which `lib/errors.js` takes apart.
pub(crate) fn failure(error: sockline::Error) -> Failure {
    Failure::new(error.code().name(), record(&error))
}

pub(crate) fn invalid(text: &str) -> Failure {
    failure(Error::new(ErrorCode::InvalidArgument, text.to_owned()))
}

pub(crate) fn unsupported(text: &str) -> Failure {
    failure(Error::new(ErrorCode::Unsupported, text.to_owned()))
}

pub(crate) fn internal(text: &'static str) -> Failure {
    failure(Error::new(ErrorCode::Internal, text))
}

/// An error as a record: its code, its text, the system's number and the HTTP status (or nothing), and the engine's own
/// code, between NULs.
pub(crate) fn record(error: &Error) -> String {
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let (code, text) = name(error);
    let system = number(error.os_error().map(i64::from));
    let status = number(error.http_status().map(i64::from));
    let engine = error.code().name();
    [code, text.as_str(), system.as_str(), status.as_str(), engine].join("\0")
}

fn name(error: &Error) -> (&'static str, String) {
    if let Some(protocol) = error.protocol_error() {
        return of_protocol(protocol);
    }
    if let Some(code) = error.tls_error().and_then(of_tls) {
        return (code, error.text().to_owned());
    }
    let text = match (error.code(), error.http_status()) {
        (ErrorCode::Refused, Some(status)) => format!("Unexpected server response: {status}"),
        (ErrorCode::HandshakeTimeout, _) => "Opening handshake has timed out".to_owned(),
        _ => error.text().to_owned(),
    };
    (error.code().name(), text)
}

/// The codes that OpenSSL's errors have in Node.
fn of_tls(error: TlsError) -> Option<&'static str> {
    Some(match error {
        TlsError::Expired => "CERT_HAS_EXPIRED",
        TlsError::NotYetValid => "CERT_NOT_YET_VALID",
        TlsError::WrongName => "ERR_TLS_CERT_ALTNAME_INVALID",
        TlsError::SelfSigned => "DEPTH_ZERO_SELF_SIGNED_CERT",
        TlsError::UntrustedRoot => "SELF_SIGNED_CERT_IN_CHAIN",
        TlsError::IncompleteChain => "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
        TlsError::UnknownIssuer => "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        TlsError::Revoked => "CERT_REVOKED",
        TlsError::BadCertificate => "CERT_REJECTED",
        TlsError::NotTls => "ERR_SSL_WRONG_VERSION_NUMBER",
        TlsError::Alert(alert) => of_alert(alert)?,
        _ => return None,
    })
}

/// By the numbers of RFC 8446 §6.
fn of_alert(alert: u8) -> Option<&'static str> {
    Some(match alert {
        40 => "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
        42 => "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE",
        43 => "ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        44 => "ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED",
        45 => "ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED",
        46 => "ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        48 => "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
        49 => "ERR_SSL_TLSV1_ALERT_ACCESS_DENIED",
        50 => "ERR_SSL_TLSV1_ALERT_DECODE_ERROR",
        51 => "ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR",
        70 => "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
        80 => "ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR",
        112 => "ERR_SSL_TLSV1_UNRECOGNIZED_NAME",
        116 => "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
        120 => "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
        _ => return None,
    })
}

/// What JavaScript's numbers can hold.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

fn length_over_the_top() -> (&'static str, String) {
    let text = "Unsupported WebSocket frame: payload length > 2^53 - 1";
    ("WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH", text.to_owned())
}

/// The codes of ws's receiver, and its texts.
fn of_protocol(error: ProtocolError) -> (&'static str, String) {
    use ProtocolError::*;
    let frame = |what: String| format!("Invalid WebSocket frame: {what}");
    let opcode = |opcode: u8| ("WS_ERR_INVALID_OPCODE", frame(format!("invalid opcode {opcode}")));
    let length = |length: u64| {
        (
            "WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH",
            frame(format!("invalid payload length {length}")),
        )
    };
    match error {
        ReservedBits(bits) if bits & 0b011 != 0 => (
            "WS_ERR_UNEXPECTED_RSV_2_3",
            frame("RSV2 and RSV3 must be clear".into()),
        ),
        ReservedBits(_) | MisplacedCompression(_) => {
            ("WS_ERR_UNEXPECTED_RSV_1", frame("RSV1 must be clear".into()))
        }
        ReservedOpcode(number) | ExpectedContinuation(number) => opcode(number),
        UnexpectedContinuation => opcode(0),
        Unmasked => ("WS_ERR_EXPECTED_MASK", frame("MASK must be set".into())),
        Masked => ("WS_ERR_UNEXPECTED_MASK", frame("MASK must be clear".into())),
        FragmentedControl(_) => ("WS_ERR_EXPECTED_FIN", frame("FIN must be set".into())),
        ControlTooLong(bytes) => length(bytes),
        TruncatedCloseCode => length(1),
        InvalidLength(_) => length_over_the_top(),
        InvalidCloseCode(code) => (
            "WS_ERR_INVALID_CLOSE_CODE",
            frame(format!("invalid status code {code}")),
        ),
        InvalidCloseReason(_) | InvalidText(_) => {
            ("WS_ERR_INVALID_UTF8", frame("invalid UTF-8 sequence".into()))
        }
        MessageTooBig { size, .. } if size > MAX_SAFE_INTEGER => length_over_the_top(),
        MessageTooBig { .. } => (
            "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH",
            "Max payload size exceeded".into(),
        ),
        TooManyFragments { .. } | FragmentLimit { .. } => (
            "WS_ERR_TOO_MANY_BUFFERED_PARTS",
            "Too many message fragments".into(),
        ),
        // As zlib's own errors in Node.
        InvalidCompression => ("Z_DATA_ERROR", error.to_string()),
        TruncatedCompression => ("Z_BUF_ERROR", error.to_string()),
        _ => (ErrorCode::Protocol.name(), error.to_string()),
    }
}
