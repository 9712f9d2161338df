//! Servers and namespaces: made, asked, closed.

use std::sync::Arc;

use napi::bindgen_prelude::{Buffer, FnArgs, Function, JsValue};
use napi_derive::napi;
use sockline::HttpAnswer;
use sockline::io::{ConnectQuestion, Data, Namespace, NamespaceQuestion, RequestQuestion, Server};

use super::heard::{Heard, Wants};
use super::options::{IoAdmin, IoOptions};
use crate::engine::Engine;
use crate::errors::{Result, failure, invalid, unsupported};
use crate::options::pairs;
use crate::sending::status;

#[napi]
impl Engine {
    /// Makes a server, which listens nowhere yet, and returns its handle.
    #[napi]
    pub fn io_server(&self, key: u32, options: IoOptions) -> Result<f64> {
        let host = self.host.get();
        let (on_loop, _) = host.start().map_err(|text| unsupported(&text))?;
        let wants = Arc::<Wants>::default();
        let heard = Heard {
            host: self.host,
            key,
            wants: wants.clone(),
        };
        let options = options.into_core(self.host, key)?;
        let made = Server::new(Some(on_loop), options, Arc::new(heard));
        if made.is_err() {
            host.io.redis.close(host, key, false);
        }
        let server = made.map_err(failure)?;
        let raw = server.raw();
        host.io.servers.borrow_mut().insert(raw, (server, wants));
        Ok(raw as f64)
    }

    /// Forgets a server that has closed. Its connection to Redis ends when all has left.
    #[napi]
    pub fn io_forget(&self, server: f64, key: u32) {
        let host = self.host.get();
        let gone = host.io.servers.borrow_mut().remove(&(server as u64));
        drop(gone); // with nothing borrowed
        host.io.redis.close(host, key, false);
    }

    /// What JavaScript wants to hear of a server, as bits of `Wants`.
    #[napi]
    pub fn io_want(&self, server: f64, bits: u32) {
        if let Some((server, wants)) = self.host.get().io.servers.borrow().get(&(server as u64)) {
            wants.set(bits);
            server.set_room_events(wants.has(Wants::ROOMS));
            server.set_packet_events(wants.has(Wants::PACKETS));
        }
    }

    /// The namespace of this name, made if it isn't there, under the key that JavaScript knows it by.
    #[napi]
    pub fn io_of(&self, server: f64, name: String, key: u32) -> Result<f64> {
        let namespace = io_server(server)?.of(&name);
        namespace.set_user_data(key as usize);
        Ok(namespace.raw() as f64)
    }

    /// A namespace of this name is to be made for a client of the server with the key `server`: it will have the key `key`,
    /// and a record brings its handle.
    #[napi]
    pub fn io_expect_namespace(&self, server: u32, name: String, key: u32) {
        self.host.get().io.expect(server, &name, key);
    }

    /// JavaScript gives a namespace up: it hears nothing of it any more.
    #[napi]
    pub fn io_give_up(&self, handle: f64) {
        if let Some(namespace) = namespace(handle) {
            namespace.set_user_data(0);
        }
    }

    /// Whether the namespace is still there.
    #[napi]
    pub fn io_has_namespace(&self, handle: f64) -> bool {
        namespace(handle).is_some()
    }

    #[napi]
    pub fn io_set_dynamic_namespaces(&self, server: f64, dynamic: bool) -> Result<()> {
        io_server(server)?.set_dynamic_namespaces(dynamic);
        Ok(())
    }

    #[napi]
    pub fn io_ask_connecting(&self, server: f64, ask: bool) -> Result<()> {
        io_server(server)?.set_ask_connecting(ask);
        Ok(())
    }

    /// Adds a namespace for `@socket.io/admin-ui`, of which JavaScript hears nothing.
    #[napi]
    pub fn io_enable_admin(&self, server: f64, options: IoAdmin) -> Result<()> {
        io_server(server)?
            .enable_admin(options.into_core())
            .map_err(failure)
    }

    /// Disconnects all; a record says when it is done.
    #[napi]
    pub fn io_close(&self, server: f64) -> Result<()> {
        io_server(server)?.close();
        Ok(())
    }

    /// Closes a session; nothing happens if it has gone.
    #[napi]
    pub fn io_close_session(&self, server: f64, id: String, discard: bool) {
        if let Ok(server) = io_server(server) {
            server.close_session(&id, discard);
        }
        self.host.get().deliver_soon();
    }

    /// Whether there is a session with this id.
    #[napi]
    pub fn io_has_session(&self, server: f64, id: String) -> bool {
        io_server(server).is_ok_and(|server| server.has_session(&id))
    }

    #[napi]
    pub fn io_clients_count(&self, server: f64) -> f64 {
        io_server(server).map_or(0, |server| server.engine_clients()) as f64
    }

    /// Begins a session, with this id if there is one. Who asked may have gone meanwhile.
    #[napi]
    pub fn io_allow_request(&self, question: f64, id: Option<String>) {
        if let Ok(question) = RequestQuestion::from_raw(question as u64) {
            match id {
                Some(id) => question.allow_as(&id),
                None => question.allow(),
            }
        }
        self.host.get().deliver_soon();
    }

    /// Refuses a session.
    #[napi]
    pub fn io_deny_request(&self, question: f64, message: Option<String>) {
        if let Ok(question) = RequestQuestion::from_raw(question as u64) {
            question.deny(message.as_deref());
        }
        self.host.get().deliver_soon();
    }

    /// Refuses what middlewares have failed at.
    #[napi]
    pub fn io_fail_request(&self, question: f64) {
        if let Ok(question) = RequestQuestion::from_raw(question as u64) {
            question.deny_bad_request("MIDDLEWARE_FAILURE");
        }
        self.host.get().deliver_soon();
    }

    /// Answers in place of the engine; `headers` are names and values in turn.
    #[napi]
    pub fn io_answer_request(&self, question: f64, status: u16, headers: Vec<String>, body: Buffer) {
        if let Ok(question) = RequestQuestion::from_raw(question as u64) {
            question.respond(HttpAnswer {
                status,
                headers: pairs(headers),
                body: body.into(),
            });
        }
        self.host.get().deliver_soon();
    }

    /// Sends a message of Engine.IO, text or binary; returns a status as `send` of WebSockets.
    #[napi]
    pub fn io_send_message(
        &self,
        server: f64,
        id: String,
        is_binary: bool,
        data: Buffer,
        compress: Option<bool>,
    ) -> Result<i32> {
        let sent = io_server(server)?.send_to_session(&id, message(is_binary, &data)?, compress);
        self.host.get().deliver_soon();
        Ok(status(sent))
    }

    /// Answers whether a namespace is there.
    #[napi]
    pub fn io_answer_namespace(&self, question: f64, allowed: bool) {
        if let Ok(question) = NamespaceQuestion::from_raw(question as u64) {
            match allowed {
                true => question.allow(),
                false => question.deny(),
            }
        }
        self.host.get().deliver_soon();
    }

    /// Connects a socket.
    #[napi]
    pub fn io_allow_connecting(&self, question: f64) {
        if let Ok(question) = ConnectQuestion::from_raw(question as u64) {
            question.allow();
        }
        self.host.get().deliver_soon();
    }

    /// Refuses a socket; `data` is JSON.
    #[napi]
    pub fn io_deny_connecting(&self, question: f64, message: String, data: Option<String>) {
        if let Ok(question) = ConnectQuestion::from_raw(question as u64) {
            question.deny(&message, data.as_deref());
        }
        self.host.get().deliver_soon();
    }

    /// `answer(key, kind, text)` is asked what has to be known at once.
    #[napi]
    pub fn io_asker(&self, answer: Function<'_, FnArgs<(u32, u32, String)>, Option<String>>) {
        self.host.get().set_asker(answer.raw());
    }
}

pub(crate) fn io_server(handle: f64) -> Result<Server> {
    Server::from_raw(handle as u64).map_err(failure)
}

/// What JavaScript sends over Engine.IO itself.
pub(super) fn message(is_binary: bool, data: &[u8]) -> Result<Data<'_>> {
    if is_binary {
        return Ok(Data::Binary(data));
    }
    let text = std::str::from_utf8(data).map_err(|error| invalid(&error.to_string()))?;
    Ok(Data::Text(text))
}

/// The namespace, unless it has gone, or the server is not attached to anything yet.
pub(super) fn namespace(handle: f64) -> Option<Namespace> {
    Namespace::from_raw(handle as u64).ok()
}
