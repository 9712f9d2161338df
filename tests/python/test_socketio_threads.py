"""`Server`, `Client` and `SimpleClient`, for programs with threads."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import socketio as foreign
from io_peers import PEERS, WAIT, install

from sockline import socketio
from sockline._drivers import post_to_thread
from sockline.socketio.exceptions import ConnectionError, ConnectionLostError, DisconnectedError

CLIENTS: Any = pytest.mark.parametrize("make", [foreign.Client, socketio.Client], ids=["foreign", "ours"])


@contextmanager
def serving(sio: socketio.Server, **options: Any) -> Iterator[str]:
    with sio.listen("127.0.0.1", 0, **options) as listener:
        yield f"http://127.0.0.1:{listener.port}"


@contextmanager
def connected(make: Any, url: str, **options: Any) -> Iterator[Any]:
    client = make(**({"reconnection": False} | options.pop("client", {})))
    heard: queue.Queue[Any] = queue.Queue()
    client.heard = heard
    for namespace in options.get("namespaces", ["/"]):
        client.on("*", lambda event, *values: heard.put((event, *values)), namespace)
    client.connect(url, wait_timeout=WAIT, **options)
    try:
        yield client
    finally:
        if client.connected:
            client.call("still there") if client.get_sid() else None
            client.disconnect()


@contextmanager
def node_serving() -> Iterator[str]:
    """The URL of the official server."""
    install()
    process = subprocess.Popen(
        ["node", PEERS / "io_server.mjs", "{}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{json.loads(process.stdout.readline())[1]}"
    finally:
        process.communicate(timeout=WAIT)


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def echo_server(**options: Any) -> socketio.Server:
    sio = socketio.Server(**options)
    sio.on("echo", lambda sid, *values: values)
    sio.on("still there", lambda sid: None)
    return sio


@CLIENTS
@pytest.mark.parametrize("transports", [["polling"], ["websocket"], None], ids=str)
def test_client_and_server_ask_each_other(make: Any, transports: Any) -> None:
    sio = echo_server()
    asked: queue.Queue[Any] = queue.Queue()

    @sio.on("ask me")
    def ask_me(sid: str, value: Any) -> None:
        asked.put(sio.call("question", (value, b"x"), to=sid, timeout=WAIT))
        sio.emit("question", value, to=sid, callback=lambda *answer: asked.put(answer))

    with serving(sio) as url, connected(make, url, transports=transports) as client:
        assert client.call("echo", (1, b"2", {"three": [b"3"]})) == (1, b"2", {"three": [b"3"]})
        client.on("question", lambda *values: (*values, threading.current_thread() is not threading.main_thread()))
        client.emit("ask me", "value")
        assert asked.get(timeout=WAIT) == ("value", b"x", True)
        assert asked.get(timeout=WAIT) == ("value", True)


@CLIENTS
def test_handlers_may_wait(make: Any) -> None:
    sio = echo_server()
    gate = threading.Event()

    @sio.event
    def wait(sid: str) -> bool:
        return gate.wait(WAIT)

    @sio.event
    def open_gate(sid: str) -> None:
        gate.set()

    with serving(sio) as url, connected(make, url) as client:
        answers: queue.Queue[Any] = queue.Queue()
        for _ in range(5):
            client.emit("wait", callback=answers.put)
        client.emit("open_gate")
        assert [answers.get(timeout=WAIT) for _ in range(5)] == [True] * 5


def test_without_async_handlers_a_clients_events_wait_for_each_other() -> None:
    sio = echo_server(async_handlers=False)
    running: list[str] = []

    @sio.event
    def work(sid: str, number: int) -> int:
        running.append(sid)
        time.sleep(0.002)
        assert running.count(sid) == 1
        running.remove(sid)
        return number

    with serving(sio) as url, connected(socketio.Client, url) as client:
        answers: queue.Queue[Any] = queue.Queue()
        for number in range(20):
            client.emit("work", number, callback=answers.put)
        assert sorted(answers.get(timeout=WAIT) for _ in range(20)) == list(range(20))
        with pytest.raises(RuntimeError):
            sio.call("question", to=client.get_sid())


@CLIENTS
def test_connect_handlers_decide_and_disconnect_handlers_hear_the_reason(make: Any) -> None:
    sio = echo_server()
    gone: queue.Queue[Any] = queue.Queue()

    @sio.event
    def connect(sid: str, environ: Any, auth: Any) -> Any:
        if auth == {"who": "nobody"}:
            raise socketio.exceptions.ConnectionRefusedError("not you", 1)
        if auth == {"who": "false"}:
            return False
        sio.enter_room(sid, "room")
        with sio.session(sid) as session:
            session["path"] = environ["PATH_INFO"]
        sio.emit("early", to=sid)
        return None

    @sio.event
    def disconnect(sid: str, reason: str) -> None:
        gone.put((sid, reason, sio.rooms(sid), sio.get_session(sid)))

    with serving(sio) as url:
        for who in ("nobody", "false"):
            with pytest.raises((ConnectionError, foreign.exceptions.ConnectionError)):
                with connected(make, url, auth={"who": who}):
                    pass
        with connected(make, url, auth={"who": "me"}) as client:
            sid = client.get_sid()
            if make is socketio.Client:
                assert client.heard.get(timeout=WAIT) == ("early",)
            sio.disconnect(sid)
            assert gone.get_nowait() == (sid, "server disconnect", [sid, "room"], {"path": "/socket.io/"})
            until(lambda: not client.connected)
    assert not any(sio._of_clients())


def test_namespaces_as_classes() -> None:
    class Chat(socketio.Namespace):
        def on_connect(self, sid: str, environ: Any) -> None:
            self.save_session(sid, {"name": "me"})

        def on_msg(self, sid: str, text: str) -> Any:
            self.emit("said", text)
            self.enter_room(sid, "a")
            self.leave_room(sid, "a")
            self.close_room("a")
            with self.session(sid) as session:
                return [self.rooms(sid), session]

    class Client(socketio.ClientNamespace):
        heard: queue.Queue[str] = queue.Queue()

        def on_said(self, text: str) -> None:
            self.heard.put(text)

    sio = socketio.Server()
    sio.register_namespace(Chat("/chat"))
    with pytest.raises(ValueError):
        sio.register_namespace(socketio.AsyncNamespace("/chat"))
    with serving(sio) as url:
        client = socketio.Client()
        chat = Client("/chat")
        client.register_namespace(chat)
        client.connect(url, wait_timeout=WAIT)
        assert chat.call("msg", "hi") == [[client.get_sid("/chat")], {"name": "me"}]
        assert chat.heard.get(timeout=WAIT) == "hi"
        chat.disconnect()


def test_calls_end_in_time_and_with_the_connection() -> None:
    sio = echo_server()
    gate = threading.Event()
    sio.on("never", lambda sid: gate.wait(WAIT))
    with serving(sio) as url, connected(socketio.Client, url) as client:
        with pytest.raises(socketio.exceptions.TimeoutError):
            client.call("never", timeout=0.02)
        threading.Timer(0.05, client.disconnect).start()
        with pytest.raises(ConnectionLostError):
            client.call("never", timeout=WAIT)
        client.wait()
        gate.set()
        with pytest.raises(socketio.exceptions.TimeoutError):
            sio.call("anything", to="nobody", timeout=WAIT)


def test_a_client_comes_back() -> None:
    client = socketio.Client(reconnection_delay=0.02, randomization_factor=0)
    reasons: queue.Queue[str] = queue.Queue()
    client.on("disconnect", reasons.put)
    with node_serving() as url:
        client.connect(url, transports=["websocket"], wait_timeout=WAIT)
        before = client.get_sid()
        client.emit("drop me")
        assert reasons.get(timeout=WAIT) == "transport error"
        until(lambda: client.connected and client.get_sid() != before)
        assert client.call("echo", 1) == 1
        client.disconnect()


def test_a_client_gives_up_and_may_be_stopped(unused_port: int) -> None:
    client = socketio.Client(reconnection_attempts=2, reconnection_delay=0.01, randomization_factor=0)
    with pytest.raises(ConnectionError):
        client.connect(f"http://127.0.0.1:{unused_port}", retry=True)
    client = socketio.Client(reconnection_delay=1000)
    sio = echo_server()
    with serving(sio) as url:
        client.connect(url, wait_timeout=WAIT)
    until(lambda: client._comeback.is_running)
    client.shutdown()
    client.wait()


def test_the_simple_client_receives_in_order() -> None:
    sio = echo_server()

    @sio.event
    def count(sid: str, number: int) -> None:
        for value in range(number):
            sio.emit("number", value, to=sid)

    with serving(sio) as url, socketio.SimpleClient(reconnection=False) as client:
        client.connect(url)
        assert client.call("echo", (1, 2)) == (1, 2)
        client.emit("count", 100)
        assert [client.receive(timeout=WAIT) for _ in range(100)] == [["number", value] for value in range(100)]
        with pytest.raises(socketio.exceptions.TimeoutError):
            client.receive(timeout=0.01)
        assert client.sid and client.transport in ("polling", "websocket")
        sio.disconnect(client.sid)
        with pytest.raises(DisconnectedError):
            client.receive(timeout=WAIT)
        with pytest.raises(DisconnectedError):
            client.call("echo")


def test_many_threads_emit_at_once() -> None:
    sio = echo_server()
    with serving(sio) as url, connected(socketio.Client, url) as client:
        sid = client.get_sid()

        def emit(thread: int) -> None:
            for number in range(200):
                sio.emit("from", (thread, number), to=sid)
                sio.enter_room(sid, f"{thread}")
                sio.emit("room", number, room=f"{thread}", skip_sid=sid)
                sio.leave_room(sid, f"{thread}")

        threads = [threading.Thread(target=emit, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        got = [client.heard.get(timeout=WAIT) for _ in range(8 * 200)]
        for thread in threads:
            thread.join()
        assert sorted(value[1:] for value in got) == sorted((thread, number) for thread in range(8) for number in range(200))


def test_who_reads_slowly_is_waited_for_and_no_answer_on_the_engines_thread() -> None:
    sio = echo_server()
    with serving(sio) as url, connected(socketio.Client, url) as client:
        assert sio.drained(client.get_sid(), timeout=WAIT)
        assert sio.drained("nobody", timeout=WAIT)
        assert not sio._drains
        told: queue.Queue[Any] = queue.Queue()

        def on_the_engines_thread() -> None:
            try:
                client.call("echo", 1)
            except RuntimeError as error:
                told.put(error)

        post_to_thread(on_the_engines_thread)
        assert "engine" in str(told.get(timeout=WAIT))


def test_shutdown_disconnects_all() -> None:
    sio = echo_server()
    with serving(sio) as url, connected(socketio.Client, url) as client:
        sio.shutdown()
        until(lambda: not client.connected)


def test_programs_end_while_they_serve_and_at_an_interrupt(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import os, signal, sys, threading\n"
        "from sockline import socketio\n"
        "sio = socketio.Server()\n"
        "listener = sio.listen('127.0.0.1', 0)\n"
        "client = socketio.Client()\n"
        "gone = threading.Event()\n"
        "client.on('disconnect', lambda reason: (print(reason, flush=True), gone.set()))\n"
        "client.connect(f'http://127.0.0.1:{listener.port}', wait_timeout=20)\n"
        "if sys.argv[1] == 'interrupt':\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        client.wait()\n"
        "    except KeyboardInterrupt:\n"
        "        gone.wait(20)\n"
        "        print('interrupted')\n"
    )
    for how, told in (("end", ""), ("interrupt", "client disconnect\ninterrupted\n")):
        done = subprocess.run([sys.executable, program, how], capture_output=True, text=True, timeout=WAIT)
        assert (done.returncode, done.stdout, done.stderr) == (0, told, "")


def test_handlers_exceptions_are_reported_as_those_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: queue.Queue[Any] = queue.Queue()
    monkeypatch.setattr(threading, "excepthook", lambda told: raised.put(told.exc_value))
    sio = echo_server()

    @sio.event
    def fail(sid: str) -> None:
        raise RuntimeError("a bug")

    with serving(sio) as url, connected(socketio.Client, url) as client:
        client.emit("fail")
        assert str(raised.get(timeout=WAIT)) == "a bug"
        assert client.call("echo", 1) == 1
