//! The default encoding: `<type>[<attachments>-][<namespace>,][<id>][JSON]`, and attachments as messages of their own.

use std::borrow::Cow;

use super::{Content, Outgoing, Packet, PacketType, ParseError};

/// A packet as its text gives it, and how many attachments are to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) packet: Packet<'a>,
    pub(super) attachments: usize,
}

/// Reads the text of a packet.
#[inline]
pub(super) fn decode<'a>(text: &'a str, max_attachments: usize) -> Result<Head<'a>, ParseError> {
    let bytes = text.as_bytes();
    let (packet_type, binary) = match bytes.first() {
        Some(b'0') => (PacketType::Connect, false),
        Some(b'1') => (PacketType::Disconnect, false),
        Some(b'2') => (PacketType::Event, false),
        Some(b'3') => (PacketType::Ack, false),
        Some(b'4') => (PacketType::ConnectError, false),
        Some(b'5') => (PacketType::Event, true),
        Some(b'6') => (PacketType::Ack, true),
        _ => return Err(ParseError::UnknownType),
    };
    let mut rest = text.get(1..).unwrap_or_default();
    let mut attachments = 0;
    if binary {
        (attachments, rest) = attachment_count(rest, max_attachments)?;
    }
    let namespace = namespace(&mut rest);
    let id = ack_id(&mut rest)?;
    let payload = (!rest.is_empty()).then_some(Cow::Borrowed(rest));
    Ok(Head {
        packet: Packet {
            namespace,
            id,
            content: Content::parse(packet_type, payload)?,
            attachments: Vec::new(),
        },
        attachments,
    })
}

fn attachment_count(text: &str, max_attachments: usize) -> Result<(usize, &str), ParseError> {
    let (digits, rest) = text.split_once('-').ok_or(ParseError::Attachments)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseError::Attachments);
    }
    // What doesn't fit is too many in any case.
    match digits.parse::<usize>().unwrap_or(usize::MAX) {
        0 => Err(ParseError::Attachments),
        count if count > max_attachments => Err(ParseError::TooManyAttachments),
        count => Ok((count, rest)),
    }
}

/// It ends at a comma, or with the text: `1/admin` is fine without one.
#[inline]
fn namespace<'a>(rest: &mut &'a str) -> Cow<'a, str> {
    if !rest.starts_with('/') {
        return Cow::Borrowed("/");
    }
    let (namespace, behind) = rest.split_once(',').unwrap_or((rest, ""));
    *rest = behind;
    Cow::Borrowed(namespace)
}

#[inline]
fn ack_id(rest: &mut &str) -> Result<Option<u64>, ParseError> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Ok(None);
    }
    let (id, behind) = rest.split_at(digits);
    *rest = behind;
    id.parse().map(Some).map_err(|_| ParseError::AckId)
}

/// Appends the text of a packet. Its attachments are to follow it, each as a binary message, with nothing in between.
pub fn encode(packet: &Outgoing<'_>, out: &mut String) {
    let payload = packet.payload.unwrap_or_default();
    out.reserve(payload.len() + packet.namespace.len() + 28);
    let binary = match packet.packet_type {
        PacketType::Event => Some('5'),
        PacketType::Ack => Some('6'),
        _ => None,
    };
    match binary {
        Some(number) if !packet.attachments.is_empty() => {
            out.push(number);
            push_number(packet.attachments.len() as u64, out);
            out.push('-');
        }
        _ => out.push(char::from(b'0' + packet.packet_type as u8)),
    }
    if packet.namespace != "/" {
        out.push_str(packet.namespace);
        out.push(',');
    }
    if let Some(id) = packet.id {
        push_number(id, out);
    }
    out.push_str(payload);
}

fn push_number(number: u64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(number));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(PacketType, String, Option<u64>, usize), ParseError> {
        let head = decode(text, 10)?;
        let packet = head.packet;
        Ok((
            packet.packet_type(),
            packet.namespace.to_string(),
            packet.id,
            head.attachments,
        ))
    }

    #[test]
    fn the_examples_of_the_protocol_are_read() {
        let is = |text, packet_type, namespace: &str, id, attachments| {
            assert_eq!(
                read(text),
                Ok((packet_type, namespace.to_owned(), id, attachments)),
                "{text}"
            );
        };
        is("0", PacketType::Connect, "/", None, 0);
        is(r#"0{"token":"123"}"#, PacketType::Connect, "/", None, 0);
        is(
            r#"0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}"#,
            PacketType::Connect,
            "/admin",
            None,
            0,
        );
        is("0/custom", PacketType::Connect, "/custom", None, 0);
        is("1/custom", PacketType::Disconnect, "/custom", None, 0);
        is("1/admin,", PacketType::Disconnect, "/admin", None, 0);
        is("0/admin?token=1,", PacketType::Connect, "/admin?token=1", None, 0);
        is(
            r#"4{"message":"Not authorized"}"#,
            PacketType::ConnectError,
            "/",
            None,
            0,
        );
        is(r#"4"Not authorized""#, PacketType::ConnectError, "/", None, 0);
        is(r#"2["foo"]"#, PacketType::Event, "/", None, 0);
        is(r#"2/admin,["bar"]"#, PacketType::Event, "/admin", None, 0);
        is(r#"212["foo"]"#, PacketType::Event, "/", Some(12), 0);
        is(r#"2/admin,0["foo"]"#, PacketType::Event, "/admin", Some(0), 0);
        is("3/admin,13[]", PacketType::Ack, "/admin", Some(13), 0);
        let event = r#"51-["baz",{"_placeholder":true,"num":0}]"#;
        is(event, PacketType::Event, "/", None, 1);
        let ack = r#"61-/admin,456[{"_placeholder":true,"num":0}]"#;
        is(ack, PacketType::Ack, "/admin", Some(456), 1);
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        use ParseError::{AckId, Attachments, Json, Payload, TooManyAttachments, UnknownType};
        for (text, error) in [
            ("", UnknownType),
            ("7", UnknownType),
            ("a", UnknownType),
            ("é", UnknownType),
            (" 2[\"a\"]", UnknownType),
            ("2", Payload),
            ("3", Payload),
            ("4", Payload),
            ("3{}", Payload),
            ("4[]", Payload),
            ("41", Payload),
            ("0[]", Payload),
            ("0\"a\"", Payload),
            ("1{}", Payload),
            ("1/admin,{}", Payload),
            ("2/admin", Payload),
            ("2[]", Payload),
            ("2{}", Payload),
            ("2[\"a\"", Json),
            ("2[\"a\"]x", Json),
            ("0{", Json),
            ("3[}", Json),
            ("5[\"a\"]", Attachments),
            ("5-[\"a\"]", Attachments),
            ("50-[\"a\"]", Attachments),
            ("5x-[\"a\"]", Attachments),
            ("5+1-[\"a\"]", Attachments),
            ("51.0-[\"a\"]", Attachments),
            ("5", Attachments),
            ("61[\"a\"]", Attachments),
            ("511-[\"a\"]", TooManyAttachments),
            ("699999999999999999999999-[]", TooManyAttachments),
            ("218446744073709551616[\"a\"]", AckId),
            ("2-1[\"a\"]", Json),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
        assert_eq!(decode("511-[\"a\"]", 11).map(|head| head.attachments), Ok(11));
        assert_eq!(
            read("218446744073709551615[\"a\"]").map(|read| read.2),
            Ok(Some(u64::MAX))
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let written = |packet: Outgoing<'_>| {
            let mut out = String::new();
            encode(&packet, &mut out);
            out
        };
        assert_eq!(written(Outgoing::connect("/", None)), "0");
        assert_eq!(written(Outgoing::connect("/a", Some("{}"))), "0/a,{}");
        assert_eq!(written(Outgoing::disconnect("/a")), "1/a,");
        assert_eq!(written(Outgoing::disconnect("/")), "1");
        assert_eq!(written(Outgoing::event("/", "[\"a\"]")), "2[\"a\"]");
        assert_eq!(
            written(Outgoing::event("/a", "[\"a\"]").with_id(Some(120))),
            "2/a,120[\"a\"]"
        );
        assert_eq!(written(Outgoing::ack("/", 7, "[]")), "37[]");
        assert_eq!(written(Outgoing::connect_error("/", "\"no\"")), "4\"no\"");
        let attachments: &[&[u8]] = &[b"a", b"b"];
        assert_eq!(
            written(Outgoing::event("/a", "[\"a\"]").with_attachments(attachments)),
            "52-/a,[\"a\"]"
        );
        assert_eq!(
            written(Outgoing::ack("/", 1, "[]").with_attachments(attachments)),
            "62-1[]"
        );
    }
}
