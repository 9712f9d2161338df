//! Requests for a session that is on polling, on its home's thread.

use std::sync::Arc;

use http::Method;

use super::Parked;
use super::answers::{POSTED, Waiting, jsonp_of, respond};
use super::session::Session;
use crate::engineio::server::Received;
use crate::engineio::{
    Packet, ParseError, PayloadType, Payloads, Version, decode_binary_payload, decode_payload, jsonp,
};
use crate::event_loop::look_at;
use crate::route::HttpRequest;

impl Session {
    /// Passes a request to the session's home, with its content; there it is served at once.
    pub(super) fn request_came(self: Arc<Self>, request: HttpRequest) {
        let home = self.home();
        if home.is_here() {
            return self.serve(request);
        }
        // The home may have changed when it gets there.
        home.run(Box::new(move || {
            look_at(request.exchange.id(), || self.request_came(request));
        }));
    }

    fn serve(&self, request: HttpRequest) {
        match request.head.method {
            Method::GET => self.get(request),
            Method::POST => self.post(request),
            _ => respond(request.exchange, 500, self.engine.cors_headers(&request.head), ""),
        }
    }

    fn get(&self, request: HttpRequest) {
        let headers = self
            .engine
            .polling_headers(&request.head, PayloadType::Text.content_type(), None);
        self.park(Waiting::new(request.exchange, &request.head, headers));
    }

    /// A GET waits from now on, if only until this returns.
    pub(super) fn park(&self, waiting: Waiting) {
        let mut effects = Vec::new();
        let mut refused = Some(waiting);
        let mut state = self.state.lock();
        let now = state.home.now();
        let is_welcome = state.machine.poll(now, &mut effects);
        let waits = state.machine.is_parked();
        if is_welcome
            && let Some(mut waiting) = refused.take()
            && let Some(polling) = state.polling_mut()
        {
            if waits {
                // Under the lock, before anybody could answer it.
                waiting.is_listed = true;
                self.engine.parked.insert(Parked {
                    exchange: waiting.id(),
                    session: self.me.clone(),
                });
            }
            polling.waiting = Some(waiting);
        }
        self.arm(&mut state);
        let after = self.apply(&mut state, effects);
        drop(state);
        self.finish(after, true);
        if let Some(refused) = refused {
            refused.refuse();
        }
    }

    /// The client has gone while its GET waited.
    pub(super) fn cut(&self, exchange: u64) {
        let mut effects = Vec::new();
        let mut state = self.state.lock();
        let waiting = match state.polling_mut() {
            Some(polling) => polling.waiting.take_if(|waiting| waiting.id() == exchange),
            None => None,
        };
        if waiting.is_some() {
            state.machine.poll_cut(&mut effects);
        }
        let here = state.home.is_here();
        let after = self.apply(&mut state, effects);
        drop(state);
        self.finish(after, here);
        if let Some(waiting) = waiting {
            waiting.refuse(); // nobody gets it, but it is owed
        }
    }

    fn post(&self, request: HttpRequest) {
        let version = self.state.lock().machine.version();
        let is_binary = request.head.header("content-type") == Some("application/octet-stream");
        if is_binary && version == Version::V4 {
            self.refuse_post(request);
            return;
        }
        let is_good = if is_binary {
            self.take_packets(decode_binary_payload(&request.body))
        } else if let Ok(text) = simdutf8::basic::from_utf8(&request.body) {
            match jsonp_of(&request.head) {
                None => self.take_packets(decode_payload(version, text)),
                // As the official server takes a form without the field.
                Some(_) => jsonp::payload(text)
                    .is_none_or(|payload| self.take_packets(decode_payload(version, &payload))),
            }
        } else {
            self.take_packet(Err(ParseError));
            false
        };
        if is_good {
            let headers = self.engine.polling_headers(&request.head, POSTED, None);
            return respond(request.exchange, 200, headers, "ok");
        }
        // The official server cuts the connection here; its tests, and those of other servers, take either.
        let headers = self.engine.cors_headers(&request.head);
        respond(request.exchange, 400, headers, "");
    }

    /// Says whether all of them are packets, as far as they were looked at.
    pub(super) fn take_packets(&self, packets: Payloads<'_>) -> bool {
        for packet in packets {
            let packet = packet.as_ref().map_err(|error| *error);
            if !self.take_packet(packet) {
                return packet.is_ok();
            }
        }
        true
    }

    fn refuse_post(&self, request: HttpRequest) {
        let mut effects = Vec::new();
        let mut state = self.state.lock();
        state.machine.bad_post("invalid content", &mut effects);
        let after = self.apply(&mut state, effects);
        drop(state);
        self.finish(after, true);
        respond(request.exchange, 400, self.engine.cors_headers(&request.head), "");
    }

    /// A packet of a POST, or what isn't one. Says whether the session goes on.
    pub(super) fn take_packet(&self, packet: Result<&Packet<'_>, ParseError>) -> bool {
        let mut effects = Vec::new();
        let mut state = self.state.lock();
        if state.polling().is_none() {
            return false; // it has moved since the request was sent on its way
        }
        let now = state.home.now();
        let kind = packet.map(|packet| packet.kind);
        let received = state
            .machine
            .receive(kind, now, &self.engine.config, &mut effects);
        let hearer = state.hearer.clone();
        if let (Received::Message, Ok(packet)) = (received, packet) {
            drop(state);
            if let Some(hearer) = hearer {
                self.tell_received(&*hearer, packet);
                hearer.on_message(packet.data());
            }
            return true;
        }
        self.arm(&mut state);
        let goes_on = !state.machine.is_closed();
        let after = self.apply(&mut state, effects);
        drop(state);
        if let (Ok(packet), Some(hearer)) = (packet, &hearer) {
            self.tell_received(&**hearer, packet);
        }
        self.finish(after, true);
        goes_on
    }
}
