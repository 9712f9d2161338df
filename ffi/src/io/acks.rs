//! Answers to events.

use sockline::io::Ack;

use super::attachments;
use super::types::sockline_io_ack;
use crate::abi::string;
use crate::guard::guard;
use crate::status::sockline_status;
use crate::types::{sockline_bytes, sockline_string};
use crate::websocket::sent_status;

/// Answers an event: args are JSON values with commas between them, or empty; where a value is to be binary, it is
/// {"_placeholder":true,"num":0} with the number of its attachment. All is copied. An answer can be sent once.
///
/// Returns SOCKLINE_OK, SOCKLINE_OVER_MARK or SOCKLINE_DROPPED as sockline_send does.
/// Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_INVALID_ARGUMENT for what is not JSON,
/// SOCKLINE_ERR_OUTBOX_FULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_ack_send(
    ack: sockline_io_ack,
    args: sockline_string,
    attachments: *const sockline_bytes,
    attachment_count: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text and attachments.
        let (args, binary) = unsafe { (string(args)?, attachments::read(attachments, attachment_count)?) };
        Ack::from_raw(ack)?.send(args, &binary).map(sent_status)
    })
}
