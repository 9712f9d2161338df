"""What ``sockline.sync`` does in its own way: options, requests, ends of servers and of processes, many threads."""

from __future__ import annotations

import http
import http.client
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme
import sync_peers
from sync_peers import WAIT, echo, served, serving, url_of

import sockline
from sockline.sync.client import ClientConnection, connect, unix_connect
from sockline.sync.server import ServerConnection, broadcast, serve, unix_serve


def test_what_can_not_be_honoured_is_refused(tmp_path: Path) -> None:
    url = "ws://127.0.0.1:1"
    for options in (dict(timeout=1), dict(all_errors=True), dict(max_size=(100, 10))):
        with pytest.raises(NotImplementedError):
            connect(url, **options)  # type: ignore[call-overload]
    with pytest.raises(NotImplementedError):
        serve(echo, "127.0.0.1", 0, max_size=(100, 10))
    for call in (connect, lambda *_, **options: serve(echo, "127.0.0.1", 0, **options)):
        with pytest.raises(TypeError):
            call(url, no_such_option=1)
        with pytest.raises(TypeError):
            call(url, subprotocols="chat")
        with pytest.raises(ValueError):
            call(url, compression="gzip")
        with pytest.raises(ValueError):
            call(url, max_queue=(1, 2))
    with pytest.raises(ValueError):
        connect(url, ssl=ssl.create_default_context())
    with pytest.raises(NotImplementedError):
        unix_connect(tmp_path / "x", ssl=ssl.create_default_context())
    with pytest.raises(NotImplementedError):
        broadcast([], "x", initializer=print)
    with pytest.raises(TypeError):
        broadcast([], "x", no_such_option=1)


def test_the_engines_innards_are_not_there() -> None:
    with served(serve) as url, connect(url) as connection:
        with pytest.raises(AttributeError, match="engine"):
            connection.socket
        assert connection.protocol.state is sockline.State.OPEN
        with pytest.raises(TypeError):
            aiter(connection)


def test_failures_to_connect_have_their_exceptions(unused_port: int) -> None:
    with pytest.raises(sockline.InvalidURI):
        connect("http//nowhere")
    with pytest.raises(ConnectionRefusedError):
        connect(f"ws://127.0.0.1:{unused_port}")
    with pytest.raises(sockline.InvalidProxy):
        connect("ws://127.0.0.1:1", proxy="gopher://127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(TimeoutError):
            connect(f"ws://127.0.0.1:{silent.getsockname()[1]}", open_timeout=0.05)


def test_a_connection_can_be_led_elsewhere() -> None:
    with served(serve) as url:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        options = dict(address=address, source_address=("127.0.0.1", 0), proxy=None)
        with connect("ws://example.org/x", **options) as connection:
            connection.send("x")
            assert connection.recv() == "x"
            assert connection.remote_address == address


def test_classes_can_be_ones_own() -> None:
    class OurClient(ClientConnection):
        def shout(self, message: str) -> None:
            self.send(message.upper())

    class OurServer(ServerConnection):
        def whisper(self, message: Any) -> None:
            self.send(message.lower() + "!")

    def handler(connection: Any) -> None:
        for message in connection:
            connection.whisper(message)

    with served(serve, handler, create_connection=OurServer) as url:
        with connect(url, create_connection=OurClient) as connection:
            connection.shout("hi")
            assert connection.recv() == "hi!"


def test_tls() -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    context = sockline.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with certificate.private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(os.fsencode(path))
    trusting = ssl.create_default_context(cafile=None)
    authority.configure_trust(trusting)
    with served(serve, ssl=context) as url:
        url = url.replace("ws:", "wss:")
        with connect(url, ssl=trusting) as connection:
            connection.send("secret")
            assert connection.recv() == "secret"
            assert connection.tls_info is not None and connection.tls_info.version == "TLSv1.3"
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(url)
    with pytest.warns(DeprecationWarning, match="ssl_context") as warned, served(serve, ssl_context=context) as url:
        connect(url.replace("ws:", "wss:"), ssl_context=trusting, legacy=True).close()
    assert [warning.filename for warning in warned] == [sync_peers.__file__, __file__]


def test_plain_requests_are_asked_about_too(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("a page")
    threads: list[threading.Thread] = []

    def process_request(connection: Any, request: sockline.Request) -> Any:
        threads.append(threading.current_thread())
        return connection.respond(200, "fine\n") if request.path == "/health" else None

    def process_response(connection: Any, request: Any, response: sockline.Response) -> None:
        response.headers["X-Seen"] = "yes"

    options = dict(process_request=process_request, process_response=process_response, static_folder=tmp_path)
    with served(serve, **options) as url:
        client = http.client.HTTPConnection(url.removeprefix("ws://"))
        for path, body, seen in (("/health", b"fine\n", "yes"), ("/page.txt", b"a page", None)):
            client.request("GET", path)
            response = client.getresponse()
            assert (response.status, response.read(), response.headers["X-Seen"]) == (200, body, seen)
        client.close()
    assert threading.main_thread() not in threads


def test_handlers_and_hooks_may_wait_for_other_connections() -> None:
    """Each has a thread of its own, so that a handler can be a client of its own server."""

    def handler(connection: ServerConnection) -> None:
        connection.send("from " + connection.request.path)  # type: ignore[union-attr]

    def process_request(connection: Any, request: sockline.Request) -> Any:
        if request.path == "/outer":
            with connect(server_url[0] + "/inner") as inner:
                return connection.respond(403, str(inner.recv()))
        return None

    server_url: list[str] = []
    with served(serve, handler, process_request=process_request) as url:
        server_url.append(url)
        with pytest.raises(sockline.InvalidStatus) as caught:
            connect(url + "/outer")
        assert caught.value.response.body == b"from /inner"


def test_nobody_is_answered_before_somebody_serves() -> None:
    with serve(echo, "127.0.0.1", 0) as server, ThreadPoolExecutor() as pool:
        connecting = pool.submit(connect, url_of(server), legacy=True)
        with pytest.raises(TimeoutError):
            connecting.result(0.1)
        with serving(server):
            connecting.result(WAIT).close()


def test_who_was_not_answered_is_refused_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor() as pool:
        with serve(echo, "127.0.0.1", 0, process_request=lambda *_: pytest.fail("not asked any more")) as server:
            url = url_of(server)
            waiting = [pool.submit(connect, url, legacy=True) for _ in range(3)]
            with server._changed:
                assert server._changed.wait_for(lambda: len(server._jobs) == 3, WAIT)
        for attempt in waiting:
            with pytest.raises(sockline.InvalidStatus) as caught:
                attempt.result(WAIT)
            assert caught.value.response.status_code == 503
    server.shutdown()
    server.serve_forever()  # returns at once


def test_connections_that_open_meanwhile_are_refused_by_a_server_that_ends() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def process_request(connection: Any, request: Any) -> None:
        asked.set()
        go_on.wait(WAIT)

    server = serve(echo, "127.0.0.1", 0, process_request=process_request)
    with ThreadPoolExecutor() as pool, serving(server):
        connecting = pool.submit(connect, url_of(server), legacy=True)
        asked.wait(WAIT)
        ending = pool.submit(server.shutdown)
        with server._changed:
            assert server._changed.wait_for(lambda: not server._serving, WAIT)
        go_on.set()
        with pytest.raises(sockline.InvalidStatus) as caught:
            connecting.result(WAIT)
        assert caught.value.response.status_code == 503
        ending.result(WAIT)


def test_a_client_that_leaves_during_the_handshake_has_no_handler() -> None:
    asked, go_on = threading.Event(), threading.Event()
    handled: list[Any] = []

    def process_request(connection: Any, request: Any) -> None:
        asked.set()
        go_on.wait(WAIT)

    server = serve(handled.append, "127.0.0.1", 0, process_request=process_request)
    with serving(server):
        with pytest.raises(TimeoutError):
            connect(url_of(server), open_timeout=0.2)
        assert asked.is_set()
        go_on.set()
    assert not handled and not server.handler_threads


def test_a_handler_can_not_wait_for_itself() -> None:
    raised: list[Any] = []

    def handler(connection: ServerConnection) -> None:
        try:
            connection.server.shutdown()
        except RuntimeError as error:
            raised.append(error)

    server = serve(handler, "127.0.0.1", 0)
    with serving(server), connect(url_of(server)) as connection:
        connection.wait_closed()
    assert raised


def test_a_thread_that_sends_and_one_that_receives(capfd: pytest.CaptureFixture[str]) -> None:
    count = 3000
    with served(serve) as url, connect(url) as connection, ThreadPoolExecutor() as pool:
        sending = pool.submit(lambda: [connection.send(str(number)) for number in range(count)])
        assert [connection.recv(WAIT) for _ in range(count)] == [str(number) for number in range(count)]
        sending.result(WAIT)


def test_what_another_connection_fails_to_give_ends_this_one() -> None:
    """A message that is handed on in parts, and whose sender has gone in the midst of it."""

    def parts() -> Iterator[str]:
        yield "a"
        raise sockline.ConnectionClosedOK(None, None)

    with served(serve) as url, connect(url) as connection:
        with pytest.raises(TypeError):
            connection.send([1])  # type: ignore[list-item]
        connection.send("nothing had begun")
        assert connection.recv() == "nothing had begun"
        with pytest.raises(sockline.ConnectionClosedOK):
            connection.send(parts())
        with pytest.raises(sockline.ConnectionClosedError) as caught:
            connection.recv()
        assert caught.value.sent is not None and caught.value.sent.code == 1011


def test_many_threads_with_connections_of_their_own() -> None:
    def talk(name: int) -> list[Any]:
        with connect(url) as connection:
            for number in range(20):
                connection.send(f"{name}:{number}")
            return [connection.recv(WAIT) for _ in range(20)]

    with served(serve) as url, ThreadPoolExecutor(32) as pool:
        for name, received in enumerate(pool.map(talk, range(64))):
            assert received == [f"{name}:{number}" for number in range(20)]


def test_the_end_comes_once_whoever_begins_with_it() -> None:
    """Both sides close at the same time, over and over: each hears what the other one has sent, or its own answer."""
    go = threading.Barrier(2)

    def handler(connection: ServerConnection) -> None:
        go.wait(WAIT)
        connection.close(4002)

    with served(serve, handler) as url:
        for _ in range(50):
            with connect(url) as connection:
                go.wait(WAIT)
                connection.close(4001)
                with pytest.raises(sockline.ConnectionClosedError) as caught:
                    connection.recv()
                error = caught.value
                assert error.rcvd is not None and error.sent is not None
                codes = (error.rcvd.code, error.sent.code, error.rcvd_then_sent)
                assert codes in {(4001, 4001, False), (4002, 4001, False), (4002, 4002, True)}


def run_script(script: str, *, send: int | None = None) -> tuple[str, str, int]:
    """Runs a program; ``send`` is a signal that it gets when it says that it is ready."""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        out = process.stdout.readline()
        if send is not None:
            assert out == "ready\n"
            process.send_signal(send)
        out += process.stdout.read()
        return out, process.stderr.read(), process.wait(WAIT)


SERVE = """
import signal, threading
from sockline.sync.client import connect
from sockline.sync.server import serve

def handler(connection):
    for message in connection:
        connection.send(message)

with serve(handler, "127.0.0.1", 0) as server:
    url = "ws://127.0.0.1:%d" % server.socket.getsockname()[1]
    {0}
print("closed")
"""


def test_a_signal_handler_can_end_a_server() -> None:
    body = """
    signal.signal(signal.SIGTERM, lambda *_: server.shutdown())
    def client():
        with connect(url) as connection:
            connection.send("x")
            connection.recv()
            print("ready", flush=True)
            list(connection)
    thread = threading.Thread(target=client)
    thread.start()
    server.serve_forever()
    thread.join()
"""
    assert run_script(SERVE.format(body), send=signal.SIGTERM) == ("ready\nclosed\n", "", 0)


def test_ctrl_c_ends_a_server() -> None:
    body = """
    try:
        print("ready", flush=True)
        server.serve_forever()
    except KeyboardInterrupt:
        pass
"""
    assert run_script(SERVE.format(body), send=signal.SIGINT) == ("ready\nclosed\n", "", 0)


def test_ctrl_c_interrupts_a_client_that_waits() -> None:
    body = """
    threading.Thread(target=server.serve_forever).start()
    with connect(url) as connection:
        connection.send("x")
        connection.recv()
        try:
            print("ready", flush=True)
            connection.recv()
        except KeyboardInterrupt:
            connection.send("still fine")
            print(connection.recv())
"""
    assert run_script(SERVE.format(body), send=signal.SIGINT) == ("ready\nstill fine\nclosed\n", "", 0)


def test_what_was_sent_last_leaves_at_the_interpreters_end() -> None:
    received: list[Any] = []

    def handler(connection: ServerConnection) -> None:
        try:
            received.extend(connection)
        finally:
            received.append("end")

    script = """
import sys
from sockline.sync.client import connect
connection = connect(sys.argv[-1], legacy=True)
for number in range(100):
    connection.send(str(number))
print("done")
"""
    with served(serve, handler) as url:
        ran = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True, timeout=WAIT)
        assert (ran.stdout, ran.stderr, ran.returncode) == ("done\n", "", 0)
    assert received == [*map(str, range(100)), "end"]


def test_a_fork_is_refused() -> None:
    script = """
import os
from sockline.sync.client import connect
connection = connect({url!r}, legacy=True)
child = os.fork()
if child == 0:
    for call in (connection.recv, connection.close, lambda: connect({url!r})):
        try:
            call()
        except RuntimeError as error:
            print(type(error).__name__, flush=True)
    os._exit(0)
os.waitpid(child, 0)
connection.send("still there")
print(connection.recv())
connection.close()
"""
    with served(serve) as url:
        expected = "RuntimeError\n" * 3 + "still there\n"
        assert run_script(script.format(url=url)) == (expected, "", 0)


def test_routes() -> None:
    from werkzeug.routing import Map, Rule

    from sockline.sync.router import route

    def channel(connection: ServerConnection, number: int) -> None:
        connection.send(f"channel {number + 1}")

    rules = Map([Rule("/channel/<int:number>", endpoint=channel), Rule("/old", redirect_to="channel/41")])

    def process_request(connection: Any, request: sockline.Request) -> Any:
        return connection.respond(403, "no") if request.path == "/secret" else None

    with serving(route(rules, "127.0.0.1", 0, process_request=process_request)) as server:
        url = url_of(server)
        for path in ("/channel/41", "/old"):
            with connect(url + path) as connection:
                assert connection.recv() == "channel 42"
        for path, status in (("/secret", 403), ("/nowhere", 404)):
            with pytest.raises(sockline.InvalidStatus) as caught:
                connect(url + path)
            assert caught.value.response.status_code == status


def test_limits_and_numbers() -> None:
    server = serve(echo, "127.0.0.1", 0, max_connections=1, metrics_path="/metrics")
    with serving(server), connect(url_of(server)) as connection:
        connection.send("x")
        connection.recv()
        assert server.metrics().connections == 1
        with pytest.raises(sockline.InvalidStatus) as caught:
            connect(url_of(server))
        assert caught.value.response.status_code == 503
        metrics = connection.metrics()
        assert metrics is not None and metrics.messages_out == 1


def test_the_families_of_addresses() -> None:
    for family, host, expected in (
        (socket.AF_INET, None, "0.0.0.0"),
        (socket.AF_INET, "localhost", "127.0.0.1"),
        (socket.AF_INET6, "::1", "::1"),
    ):
        with serving(serve(echo, host, 0, family=family)) as server:
            assert server.socket.getsockname()[0] == expected
            assert server.socket.family == family
    with pytest.raises(OSError, match="::1"):
        serve(echo, "::1", 0)


def test_unix_paths_can_be_bytes(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "socket")
    with serving(unix_serve(echo, path)), unix_connect(path) as connection:
        connection.send("x")
        assert connection.recv() == "x"


def test_redirects_over_unix_sockets_stay_there(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    targets = {"/": "ws://localhost/there?x", "/other": "ws://other/", "/loop": "/loop"}

    def redirect(connection: Any, request: Any) -> Any:
        if request.path not in targets:
            return None
        response = connection.respond(http.HTTPStatus.FOUND, "")
        response.headers["Location"] = targets[request.path]
        return response

    with serving(unix_serve(echo, path, process_request=redirect)):
        with unix_connect(path) as connection:
            assert connection.request is not None and connection.request.path == "/there?x"
        with pytest.raises(ValueError, match="cross-origin redirect to ws://other/ with a Unix socket"):
            unix_connect(path, "ws://localhost/other")
        with pytest.raises(sockline.SecurityError, match="more than 10 redirects"):
            unix_connect(path, "ws://localhost/loop")


def test_records_of_a_connection_have_it(caplog: pytest.LogCaptureFixture) -> None:
    """As in websockets, whose documentation has formatters and adapters that use it."""
    reached: list[Any] = []

    class Adapter(logging.LoggerAdapter[Any]):
        def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
            return f"{kwargs['extra']['websocket'].id} {msg}", kwargs

    def handler(connection: ServerConnection) -> None:
        reached.append(connection)
        connection.logger.warning("from the handler")

    adapter = Adapter(logging.getLogger("sockline.test"), None)
    with serving(serve(handler, "127.0.0.1", 0)) as server, connect(url_of(server)) as connection:
        connection.logger.warning("from the client")
        connection.logger = logging.getLogger("sockline.own")
        assert connection.logger.name == "sockline.own"
        with pytest.raises(sockline.ConnectionClosedOK):
            connection.recv()
    records = {record.getMessage(): getattr(record, "websocket", None) for record in caplog.records}
    assert records["from the client"] is connection
    assert records["from the handler"] is reached[0]
    with serving(serve(echo, "127.0.0.1", 0)) as server, connect(url_of(server), logger=adapter) as connection:
        connection.logger.warning("adapted")
        assert f"{connection.id} adapted" in caplog.messages


def test_the_example_runs() -> None:
    example = Path(__file__).parents[2] / "examples/python/echo_threads.py"
    ran = subprocess.run([sys.executable, example, "to", "itself"], capture_output=True, text=True, timeout=WAIT)
    assert (ran.stdout, ran.stderr, ran.returncode) == ("to itself\n", "", 0)


def test_what_was_sent_before_a_close_arrives_before_it() -> None:
    """Closing is done by another thread, which must not be faster than the messages."""
    with served(serve, lambda connection: [connection.send(str(number)) for number in range(50)]) as url:
        for _ in range(100):
            with connect(url) as connection:
                assert list(connection) == [str(number) for number in range(50)]
