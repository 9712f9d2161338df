//! The layout that programs are compiled against. A number may change only by a field that is appended.
//!
//! `tests/c/header.c` asserts the same numbers from C's side.

use std::mem::offset_of;

use crate::client::sockline_options;
use crate::event_loop::sockline_loop_options;
use crate::handlers::{sockline_close_event, sockline_error_event, sockline_handlers};
use crate::queue::sockline_queued_event;
use crate::server::sockline_server_options;
use crate::settings::sockline_settings;
use crate::types::{sockline_header, sockline_string};
use crate::upgrade::{sockline_accept_options, sockline_refusal, sockline_request};

/// Asserts a struct's size in words of 8 bytes, and where fields of it are.
macro_rules! layout {
    ($name:ty: $words:literal words $(, $field:ident at $offset:literal)*) => {
        const _: () = assert!(size_of::<$name>() == 8 * $words);
        $(const _: () = assert!(offset_of!($name, $field) == $offset);)*
    };
}

layout!(sockline_string: 2 words, data at 0, len at 8);
layout!(sockline_header: 4 words, name at 0, value at 16);
layout!(sockline_settings: 7 words, size at 0, hard_limit at 48);
layout!(sockline_loop_options: 4 words, size at 0, flush_hook_data at 24);
layout!(sockline_options: 8 words, size at 0, settings at 48, queue at 56);
layout!(sockline_server_options: 15 words, size at 0, port at 24, threads at 28, settings at 104, queue at 112);
layout!(sockline_request: 12 words, size at 0, headers at 80);
layout!(sockline_error_event: 4 words, size at 0, text at 16);
layout!(sockline_close_event: 4 words, size at 0, reason at 16);
layout!(sockline_queued_event: 12 words, size at 0, kind at 24, status at 48, text at 64, reason at 80);
layout!(sockline_handlers: 10 words, size at 0, on_close at 56, on_server_closed at 72);
layout!(sockline_accept_options: 7 words, size at 0, user_data at 48);
layout!(sockline_refusal: 6 words, size at 0, body_len at 40);
