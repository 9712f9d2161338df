"""The tables in docs/compat/ are true, and no name of the packages is left out."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sockline
from sockline.asyncio.client import ClientConnection
from sockline.extensions import permessage_deflate

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "compat"))

from tables import MISSING, Name, Section, difference, untrue
from write import PAGES, compared


@pytest.mark.parametrize("package", PAGES)
def test_what_the_tables_say_is_so(package: str) -> None:
    lies, said, text = compared(package)
    assert lies == []
    assert said.page.read_text() == text, "out of date: make compat"


def test_a_name_in_no_list_is_noticed() -> None:
    said = compared("websockets")[1]
    new = Section("websockets", [Name("connect"), Name("NewName", MISSING), Name("Frame"), Name("serve", difference="no argument x")])
    assert untrue(said, [new]) == [
        "websockets: NewName is missing, and the list says supported",
        "websockets: Frame is supported, and the list says missing",
        "websockets: serve differs, and is in no list: no argument x",
    ]
    other = Section("Modules", [Name("trio", MISSING, today="ignored")])
    assert untrue(said, [other])[0].startswith("Modules: trio is ignored, and the list says ModuleNotFoundError")


@pytest.mark.parametrize(
    ("ours", "why"),
    [
        (lambda a, b=1, *, c=2, d=3: None, ""),
        (lambda a, b=1: None, "no argument c"),
        (lambda b=1, a=0, *, c=2: None, "argument a is at another place"),
        (lambda a, b=2, *, c=2: None, "the default of b is 2, not 1"),
        (lambda a, b=1, *, c=2, d: None, "needs d"),
        (lambda a, /, b=1, *, c=2: None, "argument a has no name"),
    ],
)
def test_other_arguments_are_noticed(ours: Callable[..., None], why: str) -> None:
    def theirs(a: int, b: int = 1, *, c: int = 2) -> None: ...

    assert difference(theirs, ours) == why


def test_a_function_in_place_of_a_coroutine_is_noticed() -> None:
    async def theirs() -> None: ...

    assert difference(theirs, lambda: None) == "one is a coroutine, the other is not"


URL = "wss://localhost:1"

REFUSED: list[tuple[Any, dict[str, Any]]] = [
    (sockline.connect, {"extensions": [object()]}),
    (sockline.connect, {"max_size": (2, 1)}),
    (sockline.serve, {"extensions": [object()]}),
    (sockline.serve, {"max_size": (2, 1)}),
    (permessage_deflate.ServerPerMessageDeflateFactory, {"require_client_max_window_bits": True}),
    (permessage_deflate.ClientPerMessageDeflateFactory, {"compress_settings": {"wbits": 12}}),
]


@pytest.mark.parametrize(("call", "options"), REFUSED, ids=[next(iter(options)) for _, options in REFUSED])
def test_what_the_table_says_about_values_is_so(call: Any, options: dict[str, Any]) -> None:
    before = {sockline.connect: (URL,), sockline.serve: (None, "127.0.0.1", 0)}.get(call, ())
    with pytest.raises(NotImplementedError):
        call(*before, **options)


def test_values_that_ask_for_nothing_are_accepted() -> None:
    async def main() -> None:
        nothing: dict[str, Any] = {"sock": None, "family": 0, "flags": 1, "reuse_address": True, "reuse_port": False, "start_serving": True}
        nothing |= {"keep_alive": None, "ssl_handshake_timeout": None, "ssl_shutdown_timeout": None}
        async with sockline.serve(lambda ws: ws.wait_closed(), "127.0.0.1", 0, **nothing):
            pass

    asyncio.run(main())


def test_a_servers_context_of_ssl_is_refused() -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="SSLContext"):
            await sockline.serve(lambda ws: ws.wait_closed(), "127.0.0.1", 0, ssl=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    asyncio.run(main())


def test_classes_of_connections_can_be_subclassed() -> None:
    class Mine(ClientConnection): ...

    async def main() -> None:
        async with sockline.serve(lambda ws: ws.wait_closed(), "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with sockline.connect(f"ws://127.0.0.1:{port}", create_connection=Mine) as connection:
                assert isinstance(connection, Mine)

    asyncio.run(main())
