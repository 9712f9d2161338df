"""Handshakes, servers and what connections are in the API of threads, against websockets in both roles."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import websockets
import websockets.sync.client
import websockets.sync.server
from conftest import ROLES
from sync_peers import WAIT, echo, pair, served, serving, url_of

import sockline
import sockline.sync.client
import sockline.sync.server


@ROLES
def test_subprotocols_are_negotiated(role: str) -> None:
    serve, connect, names = pair(role)
    with served(serve, subprotocols=["v2", "v1"]) as url:
        with connect(url, subprotocols=["v1", "v2", "v3"]) as connection:
            assert connection.subprotocol == "v2"
        with pytest.raises(names.InvalidStatus) as caught:
            connect(url, subprotocols=["v9"])
        assert caught.value.response.status_code == 400
    with served(serve, select_subprotocol=lambda connection, offered: offered[-1]) as url:
        with connect(url, subprotocols=["v1", "v9"]) as connection:
            assert connection.subprotocol == "v9"


@ROLES
def test_too_big_a_message_fails_with_1009(role: str) -> None:
    serve, connect, names = pair(role)
    with served(serve) as url, connect(url, max_size=1000, compression=None) as connection:
        connection.send("x" * 1001)
        with pytest.raises(names.ConnectionClosedError) as caught:
            connection.recv()
        assert caught.value.sent.code == 1009
        assert isinstance(caught.value.__cause__, names.exceptions.PayloadTooBig)


@ROLES
def test_binary_that_is_no_text_fails_with_1007(role: str) -> None:
    serve, connect, names = pair(role)
    with served(serve) as url:
        for receive in (
            lambda connection: connection.recv(decode=True),
            lambda connection: list(connection.recv_streaming(decode=True)),
        ):
            with connect(url) as connection:
                connection.send(b"\xff")
                with pytest.raises(names.ConnectionClosedError) as caught:
                    receive(connection)
                assert caught.value.sent.code == 1007
                assert isinstance(caught.value.__cause__, UnicodeDecodeError)


@ROLES
def test_handshakes_are_seen_and_answered(role: str) -> None:
    serve, connect, names = pair(role)
    seen: list[Any] = []

    def process_request(connection: Any, request: Any) -> Any:
        seen.append((request.path, request.headers["X-Test"], connection.remote_address[0]))
        if request.path == "/teapot":
            response = connection.respond(418, "short and stout\n")
            response.headers["X-Reason"] = "tea"
            return response
        if request.path == "/broken":
            raise LookupError("on purpose")
        return None

    def process_response(connection: Any, request: Any, response: Any) -> None:
        response.headers["X-Path"] = request.path

    options = dict(process_request=process_request, process_response=process_response, server_header="tests")
    with served(serve, **options) as url:
        with connect(url + "/a?b=c", additional_headers={"X-Test": "1"}, user_agent_header="t") as connection:
            assert connection.request.path == "/a?b=c"
            assert connection.request.headers["User-Agent"] == "t"
            assert connection.response.status_code == 101
            assert connection.response.headers["X-Path"] == "/a?b=c"
            assert connection.response.headers["Server"] == "tests"
            assert connection.remote_address == ("127.0.0.1", int(url.rpartition(":")[2]))
            assert connection.local_address[0] == "127.0.0.1"
            connection.send("x")
            assert connection.recv() == "x"
        for path, status in (("/teapot", 418), ("/broken", 500)):
            with pytest.raises(names.InvalidStatus) as caught:
                connect(url + path, additional_headers={"X-Test": "2"})
            response = caught.value.response
            assert (response.status_code, response.headers["X-Path"]) == (status, path)
            assert response.headers["Server"] == "tests"
            if status == 418:
                assert (response.headers["X-Reason"], response.body) == ("tea", b"short and stout\n")
    assert seen[:2] == [("/a?b=c", "1", "127.0.0.1"), ("/teapot", "2", "127.0.0.1")]


@ROLES
def test_origins_are_checked(role: str) -> None:
    serve, connect, names = pair(role)
    with served(serve, origins=["https://good.example", None]) as url:
        for origin in ("https://good.example", None):
            connect(url, origin=origin, legacy=True).close()
        with pytest.raises(names.InvalidStatus) as caught:
            connect(url, origin="https://evil.example")
        assert caught.value.response.status_code == 403


@ROLES
def test_who_logs_in_is_known(role: str) -> None:
    serve, connect, names = pair(role)
    basic_auth = (websockets.sync.server if role == "client" else sockline.sync.server).basic_auth
    users = [("hello", "iloveyou"), ("other", "päss:wörd")]
    for options in (dict(credentials=users), dict(check_credentials=lambda name, word: (name, word) in users)):
        auth = basic_auth(realm='the "realm"', **options)
        with served(serve, lambda connection: connection.send(connection.username), process_request=auth) as url:
            for value, text in (
                (None, b"Missing credentials\n"),
                ("Bearer x", b"Unsupported credentials\n"),
                ("Basic !", b"Unsupported credentials\n"),
                ("Basic aGVsbG8=", b"Unsupported credentials\n"),
                ("Basic aGVsbG86bm8=", b"Invalid credentials\n"),
            ):
                headers = {} if value is None else {"Authorization": value}
                with pytest.raises(names.InvalidStatus) as caught:
                    connect(url, additional_headers=headers)
                response = caught.value.response
                assert (response.status_code, response.body) == (401, text)
                assert response.headers["WWW-Authenticate"] == 'Basic realm="the \\"realm\\"", charset="UTF-8"'
            for name, value in (("hello", "Basic aGVsbG86aWxvdmV5b3U="), ("other", "basic b3RoZXI6cMOkc3M6d8O2cmQ=")):
                with connect(url, additional_headers={"Authorization": value}) as connection:
                    assert connection.recv() == name


@ROLES
def test_credentials_are_checked_beforehand(role: str) -> None:
    basic_auth = (websockets.sync.server if role == "client" else sockline.sync.server).basic_auth
    for wrong in ({}, dict(credentials=("a", "b"), check_credentials=lambda name, word: True)):
        with pytest.raises(ValueError):
            basic_auth(**wrong)
    for credentials in (("a", 1), ["a"], 42):
        with pytest.raises(TypeError):
            basic_auth(credentials=credentials)


@ROLES
def test_shutdown_closes_connections_and_waits_for_handlers(role: str) -> None:
    serve, connect, names = pair(role)
    returned: list[bool] = []

    def handler(connection: Any) -> None:
        connection.send("here")
        try:
            list(connection)
        finally:
            returned.append(True)

    server = serve(handler, "127.0.0.1", 0)
    with serving(server), connect(url_of(server)) as connection:
        assert connection.recv() == "here"
        assert len(server.connections) == 1
        server.shutdown(code=1012, reason="restart")
        assert returned == [True]
        assert not server.handler_threads and not server.all_connections
        with pytest.raises(names.ConnectionClosedError) as caught:
            connection.recv()
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1012, "restart")
    with pytest.raises(OSError):
        connect(url_of(server)) if role == "client" else connect("ws://127.0.0.1:%d" % server.socket.getsockname()[1])


@ROLES
def test_shutdown_can_wait_for_connections(role: str) -> None:
    serve, connect, _ = pair(role)
    server = serve(echo, "127.0.0.1", 0)
    with serving(server), ThreadPoolExecutor() as pool:
        with connect(url_of(server)) as connection:
            connection.send("1")
            assert connection.recv() == "1"
            ending = pool.submit(server.shutdown, close_connections=False)
            connection.send("2")
            assert connection.recv() == "2"
            assert not ending.done()
        ending.result(WAIT)


@ROLES
def test_broadcast_reaches_all(role: str) -> None:
    serve, connect, _ = pair(role)
    broadcast = (websockets.sync.server if role == "client" else sockline.sync.server).broadcast
    server = serve(echo, "127.0.0.1", 0)
    with serving(server):
        clients = [connect(url_of(server), legacy=True) for _ in range(5)]
        for client in clients:
            client.send("x")
            assert client.recv() == "x"
        broadcast(server.connections, "to all", max_workers=2)
        assert [client.recv() for client in clients] == ["to all"] * 5
        broadcast(server.connections, b"to all", text=True, raise_exceptions=True)
        assert [client.recv() for client in clients] == ["to all"] * 5
        with pytest.raises(TypeError):
            broadcast(server.connections, ["parts"])
        for client in clients:
            client.close()


@ROLES
def test_connections_are_made_again(role: str) -> None:
    serve, _, names = pair(role)
    reconnect = (websockets if role == "server" else sockline).sync.client.reconnect
    with served(serve) as url:
        received = []
        for connection in reconnect(url):
            connection.send(str(len(received)))
            received.append(connection.recv())
            if len(received) == 3:
                break
        assert received == ["0", "1", "2"]
    delays: list[float] = []

    def no_delay() -> Iterator[float]:
        for delay in (0.001, 0.002):
            delays.append(delay)
            yield delay

    seen: list[Exception] = []

    def process_exception(error: Exception) -> Exception | None:
        seen.append(error)
        return None if len(seen) < 3 else LookupError("enough")

    with pytest.raises(LookupError):
        for _ in reconnect(url, process_exception=process_exception, reconnect_delays=no_delay):
            pass
    assert delays == [0.001, 0.002] and all(isinstance(error, OSError) for error in seen)


@ROLES
def test_unix_sockets(role: str, tmp_path: Any) -> None:
    unix_serve = (websockets.sync.server if role == "client" else sockline.sync.server).unix_serve
    unix_connect = (websockets if role == "server" else sockline).sync.client.unix_connect
    path = str(tmp_path / "socket")
    with serving(unix_serve(echo, path)) as server:
        assert server.socket.getsockname() == path
        with unix_connect(path) as connection:
            connection.send("x")
            assert connection.recv() == "x"
        with unix_connect(path, "ws://example.org/where", legacy=True) as connection:
            assert connection.request.headers["Host"] == "example.org"
            assert connection.request.path == "/where"
    for call in (unix_connect, lambda: unix_serve(echo)):
        with pytest.raises(ValueError):
            call()


@ROLES
def test_use_without_with_warns_unless_it_is_asked_for(role: str, recwarn: pytest.WarningsRecorder) -> None:
    serve, connect, _ = pair(role)
    with served(serve) as url:
        with connect(url) as connection:
            connection.send("x")
            connection.recv()
        connection = connect(url, legacy=True)
        connection.send("x")
        connection.close()
        with connect(url, legacy=False) as connection:
            connection.send("x")
        assert not recwarn.list
        connection = connect(url)
        with pytest.warns(DeprecationWarning, match="legacy=True"):
            connection.send("x")
        connection.recv()
        connection.close()


@ROLES
def test_a_sender_waits_while_nobody_reads(role: str) -> None:
    serve, connect, _ = pair(role)
    go_on = threading.Event()
    received: list[int] = []

    def handler(connection: Any) -> None:
        go_on.wait(WAIT)
        received.extend(len(message) for message in connection)

    with served(serve, handler, max_queue=2) as url, ThreadPoolExecutor() as pool:
        with connect(url, compression=None) as connection:
            count = 400

            def send_all() -> None:
                for _ in range(count):
                    connection.send(b"x" * 65536)

            sending = pool.submit(send_all)
            with pytest.raises(TimeoutError):
                sending.result(0.5)
            go_on.set()
            sending.result(WAIT)
    assert received == [65536] * count
