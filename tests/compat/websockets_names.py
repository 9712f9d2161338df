"""What of websockets' APIs for asyncio and for threads is here."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import inspect
import pkgutil
import queue
import threading
from collections.abc import Iterator
from typing import Any

import websockets

import sockline
from tables import MISSING, SUPPORTED, Name, Section, members, module_names, names_of, public, tried

PRIVATE = {"websockets.__main__", "websockets.imports", "websockets.speedups", "websockets.version"}
"""Modules that are no business of applications'."""

WHOLE = ("websockets.legacy", "websockets.trio")
"""APIs of their own: as long as there is no such package here, their modules are one row."""

OF_ASYNCIO = {
    "connect": "happy_eyeballs_delay interleave family proto flags sock local_addr server_hostname ssl host port all_errors "
    "ssl_handshake_timeout ssl_shutdown_timeout",
    "serve": "family flags sock backlog ssl reuse_address reuse_port keep_alive ssl_handshake_timeout ssl_shutdown_timeout start_serving",
}
"""What `**kwargs` may be: arguments of the loop's `create_connection` and `create_server`, in any version of Python."""

OF_SOCKETS = {"connect": "address timeout source_address all_errors", "serve": "family backlog reuse_port dualstack_ipv6"}
"""What it may be with threads: arguments of `socket.create_connection` and `socket.create_server`."""

ANY = object()
VALUES: dict[str, Any] = {
    "happy_eyeballs_delay": 0.1,
    "interleave": 2,
    "family": 2,
    "proto": 132,
    "flags": 2,
    "local_addr": ("127.0.0.1", 0),
    "server_hostname": "localhost",
    "host": "localhost",
    "port": 80,
    "ssl_handshake_timeout": 1.0,
    "ssl_shutdown_timeout": 1.0,
    "backlog": 5,
    "reuse_address": False,
    "reuse_port": True,
    "keep_alive": True,
    "start_serving": False,
    "all_errors": True,
    "address": ("localhost", 1),
    "timeout": 1.0,
    "source_address": ("127.0.0.1", 0),
    "dualstack_ipv6": False,
}
"""A value of each that asks for something; another one would do as well."""


def sections() -> list[Section]:
    found = [modules(), module_names(websockets, sockline, "websockets"), deprecated()]
    found += [section for name in shared_modules() if (section := of_module(name)).names]
    found += [arguments("connect", sockline.connect, websockets.connect), arguments("serve", sockline.serve, websockets.serve)]
    living = {lib: asyncio.run(alive(lib)) for lib in (websockets, sockline)}
    for name in ("connect", "ClientConnection", "ServerConnection", "Server"):
        found.append(members(living[websockets][name], living[sockline][name], name))
    for name in ("Headers", "Request", "Response", "Close", "CloseCode", "State"):
        found.append(without(dir(int), members(example(websockets, name), example(sockline, name), name)))
    return found + exceptions() + of_sync()


def of_sync() -> list[Section]:
    """The API that threads wait for."""
    with alive_in_threads("websockets") as theirs, alive_in_threads("sockline") as ours:
        found = [arguments_of_sync(name, theirs[name], ours[name]) for name in ("connect", "serve")]
        living = ("reconnect", "ClientConnection", "ServerConnection", "Server")
        return found + [members(theirs[name], ours[name], f"sync.{name}") for name in living]


def arguments_of_sync(name: str, theirs: Any, ours: Any) -> Section:
    def use(argument: str) -> Name:
        values = {argument: VALUES[argument]}
        if name == "connect":
            return tried(argument, lambda: ours("ws://localhost:1", proxy=None, **values, legacy=False))
        return tried(argument, lambda: ours(None, "127.0.0.1", 0, **values).shutdown())

    section = signature(f"Arguments of `sync.{name}`", theirs, ours)
    section.names += [use(one) for one in OF_SOCKETS[name].split()]
    return section


@contextlib.contextmanager
def alive_in_threads(lib: str) -> Iterator[dict[str, Any]]:
    """The functions, and an object of each kind, of a connection that is open."""
    client, server = (importlib.import_module(f"{lib}.sync.{name}") for name in ("client", "server"))
    accepted: queue.SimpleQueue[object] = queue.SimpleQueue()

    def handler(connection: Any) -> None:
        accepted.put(connection)
        for _ in connection:
            pass

    with server.serve(handler, "127.0.0.1", 0) as listening:
        serving = threading.Thread(target=listening.serve_forever)
        serving.start()
        with client.reconnect("ws://127.0.0.1:%d" % listening.socket.getsockname()[1], proxy=None) as connection:
            yield {
                "connect": client.connect,
                "serve": server.serve,
                "reconnect": client.reconnect("ws://localhost:1", proxy=None),
                "ClientConnection": connection,
                "ServerConnection": accepted.get(),
                "Server": listening,
            }
    serving.join()


def signature(title: str, theirs: Any, ours: Any) -> Section:
    own = [one for one in inspect.signature(theirs).parameters.values() if one.kind != one.VAR_KEYWORD]
    had = [one for one in inspect.signature(ours).parameters.values() if one.kind != one.VAR_KEYWORD]
    here, known = {one.name for one in had}, {one.name for one in own}
    names = [Name(one.name, SUPPORTED if one.name in here else MISSING) for one in own]
    return Section(title, names, [one.name for one in had if one.name not in known])


def deprecated() -> Section:
    """Names of the legacy API that are still to be had at the top."""
    others = {"TYPE_CHECKING", "annotations", "lazy_import", "version", *names_of(websockets)}
    names = [name for name in public(websockets) if name not in others]
    found = [Name(name, SUPPORTED if hasattr(sockline, name) else MISSING) for name in names if not is_module(name)]
    return Section("Deprecated names of websockets", found)


def is_module(name: str) -> bool:
    return importlib.util.find_spec(f"websockets.{name}") is not None


def public_modules() -> list[str]:
    listed = [module.name for module in pkgutil.walk_packages(websockets.__path__, "websockets.")]
    return [name for name in listed if name not in PRIVATE]


def ours_of(name: str) -> str:
    return name.replace("websockets", "sockline", 1)


def is_here(name: str) -> bool:
    try:
        return importlib.util.find_spec(ours_of(name)) is not None
    except ModuleNotFoundError:
        return False


def modules() -> Section:
    names = []
    for name in public_modules():
        inside_of = [whole for whole in WHOLE if name.startswith(f"{whole}.") and not is_here(whole)]
        if not inside_of:
            names.append(Name(name.removeprefix("websockets."), SUPPORTED if is_here(name) else MISSING))
    return Section("Modules", names)


def shared_modules() -> list[str]:
    return [name for name in public_modules() if is_here(name)]


def of_module(name: str) -> Section:
    """What of a module is not at the top, too."""
    theirs, ours = importlib.import_module(name), importlib.import_module(ours_of(name))
    at_the_top = [one for one in names_of(websockets) if getattr(theirs, one, ANY) is getattr(websockets, one)]
    section = module_names(theirs, ours, name, at_the_top)
    section.added = []
    return section


def arguments(name: str, ours: Any, theirs: Any) -> Section:
    """Of `connect` or `serve`; those of the loop's functions are tried."""

    def use(argument: str) -> Name:
        value = VALUES.get(argument, ANY)
        if name == "connect":
            return tried(argument, lambda: ours("wss://localhost:1", **{argument: value}))
        return asyncio.run(serving(argument, value))

    async def serving(argument: str, value: object) -> Name:
        return tried(argument, lambda: ours(None, "127.0.0.1", 0, **{argument: value}))

    section = signature(f"Arguments of `{name}`", theirs, ours)
    passed = OF_ASYNCIO[name].split()
    section.names += [Name(one) if one in section.added else use(one) for one in passed]
    section.added = [one for one in section.added if one not in passed]
    return section


async def alive(lib: Any) -> dict[str, object]:
    """An object of each kind, of a connection that is open."""
    found: dict[str, object] = {}
    told = asyncio.Event()

    async def handler(connection: Any) -> None:
        found["ServerConnection"] = connection
        told.set()
        await connection.wait_closed()

    async with lib.serve(handler, "127.0.0.1", 0) as server:
        port = list(server.sockets)[0].getsockname()[1]
        found["connect"] = lib.connect(f"ws://127.0.0.1:{port}", proxy=None)
        async with lib.connect(f"ws://127.0.0.1:{port}", proxy=None) as connection:
            await told.wait()
            found |= {"Server": server, "ClientConnection": connection}
    return found


def example(lib: Any, name: str) -> object:
    headers = lib.Headers()
    make = {
        "Request": lambda: lib.Request("/", headers),
        "Response": lambda: lib.Response(200, "OK", headers),
        "Close": lambda: lib.Close(1000, ""),
    }
    made: object = make.get(name, lambda: getattr(lib, name))()
    return made


def exceptions() -> list[Section]:
    """What exceptions tell, as far as all exceptions don't."""
    found = []
    for name in names_of(websockets.exceptions):
        theirs = getattr(websockets.exceptions, name)
        ours = getattr(sockline.exceptions, name, None)
        if ours is not None and ours is not theirs:
            section = without([*dir(Exception), *dir(OSError)], members(raised(theirs), raised(ours), name))
            section.added = []
            if section.names:
                found.append(section)
    return found


def without(names: list[str], section: Section) -> Section:
    """Not what Python gives to all of a kind, which is more with each version."""
    section.names = [one for one in section.names if one.name not in names]
    return section


RAISED: dict[str, tuple[object, ...]] = {
    "ConnectionClosed": (None, None),
    "ConnectionClosedError": (None, None),
    "ConnectionClosedOK": (None, None),
    "PayloadTooBig": (2, 1),
}
"""What exceptions are told, where not anything will do."""


def raised(kind: Any) -> object:
    if kind.__name__ in RAISED:
        return kind(*RAISED[kind.__name__])
    try:
        parameters = inspect.signature(kind).parameters.values()
    except ValueError:  # it has no arguments of its own
        return kind()
    return kind(*[Example() for one in parameters if one.default is one.empty and one.kind not in (2, 4)])


class Example:
    """In the place of whatever an exception is told."""

    status_code = 500
    code = 1000
    reason = ""
