//! What JavaScript says about managers, as `lib/io/client/manager-options.js` makes it: sizes in bytes, times in
//! milliseconds, 0 for none.

use std::time::Duration;

use napi_derive::napi;
use sockline::io::{ManagerOptions, Reconnection};

use super::options::{parser, transport};
use crate::errors::Result;
use crate::host::HostPointer;
use crate::options::{ConnectOptions, millis, pairs};

#[napi(object)]
pub struct IoManagerOptions {
    /// How its connections are made.
    pub client: ConnectOptions,
    pub path: String,
    pub add_trailing_slash: bool,
    /// 0 for polling, 1 for WebSocket.
    pub transports: Vec<u32>,
    pub upgrade: bool,
    pub remember_upgrade: bool,
    pub try_all_transports: bool,
    /// Names and values in turn.
    pub query: Vec<String>,
    pub timestamp_requests: Option<bool>,
    pub timestamp_param: String,
    pub force_base64: bool,
    pub keep_cookies: bool,
    pub request_timeout: f64,
    pub reconnection: bool,
    /// Without end if it isn't there.
    pub reconnection_attempts: Option<u32>,
    pub reconnection_delay: f64,
    pub reconnection_delay_max: f64,
    pub randomization_factor: f64,
    /// Negative for none.
    pub timeout: f64,
    /// 0 for JSON, 1 for msgpack, 2 for one of JavaScript's.
    pub parser: u32,
    /// What JavaScript knows its parser by.
    pub parser_key: u32,
    pub max_attachments: u32,
    pub send_buffer: f64,
}

impl IoManagerOptions {
    /// The URL, and the rest as the core takes it.
    pub(super) fn split(self, host: HostPointer) -> Result<(String, ManagerOptions)> {
        let (url, client) = self.client.split(host)?;
        let options = ManagerOptions {
            client,
            path: self.path,
            add_trailing_slash: self.add_trailing_slash,
            transports: self.transports.into_iter().map(transport).collect(),
            upgrade: self.upgrade,
            remember_upgrade: self.remember_upgrade,
            try_all_transports: self.try_all_transports,
            query: pairs(self.query),
            timestamp_requests: self.timestamp_requests,
            timestamp_param: self.timestamp_param,
            force_base64: self.force_base64,
            keep_cookies: self.keep_cookies,
            request_timeout: some(self.request_timeout),
            reconnection: Reconnection {
                enabled: self.reconnection,
                attempts: self.reconnection_attempts,
                delay: millis(self.reconnection_delay),
                delay_max: millis(self.reconnection_delay_max),
                randomization_factor: self.randomization_factor,
            },
            timeout: (self.timeout >= 0.0).then(|| millis(self.timeout)),
            auto_connect: false,
            parser: parser(self.parser, self.parser_key, host),
            max_attachments: self.max_attachments as usize,
            send_buffer: self.send_buffer as usize,
        };
        Ok((url, options))
    }
}

fn some(time: f64) -> Option<Duration> {
    (time > 0.0).then(|| millis(time))
}
