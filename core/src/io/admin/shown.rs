//! Sockets as the front end wants them, whichever server's they are.
//!
//! What the handshake does not tell, a server adds to the data of its sockets where other servers read it, as the official one
//! does: `_admin`, with `clientId` and `transport`.

use std::borrow::Cow;
use std::sync::Arc;

use parking_lot::Mutex;

use super::super::{Namespace, Socket};
use super::quoted;
use crate::adapter::{Answered, BroadcastOptions, Host, SocketDetails};
use crate::error::Result;
use crate::json::{self, Token, Tokens};

const OURS: &str = "_admin";

/// A socket's data as other servers see it.
pub(in super::super) fn marked_data(socket: &Socket) -> String {
    let data = socket.data_json();
    let Some(members) = data.trim_start().strip_prefix('{') else {
        return data; // no object
    };
    let client: String = socket.session_id().chars().take(12).collect();
    let (client, transport) = (quoted(&client), quoted(socket.transport().name()));
    let comma = if members.trim_start() == "}" { "" } else { "," };
    format!("{{\"{OURS}\":{{\"clientId\":{client},\"transport\":{transport}}}{comma}{members}")
}

/// The data without that.
fn plain_data(data: &str) -> Cow<'_, str> {
    if json::member(data, OURS).is_none() {
        return Cow::Borrowed(data);
    }
    let mut tokens = Tokens::new(data);
    let mut rest = String::from("{");
    if tokens.next() != Ok(Some(Token::ObjectStart)) {
        return Cow::Borrowed(data);
    }
    while let Ok(Some(Token::Key(key))) = tokens.next() {
        let start = tokens.position();
        if tokens.skip_value().is_err() {
            break;
        }
        if !key.is(OURS) {
            let value = data.get(start..tokens.position()).unwrap_or_default();
            let comma = if rest.len() > 1 { "," } else { "" };
            rest.push_str(&format!("{comma}\"{}\":{value}", key.raw()));
        }
    }
    rest.push('}');
    Cow::Owned(rest)
}

/// A socket of this server's.
pub(super) fn own(socket: &Socket) -> String {
    let details = SocketDetails {
        rooms: socket.rooms(),
        ..socket.namespace().local().host().details(socket)
    };
    shown(socket.namespace().name(), &details)
}

fn shown(namespace: &str, socket: &SocketDetails) -> String {
    let marks = json::member(&socket.data, OURS).unwrap_or_default();
    let mark = |name: &str| {
        let value = json::member(marks, name);
        value.map_or_else(String::new, |value| format!(",\"{name}\":{value}"))
    };
    let rooms: Vec<String> = socket.rooms.iter().map(|room| quoted(room)).collect();
    format!(
        "{{\"id\":{}{}{},\"nsp\":{},\"data\":{},\"handshake\":{},\"rooms\":[{}]}}",
        quoted(&socket.id),
        mark("clientId"),
        mark("transport"),
        quoted(namespace),
        plain_data(&socket.data),
        shown_handshake(&socket.handshake),
        rooms.join(",")
    )
}

/// Without auth, and with the address that a proxy has told, as the official one shows it.
fn shown_handshake(handshake: &str) -> String {
    let headers = json::member(handshake, "headers").unwrap_or_default();
    let told = ["cf-connecting-ip", "x-forwarded-for"]
        .into_iter()
        .find_map(|name| json::member(headers, name).filter(|value| *value != "\"\""));
    let names = [
        "address", "headers", "query", "issued", "secure", "time", "url", "xdomain",
    ];
    let members = names.into_iter().filter_map(|name| {
        let value = json::member(handshake, name);
        let value = if name == "address" { told.or(value) } else { value };
        Some(format!("\"{name}\":{}", value?))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// The sockets of all these namespaces on all servers, as a list; of servers that don't answer, none. `done` is called once, on the
/// thread of the server's loop, unless there are no namespaces.
pub(super) fn all(namespaces: &[Namespace], done: impl FnOnce(String) + Send + 'static) {
    let gathering = Arc::new(Mutex::new(Gathering {
        left: namespaces.len(),
        found: Vec::new(),
        done: Some(Box::new(done)),
    }));
    for namespace in namespaces {
        let (gathering, name) = (gathering.clone(), namespace.name().to_owned());
        let add = move |sockets: Result<Answered<Vec<SocketDetails>>>| {
            let sockets = sockets.unwrap_or_default().value;
            let shown = sockets.iter().map(|socket| shown(&name, socket));
            let mut all = gathering.lock();
            all.found.extend(shown);
            all.left -= 1;
            let done = if all.left == 0 { all.done.take() } else { None };
            let list = done.is_some().then(|| format!("[{}]", all.found.join(",")));
            drop(all);
            if let (Some(done), Some(list)) = (done, list) {
                done(list);
            }
        };
        match namespace.at_home(add) {
            Ok(reply) => namespace
                .adapter()
                .fetch_sockets(&BroadcastOptions::default(), reply),
            Err(error) => log::debug!("sockets are not shown: {error}"), // the server is closed, and nobody sees it
        }
    }
}

struct Gathering {
    left: usize,
    found: Vec<String>,
    done: Option<Box<dyn FnOnce(String) + Send>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(data: &str) -> SocketDetails {
        SocketDetails {
            id: "i".to_owned(),
            handshake: r#"{"headers":{"a":"b"},"time":"t","address":"1.2.3.4","xdomain":false,"auth":{"token":"secret"}}"#
                .to_owned(),
            rooms: vec!["i".to_owned(), "r\"".to_owned()],
            data: data.to_owned(),
        }
    }

    #[test]
    fn what_servers_have_added_is_taken_out_of_the_data() {
        let socket =
            details(r#"{"a":1, "_admin":{"clientId":"c","transport":"polling"} ,"b\n":[{"_admin":2}]}"#);
        assert_eq!(
            shown("/n", &socket),
            r#"{"id":"i","clientId":"c","transport":"polling","nsp":"/n","data":{"a":1,"b\n":[{"_admin":2}]},"handshake":{"address":"1.2.3.4","headers":{"a":"b"},"time":"t","xdomain":false},"rooms":["i","r\""]}"#
        );
        let bare = shown("/", &details("{}"));
        assert!(bare.starts_with(r#"{"id":"i","nsp":"/","data":{},"#), "{bare}");
        assert_eq!(plain_data(r#"{"_admin":1}"#), "{}");
        assert_eq!(plain_data("null"), "null");
    }

    #[test]
    fn an_address_that_a_proxy_tells_is_shown() {
        for (headers, address) in [
            (r#"{"x-forwarded-for":"5.6.7.8"}"#, "\"5.6.7.8\""),
            (
                r#"{"x-forwarded-for":"5.6.7.8","cf-connecting-ip":"9.9.9.9"}"#,
                "\"9.9.9.9\"",
            ),
            (r#"{"x-forwarded-for":""}"#, "\"1.2.3.4\""),
        ] {
            let handshake = format!("{{\"headers\":{headers},\"address\":\"1.2.3.4\"}}");
            assert_eq!(
                shown_handshake(&handshake),
                format!("{{\"address\":{address},\"headers\":{headers}}}")
            );
        }
    }
}
