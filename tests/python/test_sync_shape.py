"""``sockline.sync`` has the names and signatures of ``websockets.sync``."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

MODULES = ["client", "server", "router"]

INNARDS = {
    # Of the connection over a socket of its own and a Sans-I/O protocol, neither of which the engine has.
    "acknowledge_pings",
    "close_exc",
    "close_socket",
    "handshake",
    "keepalive",
    "maybe_raise_legacy_warning",
    "process_event",
    "recv_bufsize",
    "recv_events",
    "send_context",
    "send_data",
    "set_connection_exc",
    "start_keepalive",
    "terminate_pending_pings",
    # Of the attempt to connect.
    "enable_tls",
    "open_connection",
    "open_socket",
    "process_redirect",
    # Of the server, which does not poll.
    "SHUTDOWN_POLLING_INTERVAL",
}
"""Public by their names, and not documented."""

OWN_VALUES = {"user_agent_header", "server_header"}
"""Defaults that name the library."""


def both(name: str) -> tuple[Any, Any]:
    return importlib.import_module(f"websockets.sync.{name}"), importlib.import_module(f"sockline.sync.{name}")


def parameters(call: Any) -> list[tuple[Any, ...]]:
    return [
        (name, parameter.kind, "own" if name in OWN_VALUES else getattr(parameter.default, "__name__", parameter.default))
        for name, parameter in inspect.signature(call).parameters.items()
    ]


@pytest.mark.parametrize("module", MODULES)
def test_modules_have_the_same_names(module: str) -> None:
    theirs, ours = both(module)
    assert sorted(theirs.__all__) == sorted(ours.__all__)


def test_the_former_name_of_the_server_is_known() -> None:
    for module in both("server"):
        with pytest.warns(DeprecationWarning, match="WebSocketServer was renamed to Server"):
            assert module.WebSocketServer is module.Server
        with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
            getattr(module, "Nothing")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("client", "connect"),
        ("client", "reconnect"),
        ("client", "unix_connect"),
        ("client", "unix_reconnect"),
        ("server", "serve"),
        ("server", "unix_serve"),
        ("server", "broadcast"),
        ("server", "basic_auth"),
        ("router", "route"),
        ("router", "unix_route"),
        ("router", "Router"),
    ],
)
def test_functions_have_the_same_signatures(module: str, name: str) -> None:
    theirs, ours = both(module)
    assert parameters(getattr(theirs, name)) == parameters(getattr(ours, name))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("client", "ClientConnection"),
        ("client", "reconnect"),
        ("server", "ServerConnection"),
        ("server", "Server"),
        ("router", "Router"),
    ],
)
def test_classes_have_the_same_methods(module: str, name: str) -> None:
    theirs, ours = (getattr(side, name) for side in both(module))
    special = {"__enter__", "__exit__", "__iter__"}
    names = {one for one in dir(theirs) if not one.startswith("_") or one in special} - INNARDS
    assert names <= set(dir(ours))
    for one in names:
        method = inspect.getattr_static(theirs, one)
        if inspect.isfunction(method):
            assert parameters(method)[1:] == parameters(getattr(ours, one))[1:], one
        else:
            assert isinstance(inspect.getattr_static(ours, one), type(method)), one
