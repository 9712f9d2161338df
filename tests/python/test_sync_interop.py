"""``sockline.sync`` in both roles against ``websockets.sync``, and against itself."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import websockets
import websockets.sync.client
import websockets.sync.server
from conftest import ROLES

import sockline
import sockline.sync.client
import sockline.sync.server

BOUNDARIES = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 4 << 20]
WAIT = 20


def echo(connection: Any) -> None:
    for message in connection:
        connection.send(message)


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    """Serves in a thread meanwhile."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()


def url_of(server: Any) -> str:
    return f"ws://127.0.0.1:{server.socket.getsockname()[1]}"


@contextmanager
def served(serve: Any, handler: Any = echo, **options: Any) -> Iterator[str]:
    with serving(serve(handler, "127.0.0.1", 0, **options)) as server:
        yield url_of(server)


def pair(role: str) -> tuple[Any, Any, Any]:
    """A way to serve, a way to connect, and the exceptions of the connecting side."""
    serve = websockets.sync.server.serve if role == "client" else sockline.sync.server.serve
    if role == "server":
        return serve, websockets.sync.client.connect, websockets
    return serve, sockline.sync.client.connect, sockline


def retry_until(error: type[Exception], call: Any, ignored: type[Exception]) -> None:
    """Calls until it raises the one, which may take a moment, and not the other."""
    while True:
        try:
            call()
        except error:
            return
        except ignored:
            pass


@ROLES
def test_messages_of_all_sizes_come_back(role: str) -> None:
    serve, connect, _ = pair(role)
    with served(serve, max_size=None) as url, connect(url, max_size=None, compression=None) as connection:
        for size in BOUNDARIES:
            for message in (bytes(range(256)) * (size // 256) + b"x" * (size % 256), "a" * size):
                connection.send(message)
                assert connection.recv() == message
        for text in ("", "Grüße, 世界 🎉", "\0"):
            connection.send(text)
            assert connection.recv() == text


@ROLES
def test_fragments_arrive_as_one_message_or_in_parts(role: str) -> None:
    serve, connect, _ = pair(role)

    def handler(connection: Any) -> None:
        while True:
            parts = connection.recv_streaming()
            try:
                connection.send(parts)
            except connection_closed:
                return

    connection_closed = (sockline.ConnectionClosed, websockets.ConnectionClosed)
    with served(serve, handler) as url, connect(url) as connection:
        connection.send([b"ab", b"", bytearray(b"c")])
        assert b"".join(connection.recv_streaming()) == b"abc"
        connection.send(part for part in ("grü", "", "ße"))
        assert connection.recv() == "grüße"
        connection.send("grüße")
        assert b"".join(connection.recv_streaming(decode=False)) == "grüße".encode()
        connection.send("grüße".encode())
        assert "".join(connection.recv_streaming(decode=True)) == "grüße"
        connection.send([])
        connection.send("nothing was sent for no parts")
        assert connection.recv() == "nothing was sent for no parts"


@ROLES
def test_bytes_can_be_sent_as_text_and_text_read_as_bytes(role: str) -> None:
    serve, connect, _ = pair(role)
    with served(serve) as url, connect(url, compression=None) as connection:
        connection.send("é".encode(), text=True)
        assert connection.recv() == "é"
        connection.send("é", text=False)
        assert connection.recv() == "é".encode()
        connection.send(memoryview(b"abc"))
        assert connection.recv() == b"abc"
        connection.send("é")
        assert connection.recv(decode=False) == "é".encode()
        connection.send("é".encode())
        assert connection.recv(None, True) == "é"


@ROLES
def test_what_is_no_message_is_refused(role: str) -> None:
    serve, connect, _ = pair(role)
    with served(serve) as url, connect(url) as connection:
        for wrong in ({"a": "b"}, 42, None):
            with pytest.raises(TypeError):
                connection.send(wrong)
        connection.send("fine")
        assert connection.recv() == "fine"


@ROLES
def test_an_iterable_that_fails_ends_the_connection(role: str) -> None:
    serve, connect, names = pair(role)

    def parts() -> Iterator[str]:
        yield "one"
        raise LookupError("on purpose")

    with served(serve) as url, connect(url) as connection:
        with pytest.raises((LookupError, names.ConnectionClosedError)):
            connection.send(parts())
        with pytest.raises(names.ConnectionClosedError) as caught:
            connection.recv()
        assert (caught.value.sent.code, caught.value.sent.reason) == (1011, "error in fragmented message")


@ROLES
def test_nothing_is_sent_in_the_midst_of_a_message(role: str) -> None:
    serve, connect, names = pair(role)
    begun, go_on = threading.Event(), threading.Event()

    def parts() -> Iterator[str]:
        yield "a"
        begun.set()
        go_on.wait(WAIT)
        yield "b"

    with served(serve) as url, connect(url) as connection, ThreadPoolExecutor() as pool:
        sending = pool.submit(connection.send, parts())
        begun.wait(WAIT)
        for other in ("x", b"x", ["x"]):
            with pytest.raises(names.exceptions.ConcurrencyError):
                connection.send(other)
        go_on.set()
        sending.result(WAIT)
        assert connection.recv() == "ab"


@ROLES
def test_a_timeout_loses_nothing(role: str) -> None:
    serve, connect, _ = pair(role)
    go_on = threading.Event()

    def handler(connection: Any) -> None:
        def parts() -> Iterator[str]:
            yield "first "
            go_on.wait(WAIT)
            yield "half"

        connection.send(parts())
        for number in range(200):
            connection.send(str(number))
            if number % 20 == 0:
                connection.recv()

    with served(serve, handler) as url, connect(url) as connection:
        for timeout in (0, -1, 0.02):
            with pytest.raises(TimeoutError):
                connection.recv(timeout)
        go_on.set()
        assert connection.recv(WAIT) == "first half"
        received: list[Any] = []
        while len(received) < 200:
            try:
                received.append(connection.recv(timeout=0.0001))
            except TimeoutError:
                continue
            if len(received) % 20 == 1:
                connection.send("go on")
        assert received == [str(number) for number in range(200)]


@ROLES
def test_two_threads_can_not_receive_at_once(role: str) -> None:
    serve, connect, names = pair(role)
    with served(serve) as url, connect(url) as connection, ThreadPoolExecutor() as pool:
        receiving = pool.submit(connection.recv)
        retry_until(names.exceptions.ConcurrencyError, lambda: connection.recv(timeout=0), TimeoutError)
        connection.send("for the other")
        assert receiving.result(WAIT) == "for the other"


@ROLES
def test_a_message_that_is_read_in_parts_is_read_to_its_end(role: str) -> None:
    serve, connect, names = pair(role)

    def handler(connection: Any) -> None:
        connection.send(["a", "b"])
        connection.send("next")
        connection.wait_closed()

    with served(serve, handler) as url, connect(url, compression=None) as connection:
        parts = connection.recv_streaming()
        assert next(parts) == "a"
        for other in (connection.recv, lambda: next(connection.recv_streaming())):
            with pytest.raises(names.exceptions.ConcurrencyError):
                other()
        assert "".join(parts) == "b"
        assert connection.recv() == "next"


@ROLES
def test_pings_are_answered_with_their_payload(role: str) -> None:
    serve, connect, names = pair(role)
    with served(serve) as url, connect(url) as connection:
        assert connection.latency == 0
        for payload in (None, "text", b"\0" * 125, bytearray(b"x")):
            pong = connection.ping(payload)
            assert isinstance(pong, threading.Event)
            assert pong.wait(WAIT)
        assert 0 < connection.latency < 10
        first, second = connection.ping(b"1"), connection.ping(b"2")
        assert first.wait(WAIT) and second.wait(WAIT)
        connection.pong(b"unasked")
        for wrong in (connection.ping, connection.pong):
            with pytest.raises(TypeError):
                wrong(42)
            with pytest.raises(names.exceptions.ProtocolError):
                wrong(b"x" * 126)
        connection.send("still here")
        assert connection.recv() == "still here"


@contextmanager
def silent_server() -> Iterator[str]:
    """Answers a handshake, and nothing after it."""

    def answer() -> None:
        peer, _ = listener.accept()
        with peer:
            head = b""
            while b"\r\n\r\n" not in head:
                head += peer.recv(4096)
            key = re.search(rb"sec-websocket-key: (\S+)", head, re.IGNORECASE)[1]  # type: ignore[index]
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            peer.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            while peer.recv(4096):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as pool:
        pool.submit(answer)
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}"


@ROLES
def test_a_ping_can_be_acknowledged_by_the_end(role: str) -> None:
    _, connect, names = pair(role)
    with silent_server() as url, connect(url, close_timeout=0.1) as connection:
        acknowledged, other = connection.ping("same", ack_on_close=True), connection.ping()
        with pytest.raises(names.exceptions.ConcurrencyError):
            connection.ping("same")
        assert not connection.wait_closed(0)
        connection.close()
        assert acknowledged.is_set() and not other.is_set()
        assert (connection.close_code, connection.latency) == (1006, 0)
        with pytest.raises(names.ConnectionClosedError) as caught:
            connection.recv()
        assert isinstance(caught.value.__cause__, TimeoutError)


@ROLES
def test_who_answers_no_ping_is_given_up(role: str) -> None:
    _, connect, names = pair(role)
    with silent_server() as url, connect(url, ping_interval=0.05, ping_timeout=0.05, close_timeout=0.1) as connection:
        with pytest.raises(names.ConnectionClosedError) as caught:
            connection.recv()
        assert connection.close_code == 1006
        assert isinstance(caught.value.__cause__, TimeoutError)


@ROLES
def test_the_client_closes_with_a_code_and_a_reason(role: str) -> None:
    serve, connect, names = pair(role)
    ended: list[Any] = []

    def handler(connection: Any) -> None:
        try:
            connection.recv()
        except Exception as error:
            ended.append((type(error).__name__, str(error).partition(";")[0]))

    with served(serve, handler) as url:
        with connect(url) as connection:
            assert (connection.close_code, connection.close_reason) == (None, None)
            connection.close(4001, "grüße")
            connection.close()
        assert connection.wait_closed(0)
        assert (connection.close_code, connection.close_reason) == (4001, "grüße")
        with pytest.raises(names.ConnectionClosedError) as caught:
            connection.recv()
        assert (caught.value.sent.code, caught.value.sent.reason) == (4001, "grüße")
        assert caught.value.rcvd_then_sent is False
    assert ended == [("ConnectionClosedError", "received 4001 (private use) grüße")]


@ROLES
def test_the_server_closes_with_a_code_and_a_reason(role: str) -> None:
    serve, connect, names = pair(role)
    with served(serve, lambda connection: connection.close(1012, "restarting")) as url, connect(url) as connection:
        with pytest.raises(names.ConnectionClosedError) as caught:
            connection.recv()
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1012, "restarting")
        assert caught.value.rcvd_then_sent is True
        for call in (lambda: connection.send("late"), connection.ping, connection.pong, connection.recv):
            with pytest.raises(names.ConnectionClosedError):
                call()
        with pytest.raises(names.ConnectionClosedError):
            list(connection.recv_streaming())


@ROLES
def test_iteration_ends_with_a_normal_close(role: str) -> None:
    serve, connect, names = pair(role)

    def handler(connection: Any) -> None:
        connection.send("one")
        connection.send("two")

    with served(serve, handler) as url, connect(url) as connection:
        assert list(connection) == ["one", "two"]
        with pytest.raises(names.ConnectionClosedOK):
            connection.recv()


@ROLES
def test_a_failing_handler_closes_with_1011(role: str, caplog: pytest.LogCaptureFixture) -> None:
    serve, connect, names = pair(role)

    def handler(connection: Any) -> None:
        raise LookupError("on purpose")

    with served(serve, handler) as url, connect(url) as connection:
        with pytest.raises(names.ConnectionClosedError):
            list(connection)
        assert connection.close_code == 1011
    assert "connection handler failed" in caplog.text


@ROLES
def test_an_exception_in_with_closes_with_1011(role: str) -> None:
    serve, connect, _ = pair(role)
    with served(serve) as url:
        with pytest.raises(LookupError):
            with connect(url) as connection:
                raise LookupError("on purpose")
        assert connection.close_code == 1011


@ROLES
def test_a_waiting_recv_hears_of_the_end(role: str) -> None:
    serve, connect, names = pair(role)
    with served(serve) as url, connect(url) as connection, ThreadPoolExecutor() as pool:
        receiving = pool.submit(connection.recv)
        connection.close()
        with pytest.raises(names.ConnectionClosedOK):
            receiving.result(WAIT)


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
            assert connection.request.headers.get("Host", "example.org") == "example.org"
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
