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
from conftest import ROLES
from sync_peers import WAIT, pair, retry_until, served

import sockline

BOUNDARIES = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 4 << 20]


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
