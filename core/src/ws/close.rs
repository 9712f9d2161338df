//! Close frames: codes (RFC 6455 §7.4) and payload (§5.5.1).

use super::{Payload, ProtocolError, SendError, utf8};

/// The longest reason: a control frame takes 125 bytes and the code takes 2 of them.
pub(super) const MAX_REASON: usize = 123;

/// Whether a close frame may carry `code`: 1000 to 1003, 1007 to 1014 and 3000 to 4999. Never 1004, 1005, 1006 and
/// 1015, which have no meaning on the wire, nor what nobody has assigned.
pub fn is_sendable_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// The payload of a close frame to send.
#[derive(Debug)]
pub(super) struct ClosePayload {
    bytes: [u8; 2 + MAX_REASON],
    len: usize,
}

impl ClosePayload {
    /// A reason without a code cannot be expressed, so it gets 1000, normal closure.
    pub(super) fn new(code: Option<u16>, reason: &str) -> Result<ClosePayload, SendError> {
        if reason.len() > MAX_REASON {
            return Err(SendError::ControlTooLong(reason.len()));
        }
        let code = match code {
            Some(code) if !is_sendable_close_code(code) => return Err(SendError::InvalidCloseCode(code)),
            None if !reason.is_empty() => Some(1000),
            code => code,
        };
        let mut payload = ClosePayload {
            bytes: [0; 2 + MAX_REASON],
            len: 0,
        };
        payload.push(code.map(u16::to_be_bytes).as_ref().map_or(&[], |code| code));
        payload.push(reason.as_bytes());
        Ok(payload)
    }

    /// The same as a received one.
    pub(super) fn echo(code: Option<u16>, reason: &[u8]) -> ClosePayload {
        let mut echo = ClosePayload {
            bytes: [0; 2 + MAX_REASON],
            len: 0,
        };
        echo.push(code.map(u16::to_be_bytes).as_ref().map_or(&[], |code| code));
        echo.push(reason); // a control frame's, so it fits
        echo
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, part: &[u8]) {
        if let Some(free) = self.bytes.get_mut(self.len..self.len + part.len()) {
            free.copy_from_slice(part);
            self.len += part.len();
        }
    }
}

/// Takes the payload of a received close frame apart: code, if any, and reason.
pub(super) fn parse(payload: Payload<'_>) -> Result<(Option<u16>, Payload<'_>), ProtocolError> {
    let (code, reason) = match *payload {
        [] => return Ok((None, payload)),
        [_] => return Err(ProtocolError::TruncatedCloseCode),
        [high, low, ref reason @ ..] => (u16::from_be_bytes([high, low]), reason),
    };
    if !is_sendable_close_code(code) {
        return Err(ProtocolError::InvalidCloseCode(code));
    }
    utf8::check(reason).map_err(ProtocolError::InvalidCloseReason)?;
    Ok((Some(code), without_code(payload)))
}

fn without_code(payload: Payload<'_>) -> Payload<'_> {
    match payload {
        Payload::Borrowed(bytes) => Payload::Borrowed(bytes.get(2..).unwrap_or_default()),
        Payload::Owned(mut bytes) => {
            bytes.advance(2);
            Payload::Owned(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tungstenite::protocol::frame::coding::CloseCode;

    #[test]
    fn codes_agree_with_tungstenite() {
        for code in 0..=u16::MAX {
            // 1014 (bad gateway) was registered with IANA after the RFC; tungstenite does not know it.
            let theirs = code == 1014 || CloseCode::from(code).is_allowed();
            assert_eq!(is_sendable_close_code(code), theirs, "{code}");
        }
    }

    #[test]
    fn payloads_to_send() {
        let bytes = |code, reason: &str| ClosePayload::new(code, reason).map(|p| p.as_bytes().to_vec());
        assert_eq!(bytes(None, ""), Ok(vec![]));
        assert_eq!(bytes(Some(1001), ""), Ok(vec![0x03, 0xe9]));
        assert_eq!(bytes(None, "x"), Ok(vec![0x03, 0xe8, b'x']));
        assert_eq!(bytes(Some(4999), &"x".repeat(123)).map(|b| b.len()), Ok(125));
        assert_eq!(
            bytes(Some(1000), &"x".repeat(124)),
            Err(SendError::ControlTooLong(124))
        );
        assert_eq!(bytes(Some(1005), ""), Err(SendError::InvalidCloseCode(1005)));
    }
}
