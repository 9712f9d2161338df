//! The default parser's decoder: texts are packets, or the beginning of one whose attachments follow.

use bytes::Bytes;

use super::placeholders::check_placeholders;
use super::{Content, Limits, Packet, ParseError, text};

/// A decoder of the default encoding. Between packets it owns nothing.
#[derive(Debug, Default)]
pub struct JsonDecoder(Option<Box<Partial>>);

/// A packet that waits for attachments.
#[derive(Debug)]
struct Partial {
    packet: Packet<'static>,
    missing: usize,
    /// Of the text and the attachments.
    bytes: usize,
}

impl JsonDecoder {
    /// Takes a text message; the packet, or `None` if attachments have to follow.
    ///
    /// # Errors
    ///
    /// The text is no packet, or an attachment was due. After an error the decoder is as new.
    #[inline]
    pub fn text<'a>(&mut self, text: &'a str, limits: &Limits) -> Result<Option<Packet<'a>>, ParseError> {
        if self.0.take().is_some() {
            return Err(ParseError::TextWhileReconstructing);
        }
        if text.len() > limits.max_bytes {
            return Err(ParseError::TooLarge);
        }
        let head = text::decode(text, limits.max_attachments)?;
        if head.attachments == 0 {
            return Ok(Some(head.packet));
        }
        self.begin(head, text.len())?;
        Ok(None)
    }

    /// Takes a binary message, which has to be an attachment; the packet, if that was the last one.
    ///
    /// # Errors
    ///
    /// No attachment was due, or the packet has become too large. After an error the decoder is as new.
    pub fn binary(&mut self, data: &[u8], limits: &Limits) -> Result<Option<Packet<'static>>, ParseError> {
        let mut partial = self.0.take().ok_or(ParseError::UnexpectedBinary)?;
        partial.bytes = partial.bytes.saturating_add(data.len());
        if partial.bytes > limits.max_bytes {
            return Err(ParseError::TooLarge);
        }
        partial.packet.attachments.push(Bytes::copy_from_slice(data));
        partial.missing -= 1;
        if partial.missing == 0 {
            return Ok(Some(partial.packet));
        }
        self.0 = Some(partial);
        Ok(None)
    }

    /// Whether attachments are due.
    pub fn is_reconstructing(&self) -> bool {
        self.0.is_some()
    }

    fn begin(&mut self, head: text::Head<'_>, bytes: usize) -> Result<(), ParseError> {
        match &head.packet.content {
            Content::Event(event) => check_placeholders(event.array(), head.attachments)?,
            Content::Ack(array) => check_placeholders(array, head.attachments)?,
            _ => {}
        }
        self.0 = Some(Box::new(Partial {
            packet: head.packet.into_owned(),
            missing: head.attachments,
            bytes,
        }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        max_attachments: 2,
        max_bytes: 100,
    };

    #[test]
    fn attachments_are_collected() {
        let mut decoder = JsonDecoder::default();
        let text = r#"52-["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#;
        assert_eq!(decoder.text(text, &LIMITS), Ok(None));
        assert!(decoder.is_reconstructing());
        assert_eq!(decoder.binary(b"one", &LIMITS), Ok(None));
        let packet = decoder.binary(b"two", &LIMITS).unwrap().unwrap();
        assert_eq!(packet.attachments, [&b"one"[..], b"two"]);
        let Content::Event(event) = packet.content else {
            panic!("no event")
        };
        assert_eq!(event.array(), &text[3..]);
        assert_eq!(event.args(), &text[8..text.len() - 1]);
        assert!(!decoder.is_reconstructing());
        assert!(matches!(decoder.text("2[\"a\"]", &LIMITS), Ok(Some(_))));
    }

    #[test]
    fn what_comes_out_of_turn_is_an_error() {
        let mut decoder = JsonDecoder::default();
        assert_eq!(decoder.binary(b"one", &LIMITS), Err(ParseError::UnexpectedBinary));
        assert_eq!(decoder.text("51-[\"a\"]", &LIMITS), Ok(None));
        assert_eq!(
            decoder.text("2[\"a\"]", &LIMITS),
            Err(ParseError::TextWhileReconstructing)
        );
        assert_eq!(decoder.binary(b"one", &LIMITS), Err(ParseError::UnexpectedBinary));
        let placeholder = r#"61-[{"_placeholder":true,"num":1}]"#;
        assert_eq!(decoder.text(placeholder, &LIMITS), Err(ParseError::Placeholder));
        assert_eq!(
            decoder.text("53-[\"a\"]", &LIMITS),
            Err(ParseError::TooManyAttachments)
        );
    }

    #[test]
    fn a_packet_is_bounded_with_its_attachments() {
        let mut decoder = JsonDecoder::default();
        let text = format!("2[\"{}\"]", "a".repeat(100));
        assert_eq!(decoder.text(&text, &LIMITS), Err(ParseError::TooLarge));
        assert_eq!(decoder.text("52-[\"a\"]", &LIMITS), Ok(None));
        assert_eq!(decoder.binary(&[0; 90], &LIMITS), Ok(None));
        assert_eq!(decoder.binary(&[0; 3], &LIMITS), Err(ParseError::TooLarge));
        assert!(!decoder.is_reconstructing());
        assert_eq!(decoder.text("51-[\"a\"]", &LIMITS), Ok(None));
        assert!(matches!(decoder.binary(&[0; 92], &LIMITS), Ok(Some(_))));
    }
}
