"""What the documentation of python-socketio shows, with threads: its clients and ours, at our server.

python-socketio's server for threads needs a web server, so that ours stands in for it; what it is to do is tried with both of
the servers for coroutines in test_socketio_documentation.py.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import socketio as foreign
import trustme
from io_peers import WAIT
from test_socketio_threads import serving, until

from sockline import socketio as ours
from sockline.socketio.exceptions import ConnectionRefusedError

PACKAGES = pytest.mark.parametrize("socketio", [foreign, ours], ids=["foreign", "ours"])
URL: Any = {"transports": ["websocket"], "wait_timeout": WAIT}


@contextmanager
def connected(sio: Any, url: str, **options: Any) -> Iterator[Any]:
    sio.connect(url, **(URL | options))
    try:
        yield sio
    finally:
        sio.disconnect()


class Heard(queue.Queue[Any]):
    def note(self, *what: Any) -> None:
        self.put(what)

    def next(self) -> Any:
        return self.get(timeout=WAIT)


@PACKAGES
def test_using_the_simple_client(socketio: Any) -> None:
    sio = ours.Server()

    @sio.on("my message")
    def my_message(sid: str, data: Any) -> str:
        sio.emit("my reply", (data, 2), to=sid)
        return "done"

    with serving(sio) as url, socketio.SimpleClient() as client:
        client.connect(url, transports=["websocket"])
        assert client.sid and client.transport == "websocket"
        client.emit("my message", {"foo": "bar"})
        assert client.receive(timeout=WAIT) == ["my reply", {"foo": "bar"}, 2]
        assert client.call("my message", "again") == "done"
        client.receive(timeout=WAIT)
        with pytest.raises(socketio.exceptions.TimeoutError):
            client.receive(timeout=0.01)
        by_hand = socketio.SimpleClient()
        by_hand.connect(url, transports=["websocket"])
        by_hand.disconnect()


@PACKAGES
def test_events_catch_all_handlers_and_acknowledgements(socketio: Any) -> None:
    sio, client, heard = ours.Server(), socketio.Client(), Heard()

    @sio.event
    def my_event(sid: str, data: Any) -> Any:
        return "OK", 123

    @sio.on("*")
    def any_event(event: str, sid: str, data: Any) -> None:
        heard.note(event, data)
        sio.emit("my message", {"data": sio.call("question", {"data": "foobar"}, to=sid)}, to=sid)
        sio.emit("question", 1, to=sid, callback=heard.note)

    @client.on("my message")
    def on_message(data: Any) -> None:
        heard.note("my message", data)

    @client.event
    def question(data: Any) -> Any:
        return data, "answered"

    with serving(sio) as url, connected(client, url):
        assert client.call("my_event", "data") == ("OK", 123)
        client.emit("my_event", "data", callback=heard.note)
        assert heard.next() == ("OK", 123)
        client.emit("another event", b"bytes")
        assert heard.next() == ("another event", b"bytes")
        both = [("my message", {"data": [{"data": "foobar"}, "answered"]}), (1, "answered")]
        told = [heard.next(), heard.next()]
        assert told in (both, both[::-1])


@PACKAGES
def test_connect_connect_error_and_disconnect_handlers(socketio: Any) -> None:
    sio, client, heard = ours.Server(), socketio.Client(reconnection=False), Heard()

    @sio.event
    def connect(sid: str, environ: dict[str, Any], auth: Any) -> Any:
        if auth == {"password": "wrong"}:
            raise ConnectionRefusedError("authentication failed", 1)
        return None if auth is None else False

    @sio.event
    def disconnect(sid: str, reason: str) -> None:
        heard.note(reason)

    client.on("connect", lambda: heard.note("connected"))
    client.on("connect_error", lambda data: heard.note("connect_error", data))
    client.on("disconnect", lambda reason: heard.note("lost", reason))

    with serving(sio) as url:
        for auth in ({"password": "wrong"}, {"password": "false"}):
            with pytest.raises(socketio.exceptions.ConnectionError):
                client.connect(url, auth=auth, **URL)
            told = heard.next()
            assert told[0] == "connect_error" and told[1].get("data") == (1 if auth["password"] == "wrong" else None)
        with connected(client, url):
            assert heard.next() == ("connected",)
            sio.disconnect(client.get_sid())
            assert {heard.next(), heard.next()} == {("lost", client.reason.SERVER_DISCONNECT), (sio.reason.SERVER_DISCONNECT,)}
            client.wait()
        until(lambda: not client.connected)
        with connected(client, url):
            assert heard.next() == ("connected",)
        assert {heard.next()[-1], heard.next()[-1]} <= {client.reason.CLIENT_DISCONNECT, sio.reason.TRANSPORT_CLOSE}


@PACKAGES
def test_namespaces_of_classes_rooms_and_sessions(socketio: Any) -> None:
    sio, client, heard = ours.Server(), socketio.Client(), Heard()

    class MyCustomNamespace(ours.Namespace):
        def on_connect(self, sid: str, environ: dict[str, Any]) -> None:
            self.save_session(sid, {"username": "me"})

        def on_my_event(self, sid: str, data: Any) -> Any:
            self.enter_room(sid, "chat_users")
            self.emit("my_response", data, room="chat_users")
            self.emit("my_response", "for others", room="chat_users", skip_sid=sid)
            self.leave_room(sid, "chat_users")
            self.close_room("chat_users")
            with self.session(sid) as session:
                session["data"] = data
            return [self.rooms(sid) == [sid], self.get_session(sid)]

    class MyClientNamespace(socketio.ClientNamespace):  # type: ignore[misc]
        def on_connect(self) -> None:
            heard.note("connect")

        def on_disconnect(self, reason: str) -> None:
            heard.note("disconnect", reason)

        def on_my_response(self, data: Any) -> None:
            heard.note("my_response", data)

    sio.register_namespace(MyCustomNamespace("/chat"))
    client.register_namespace(MyClientNamespace("/chat"))
    with serving(sio) as url:
        with connected(client, url):
            assert heard.next() == ("connect",)
            answer = client.call("my_event", "data", namespace="/chat")
            assert answer == [True, {"username": "me", "data": "data"}]
            assert heard.next() == ("my_response", "data")
        assert heard.next() == ("disconnect", client.reason.CLIENT_DISCONNECT)


@PACKAGES
def test_catch_all_namespaces(socketio: Any) -> None:
    sio, client, heard = ours.Server(namespaces="*"), socketio.Client(), Heard()

    class Any_(ours.Namespace):
        def on_my_event(self, namespace: str, sid: str, data: Any) -> None:
            self.emit("answer", data, to=sid, namespace=namespace)

    sio.register_namespace(Any_("*"))

    @sio.on("other", namespace="*")
    def other(namespace: str, sid: str, data: Any) -> Any:
        return namespace, data

    client.on("*", lambda event, namespace, data: heard.note(event, namespace, data), namespace="*")
    with serving(sio) as url, connected(client, url, namespaces=["/one", "/two"]):
        client.emit("my_event", 1, namespace="/two")
        assert heard.next() == ("answer", "/two", 1)
        assert client.call("other", 2, namespace="/one") == ("/one", 2)


@PACKAGES
def test_managing_background_tasks(socketio: Any) -> None:
    sio, client, heard = ours.Server(), socketio.Client(), Heard()

    def my_background_task(my_argument: int, *, of: Any) -> None:
        of.sleep(0.001)
        of.emit("tick", my_argument)

    sio.on("tick", lambda sid, value: heard.note("server", value))
    client.on("tick", lambda value: heard.note("client", value))
    with serving(sio) as url, connected(client, url):
        client.start_background_task(my_background_task, 123, of=client).join(WAIT)
        assert heard.next() == ("server", 123)
        sio.start_background_task(my_background_task, 456, of=sio).join(WAIT)
        assert heard.next() == ("client", 456)
        waiting = threading.Thread(target=client.wait)
        waiting.start()
        client.disconnect()
        waiting.join(WAIT)
        assert not waiting.is_alive()


@PACKAGES
def test_tls_is_told_by_a_session_of_requests(socketio: Any, tmp_path: Any) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    chain, key, roots = (str(tmp_path / name) for name in ("chain.pem", "key.pem", "ca.pem"))
    certificate.cert_chain_pems[0].write_to_path(chain)
    certificate.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(roots)
    sio = ours.Server()
    from sockline import ServerTLS

    with sio.listen("127.0.0.1", 0, tls=ServerTLS(chain, key)) as listener:
        url = f"https://localhost:{listener.port}"
        with pytest.raises(socketio.exceptions.ConnectionError):
            socketio.Client().connect(url, **URL)
        for verify in (False, roots):
            http_session = requests.Session()
            http_session.verify = verify
            with connected(socketio.Client(http_session=http_session), url) as client:
                assert client.connected
        with connected(socketio.Client(ssl_verify=False), url) as client:
            assert client.connected


@PACKAGES
def test_a_url_headers_and_auth_may_be_functions_and_are_asked_again(socketio: Any) -> None:
    sio, heard = ours.Server(), Heard()
    sio.on("connect", lambda sid, environ, auth: heard.note(environ["HTTP_X_NUMBER"], auth))
    client = socketio.Client(reconnection_delay=0.01, randomization_factor=0)
    asked: list[int] = []

    def headers() -> dict[str, str]:
        asked.append(1)
        return {"X-Number": str(len(asked))}

    with serving(sio) as url:
        client.connect(lambda: url, headers=headers, auth=lambda: {"attempt": len(asked)}, **URL)
        assert heard.next() == ("1", {"attempt": 1})
        client.disconnect()
        client.connect(lambda: url, headers=headers, auth=lambda: {"attempt": len(asked)}, **URL)
        assert heard.next() == ("2", {"attempt": 2})
        client.disconnect()


def test_debugging_and_troubleshooting() -> None:
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger = logging.Logger("mine", logging.INFO)
    logger.addHandler(Handler())
    sio = ours.Server(logger=logger, engineio_logger=False)
    client = ours.Client(logger=logger)
    sio.on("my event", lambda sid, data: data)
    with serving(sio) as url, connected(client, url):
        assert client.call("my event", 1) == 1
        sid = client.get_sid()
    assert {'Emitting event "my event" [/]', f'received event "my event" from {sid} [/]'} <= set(lines)
