"""A load balancer that knows nothing of sessions: each request goes to another node, over a connection of its own."""

import asyncio
import contextlib
import re
import threading
from collections.abc import Coroutine, Sequence
from typing import TypeVar

T = TypeVar("T")

LIMIT = 1 << 20  # bytes of a head
CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)


class Balancer:
    """Passes requests on to ports of 127.0.0.1 in turn; who does not take a connection is left out. `upgrades_to` gets all that ask
    for a WebSocket, in place of whose turn it is. `port` is its own, `turns` counts what each got.
    """

    def __init__(self, ports: Sequence[int], upgrades_to: int | None = None) -> None:
        self.turns = dict.fromkeys(ports, 0)
        self._ports = list(ports)
        self._next = 0
        self._upgrades_to = upgrades_to
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port = self._run(self._listen())

    def close(self) -> None:
        """Ends it, and the connections that there still are."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LIMIT, backlog=1024)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            is_upgrade = b"\r\nupgrade:" in head.lower()
            if not is_upgrade:  # the answer's end is that of the connection, for the client, too
                head = CONNECTION.sub(b"", head).removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
            node, to_node = await self._connect(is_upgrade)
            with contextlib.closing(to_node):
                to_node.write(head)
                ways = [asyncio.create_task(self._pass(reader, to_node)), asyncio.create_task(self._pass(node, writer))]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()

    async def _connect(self, is_upgrade: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        ports = self._ports[self._next :] + self._ports[: self._next]
        if is_upgrade and self._upgrades_to is not None:
            ports = [self._upgrades_to]
        else:
            self._next = (self._next + 1) % len(self._ports)
        for port in ports:
            with contextlib.suppress(ConnectionRefusedError):
                connection = await asyncio.open_connection("127.0.0.1", port)
                self.turns[port] += 1
                return connection
        raise ConnectionRefusedError

    @staticmethod
    async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):  # an end that is gone
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
