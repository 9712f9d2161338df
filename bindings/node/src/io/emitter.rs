//! A process without a server says something to a cluster.

use std::rc::Rc;

use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;
use sockline::adapter::redis::{Emitter, EmitterOperator};

use super::cluster::views;
use super::redis::{IoRedis, Link};
use super::rooms::refs;
use super::sending::{PLAIN, VOLATILE, without_brackets};
use crate::engine::Engine;
use crate::errors::{Result, failure, internal};
use crate::host::HostPointer;
use crate::serving::kind;

#[napi]
pub struct IoEmitter {
    emitter: Emitter,
    link: Rc<Link>,
    key: u32,
    host: HostPointer,
}

/// Which sockets a call is for.
#[napi(object)]
pub struct IoWhom {
    pub namespace: String,
    pub rooms: Vec<String>,
    pub except: Vec<String>,
    /// As for broadcasts.
    pub flags: u32,
}

#[napi]
impl Engine {
    /// Begins to connect; what happens to the connection is told under the key.
    #[napi]
    pub fn io_emitter(&self, key: u32, options: IoRedis) -> Result<IoEmitter> {
        let redis = options.open(self.host, key)?;
        let link = self.host.get().io.redis.find(key);
        Ok(IoEmitter {
            emitter: redis.emitter(),
            link: link.ok_or_else(|| internal("no connection"))?,
            key,
            host: self.host,
        })
    }
}

#[napi]
impl IoEmitter {
    /// Sends an event; `args` is a JSON array.
    #[napi]
    pub fn emit(&self, whom: IoWhom, name: String, args: String, attachments: Vec<Uint8Array>) -> Result<()> {
        self.whom(&whom)
            .emit(&name, without_brackets(&args), &views(&attachments))
            .map_err(failure)?;
        self.published();
        Ok(())
    }

    #[napi]
    pub fn sockets_join(&self, whom: IoWhom, rooms: Vec<String>) {
        self.whom(&whom).sockets_join(&refs(&rooms));
        self.published();
    }

    #[napi]
    pub fn sockets_leave(&self, whom: IoWhom, rooms: Vec<String>) {
        self.whom(&whom).sockets_leave(&refs(&rooms));
        self.published();
    }

    #[napi]
    pub fn disconnect_sockets(&self, whom: IoWhom, close: bool) {
        self.whom(&whom).disconnect_sockets(close);
        self.published();
    }

    /// Has all servers hear an event; `args` is a JSON array.
    #[napi]
    pub fn server_side_emit(
        &self,
        namespace: String,
        name: String,
        args: String,
        attachments: Vec<Uint8Array>,
    ) -> Result<()> {
        self.emitter
            .of(&namespace)
            .server_side_emit(&name, without_brackets(&args), &views(&attachments))
            .map_err(failure)?;
        self.published();
        Ok(())
    }

    /// Sends a message to the subscribers of a topic.
    #[napi]
    pub fn publish(&self, topic: String, binary: bool, data: &[u8]) -> Result<()> {
        self.emitter
            .publish(&topic, kind(binary), data)
            .map_err(failure)?;
        self.published();
        Ok(())
    }

    /// Ends the connection when all has left; a record says when.
    #[napi]
    pub fn close(&self) {
        let host = self.host.get();
        host.io.redis.close(host, self.key, true);
    }
}

impl IoEmitter {
    fn whom(&self, whom: &IoWhom) -> EmitterOperator {
        self.emitter
            .of(&whom.namespace)
            .all()
            .to_all(&refs(&whom.rooms))
            .except_all(&refs(&whom.except))
            .volatile(whom.flags & VOLATILE != 0)
            .compress(whom.flags & PLAIN == 0)
    }

    fn published(&self) {
        self.link.keep_until_left(self.host.get());
    }
}
