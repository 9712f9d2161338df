"""What python-socketio takes and has beside its classes and methods, which test_compat.py compares: options, reasons, exceptions, loggers."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterator
from typing import Any

import engineio
import pytest
import requests
import socketio as foreign
from conftest import Run
from io_peers import WAIT, echo_server, our_io
from socketio.packet import Packet

from sockline import socketio
from sockline.socketio._http_session import told
from sockline.socketio._logs import log_engine

PASSED_ON = {"Client": engineio.Client, "AsyncClient": engineio.AsyncClient}
PASSED_ON |= {"Server": engineio.Server, "AsyncServer": engineio.AsyncServer}
"""Whose options the constructors take as well."""

RENAMED = {"logger": "engineio_logger"}
"""Options of engineio's that go by another name."""

TAKEN_OVER = {"async_handlers", "json", "handle_sigint"}
"""Options of engineio's that python-socketio sets itself."""


def arguments(function: Any) -> list[tuple[str, Any]]:
    skipped = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [(name, value.default) for name, value in inspect.signature(function).parameters.items() if value.kind not in skipped]


@pytest.mark.parametrize("name", PASSED_ON)
def test_what_is_passed_on_to_engineio_is_taken_as_well(name: str) -> None:
    make: Any = getattr(socketio, name)
    for option, default in arguments(PASSED_ON[name]):
        if option not in TAKEN_OVER:
            make(**{RENAMED.get(option, option): default})
    with pytest.raises(TypeError):
        make(no_such_option=1)


@pytest.mark.parametrize("name", PASSED_ON)
def test_reasons_are_the_same(name: str) -> None:
    theirs, ours = getattr(foreign, name).reason, getattr(socketio, name).reason
    for reason in vars(theirs):
        if not reason.startswith("_") and hasattr(ours, reason):
            assert getattr(ours, reason) == getattr(theirs, reason)


def test_exceptions_have_the_same_names() -> None:
    for name, value in inspect.getmembers(foreign.exceptions, inspect.isclass):
        ours = getattr(socketio.exceptions, name)
        assert [base.__name__ for base in ours.__mro__] == [base.__name__ for base in value.__mro__]


def session(**attributes: Any) -> requests.Session:
    made = requests.Session()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (socketio.Server, {"client_manager": object()}, "client managers can be"),
    (socketio.RedisManager, {"redis_options": {"max_connections": 5}}, "max_connections=5"),
    (socketio.Server, {"client_manager": socketio.RedisManager(write_only=True)}, "write_only"),
    (socketio.Server, {"client_manager": socketio.RedisManager(), "serializer": Packet}, "a serializer of one's own"),
    (socketio.Server, {"connection_state_recovery": True, "serializer": Packet}, "a serializer of one's own"),
    (socketio.Server, {"async_mode": "gevent"}, "async_mode can be 'threading', not 'gevent'"),
    (socketio.AsyncServer, {"async_mode": "sanic"}, "async_mode can be 'asgi' and 'aiohttp', not 'sanic'"),
    (socketio.Server, {"monitor_clients": False}, "monitor_clients"),
    (socketio.Client, {"serializer": "pickle"}, "serializer must be"),
    (socketio.Client, {"websocket_extra_options": {"origin": "a"}}, "websocket_extra_options"),
    (socketio.Client, {"http_session": object()}, "requests.Session"),
    (socketio.Client, {"http_session": session(params={"a": "b"})}, "params"),
    (socketio.Client, {"http_session": session(auth=requests.auth.HTTPDigestAuth("a", "b"))}, "auth"),
    (socketio.Client, {"http_session": session(proxies={"http": "http://a", "https": "http://b"})}, "proxies"),
    (socketio.Server().instrument, {"auth": False, "server_stats_interval": 5}, "server_stats_interval"),
    (socketio.Server().instrument, {"auth": [{"username": "a", "password": "b"}]}, "auth"),
    (socketio.Server().instrument, {"auth": lambda given: True}, "auth"),
]


@pytest.mark.parametrize(("call", "options", "why"), REFUSED, ids=[f"{next(iter(entry[1]))}-{i}" for i, entry in enumerate(REFUSED)])
def test_what_can_not_be_done_is_refused_in_so_many_words(call: Any, options: dict[str, Any], why: str) -> None:
    with pytest.raises(NotImplementedError, match=re.escape(why)):
        call(**options)


def test_what_a_session_of_requests_was_told_is_kept() -> None:
    kept = told(session(auth=("me", "secret"), proxies={"http": "http://p:1", "https": "http://p:1"}))
    assert kept.headers == {"Authorization": "Basic bWU6c2VjcmV0"} and kept.proxy == "http://p:1"
    assert told(session(trust_env=False)).proxy is False and told(session()).proxy is True


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def engine_logger() -> Iterator[logging.Logger]:
    """The engine's, which is left as it was."""
    logger = logging.getLogger("sockline")
    level, handlers = logger.level, logger.handlers[:]
    logger.setLevel(logging.NOTSET)
    yield logger
    logger.setLevel(level)
    logger.handlers[:] = handlers


def test_the_engines_lines_go_where_they_are_wanted(engine_logger: logging.Logger) -> None:
    before = engine_logger.handlers[:]
    log_engine(None)
    log_engine(False)
    assert engine_logger.handlers == before and engine_logger.level == logging.NOTSET
    mine, lines = logging.Logger("mine", logging.INFO), Lines()
    mine.addHandler(lines)
    for _ in range(2):
        log_engine(mine)
    engine_logger.info("a %s", "line")
    engine_logger.debug("another one")
    assert lines.lines == ["a line"]
    engine_logger.handlers[:] = before
    engine_logger.setLevel(logging.NOTSET)
    log_engine(True)
    assert engine_logger.level == logging.INFO and len(engine_logger.handlers) == len(before) + 1


def test_a_logger_needs_only_methods(run: Run, engine_logger: logging.Logger) -> None:
    class Compatible:
        lines: list[tuple[str, str]] = []

        def __getattr__(self, level: str) -> Any:
            if level not in ("debug", "info", "warning", "error"):
                raise AttributeError(level)
            return lambda text, *values: self.lines.append((level, text % values))

    logger: Any = Compatible()
    sio, client = echo_server(logger=logger, engineio_logger=logger), socketio.AsyncClient(logger=logger)

    async def main() -> None:
        async with our_io(sio) as url:
            await client.connect(url, wait_timeout=WAIT)
            assert await client.call("echo", 1) == 1
            await client.disconnect()

    run(main())
    assert ("info", 'Emitting event "echo" [/]') in logger.lines
    for level in ("debug", "info", "warning", "error"):
        engine_logger.setLevel(logging.DEBUG)
        getattr(engine_logger, level)("a line of %s", "the engine")
        assert logger.lines[-1] == (level, "a line of the engine")


def test_loggers_are_told_what_goes_on(run: Run) -> None:
    def logger(name: str) -> tuple[logging.Logger, list[str]]:
        made, handler = logging.Logger(name, logging.INFO), Lines()
        made.addHandler(handler)
        return made, handler.lines

    of_server, of_client = logger("server"), logger("client")
    sio = echo_server(logger=of_server[0])

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        await sio.enter_room(sid, "room")
        await sio.emit("welcome", room="room")

    async def main() -> None:
        async with our_io(sio) as url:
            client = socketio.AsyncClient(logger=of_client[0])
            await client.connect(url, namespaces="/")
            sid = client.get_sid()
            assert await client.call("echo", 1) == 1
            await client.disconnect()
        assert {
            f"{sid} is entering room room [/]",
            'emitting event "welcome" to room [/]',
            f"{sid} is connected [/]",
            f'received event "echo" from {sid} [/]',
            f"{sid} is disconnected: client disconnect [/]",
        } <= set(of_server[1])
        assert {
            "Namespace / is connected",
            'Emitting event "echo" [/]',
            'Received event "welcome" [/]',
            "The connection has ended: client disconnect",
        } <= set(of_client[1])

    run(main())
    of_server[1].clear(), of_client[1].clear()
