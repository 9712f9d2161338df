"""Proxies, named by arguments or by the environment, against a small one that says what it is asked for."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from conftest import Run, foreign_server, our_server

import sockline
from sockline.proxy import get_proxy, proxy_url


@asynccontextmanager
async def http_proxy(asked: list[bytes], answer: bytes = b"HTTP/1.1 200 go on\r\n\r\n") -> AsyncIterator[str]:
    """Takes CONNECT requests. Whatever the host is called, it is the own machine."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head)
        writer.write(answer)
        if b" 200 " not in answer:
            return writer.close()
        port = int(head.split()[1].rpartition(b":")[2])
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("ws", "wss", "http", "https", "socks", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)
    return monkeypatch


def test_a_proxy_is_asked_for_the_host(run: Run) -> None:
    asked: list[bytes] = []

    async def main() -> None:
        async with foreign_server() as url, http_proxy(asked) as proxy:
            port = url.rpartition(":")[2]
            far = f"ws://far.example:{port}/"
            async with sockline.connect(far, proxy=f"http://me:p%40ss@{proxy}") as connection:
                assert connection.timings.proxy is not None
                await connection.send("through")
                assert await connection.recv() == "through"
            opened = asyncio.Event()
            ws = sockline.WebSocket(far, proxy=f"http://{proxy}", onopen=lambda ws: opened.set())
            await opened.wait()
            ws.close()
            first, second = asked
            assert first.startswith(f"CONNECT far.example:{port} HTTP/1.1\r\n".encode())
            assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:p@ss") in first
            assert b"Proxy-Authorization" not in second

    run(main())


def test_the_environment_names_a_proxy_but_not_for_the_own_machine(
    run: Run, no_environment: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    async def main() -> None:
        async with our_server() as url, http_proxy(asked) as proxy:
            port = url.rpartition(":")[2]
            no_environment.setenv("http_proxy", f"http://{proxy}")
            await (await sockline.connect(url)).close()
            assert not asked
            await (await sockline.connect(f"ws://far.example:{port}/")).close()
            assert len(asked) == 1
            with pytest.raises(OSError):
                await sockline.connect(f"ws://far.invalid:{port}/", proxy=None)
            no_environment.setenv("no_proxy", ".example")
            with pytest.raises(OSError):
                await sockline.connect(f"ws://far.example:{port}/")
            assert len(asked) == 1

    run(main())


def test_a_refusal_has_its_status(run: Run) -> None:
    async def main() -> None:
        answer = b"HTTP/1.1 407 who are you\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
        async with http_proxy([], answer) as proxy:
            for connect, names in ((sockline.connect, sockline), (websockets.connect, websockets)):
                with pytest.raises(names.InvalidProxyStatus) as caught:  # type: ignore[attr-defined]
                    await connect("ws://far.example/", proxy=f"http://{proxy}")  # type: ignore[operator]
                assert caught.value.response.status_code == 407
        async with http_proxy([], b"SSH-2.0\r\n\r\n") as proxy:
            with pytest.raises(sockline.ProxyError):
                await sockline.connect("ws://far.example/", proxy=f"http://{proxy}")
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            with pytest.raises(ConnectionRefusedError, match="proxy"):
                await sockline.connect("ws://far.example/", proxy=f"http://127.0.0.1:{closed.getsockname()[1]}")

    run(main())


@pytest.mark.parametrize(
    "proxy",
    ["ftp://p", "http://", "http://p/path", "http://p?query", "http://user@p", "http://p:99999", "p:3128"],
)
def test_what_is_no_proxy_is_refused(proxy: str) -> None:
    for names, connect in ((sockline, sockline.connect), (websockets, websockets.connect)):
        if proxy == "http://p:99999" and names is websockets:
            continue  # theirs says ValueError

        async def main() -> Any:
            return await connect("ws://far.example/", proxy=proxy)  # noqa: B023

        with pytest.raises(names.InvalidProxy):  # type: ignore[attr-defined]
            asyncio.run(main())


def test_proxies_are_read_as_websockets_reads_them(no_environment: pytest.MonkeyPatch) -> None:
    assert get_proxy("ws://far.example/") is None
    no_environment.setenv("http_proxy", "http://http.example")
    assert get_proxy("ws://far.example/") == "http://http.example"
    assert get_proxy("wss://far.example/") is None
    no_environment.setenv("https_proxy", "http://https.example")
    assert get_proxy("ws://far.example/") == get_proxy("wss://far.example/") == "http://https.example"
    no_environment.setenv("socks_proxy", "http://socks.example:1080")
    assert get_proxy("wss://far.example/") == "socks5h://socks.example:1080"
    for own in ("ws://localhost/", "ws://127.0.0.1:80/", "ws://[::1]/", "ws://[oops/"):
        assert get_proxy(own) is None
    assert proxy_url("http://me:p%40ss@[::1]") == "http://me:p%40ss@[::1]:80"
    assert proxy_url("socks5://Proxy.example") == "socks5://proxy.example:1080"
