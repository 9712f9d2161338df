"""Serving connections by coroutines."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl as ssl_module
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from .. import _native
from .._answering import COMPRESSION, AcceptedConnection, AnsweringServer, listen_error, respond_to
from .._cluster import manager_of
from .._connection import MESSAGE_PARTS
from .._drivers import running_driver
from .._options import (
    USER_AGENT,
    Limits,
    Listening,
    check_subprotocols,
    deflate,
    header_list,
    marks,
    message_limit,
    refuse_threads,
    refuse_unsupported,
)
from .._ssl import server_tls
from ..datastructures import Headers
from ..exceptions import SocklineError
from ..frames import CloseCode
from ..extensions.permessage_deflate import ServerPerMessageDeflateFactory
from ..http11 import Request, Response
from ..options import Compression, ServerMetrics, TcpOptions, server_metrics
from ..protocol import State
from ..tls import ServerTLS
from ..typing import LoggerLike, Origin, PathLike, Subprotocol
from .connection import Connection, broadcast

if TYPE_CHECKING:
    from ..socketio import AsyncServer
    from ..socketio._redis_manager import BaseRedisManager

__all__ = ["Server", "ServerConnection", "broadcast", "serve", "unix_serve"]

Handler = Callable[["ServerConnection"], Awaitable[None]]
ProcessRequest = Callable[["ServerConnection", Request], Awaitable[Response | None] | Response | None]
ProcessResponse = Callable[["ServerConnection", Request, Response], Awaitable[Response | None] | Response | None]
SelectSubprotocol = Callable[["ServerConnection", Sequence[Subprotocol]], Subprotocol | None]

# Arguments of websockets' and asyncio's that can't be honoured yet, with the values that ask for nothing.
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "sock": (None,),
    "family": (0,),
    "flags": (1,),
    "reuse_address": (None, True),
    "reuse_port": (None, False),
    "start_serving": (True,),
}


class ServerConnection(AcceptedConnection, Connection):
    """A server's connection; its handler gets it."""

    def __init__(self, server: Server, high: int, low: int) -> None:
        super().__init__(server, high, low)
        self.server = server
        """The server that it came to."""
        self.logger = server.logger

    def _opened(self) -> None:
        super()._opened()
        self.server._start_handler(self)


class _Socket:
    """As much of a listening socket as is told of it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address

    def getsockname(self) -> tuple[str, int]:
        """Host and port."""
        return self._address


class Server(AnsweringServer):
    """A server, as :func:`serve` makes it. Await it, or use it in ``async with``, to have it listen."""

    def __init__(
        self,
        driver: _native.Driver,
        handler: Handler,
        listening: Listening,
        *,
        origins: Sequence[Origin | re.Pattern[str] | None] | None,
        subprotocols: list[str],
        select_subprotocol: SelectSubprotocol | None,
        process_request: ProcessRequest | None,
        process_response: ProcessResponse | None,
        server_header: str | None,
        queue: tuple[int, int],
        logger: LoggerLike | None,
        create_connection: type[ServerConnection],
        socketio: AsyncServer | None,
        adapter: str | BaseRedisManager | None,
    ) -> None:
        self.handler = handler
        self.logger: LoggerLike = logger or logging.getLogger("sockline.server")
        self.handler_tasks: set[asyncio.Task[None]] = set()
        self.all_connections: set[ServerConnection] = set()
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._origins = origins
        self._subprotocols = subprotocols
        self._select_subprotocol = select_subprotocol
        self._process_request = process_request
        self._process_response = process_response
        self._server_header = server_header
        self._queue = queue
        self._factory = create_connection
        self._socketio = socketio
        self._manager = manager_of(adapter, self.logger)
        self._serving = False
        self._sockets: tuple[_Socket, ...] = ()
        self._close_task: asyncio.Task[None] | None = None
        self._answers: set[asyncio.Task[None]] = set()
        self._end: asyncio.Future[None] = self._loop.create_future()
        self._gone: asyncio.Future[None] | None = None
        """The engine's end of it, once it listens."""

    # Attributes

    @property
    def connections(self) -> set[ServerConnection]:
        """The open connections, for instance for :func:`broadcast`."""
        return {connection for connection in self.all_connections if connection.ready_state == State.OPEN}

    @property
    def sockets(self) -> tuple[_Socket, ...]:
        """What listens: ``server.sockets[0].getsockname()`` tells host and port. Empty for a Unix socket."""
        return self._sockets

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that runs the server."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether it takes connections."""
        return self._serving

    # Methods

    async def start_serving(self) -> None:
        """Begins to listen. Doing it again is harmless."""
        await self

    async def serve_forever(self) -> None:
        """Serves until the server is closed; when this is cancelled, closes it."""
        await self
        try:
            await self.wait_closed()
        except asyncio.CancelledError:
            self.close()
            await self.wait_closed()
            raise

    def close(
        self,
        close_connections: bool = True,
        code: CloseCode | int = CloseCode.GOING_AWAY,
        reason: str = "",
    ) -> None:
        """Stops listening, and closes the connections with this code unless told not to. Doing it again is harmless;
        :meth:`wait_closed` waits for the end.
        """
        if self._close_task is None:
            self._serving = False
            self._close_task = self._loop.create_task(self._shut(close_connections, int(code), reason))

    async def drain(self, deadline: float) -> None:
        """Goes in good order: stops listening at once, closes each connection with 1001 at a random time within half of
        ``deadline`` seconds, so that their clients don't all come back together, sends what was sent before, and cuts
        what is left at the deadline. Waits as :meth:`wait_closed` does.
        """
        if self._close_task is None:
            self._serving = False
            self._drain(deadline)
            if self._socketio is not None:
                self._socketio._listener_closed()
            self._close_task = self._loop.create_task(self._finish())
        await self.wait_closed()

    def metrics(self) -> ServerMetrics:
        """What was counted so far. It looks at every connection, so ask now and then."""
        return server_metrics(self._metrics())

    async def wait_closed(self) -> None:
        """Waits until all connections are closed and all handlers have returned."""
        await asyncio.shield(self._end)

    def __await__(self) -> Generator[Any, None, Self]:
        return self._start().__await__()

    async def __aenter__(self) -> Self:
        return await self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        await self.wait_closed()

    async def _start(self) -> Self:
        if not self._serving and self._close_task is None:
            driver = running_driver()
            listening = self._listening
            if self._socketio is not None:
                listening = listening._replace(socketio=self._socketio._start(driver))
            if self._manager is not None:
                listening = listening._replace(adapter=self._manager._lend(driver))
            try:
                self._listen(driver, listening)
            except SocklineError as error:
                raise listen_error(error) from None
            self._serving = True
            if self._socketio is not None:
                self._socketio._listener_opened()
            self._gone = self._loop.create_future()
            address = self._address()
            self._sockets = () if address is None else (_Socket(address),)
            self.logger.info("server listening on %s", address or self._listening.unix_path)
        return self

    async def _shut(self, close_connections: bool, code: int, reason: str) -> None:
        self._close(None, "")
        if self._socketio is not None:
            self._socketio._listener_closed()
        if close_connections:
            connections = list(self.all_connections)
            await asyncio.gather(*(connection.close(code, reason) for connection in connections))
        await self._finish()

    async def _finish(self) -> None:
        """Waits for the connections and the handlers, which nothing is added to any more."""
        self.logger.info("server closing")
        self._sockets = ()
        await asyncio.gather(*(connection.wait_closed() for connection in list(self.all_connections)))
        if self.handler_tasks:
            await asyncio.wait(self.handler_tasks)
        if self._gone is not None:
            await self._gone  # with threads, their listening sockets close a moment later
        self._end.set_result(None)
        self.logger.info("server closed")

    def _server_closed(self) -> None:
        """The engine is done with it; handlers may run on."""
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    # The opening handshake

    def _upgrade(
        self,
        request_id: int,
        target: str,
        headers: list[tuple[str, str]],
        offered: list[str],
        remote: tuple[str, int] | None,
    ) -> None:
        """A client asks for a connection: answers at once, unless a coroutine has to be asked."""
        request = Request(target, Headers(headers))
        connection = self._asking(request, remote)
        verdict = self._verdict(connection, request)
        if isinstance(verdict, Awaitable) or self._process_response is not None:
            self._settle(self._answer_later(request_id, connection, request, offered, verdict))
        else:
            self._answer(request_id, connection, offered, verdict or self._response(connection, request, offered))

    def _request(
        self,
        exchange: _native.HttpExchange,
        asked: tuple[str, list[tuple[str, str]], str, tuple[str, int] | None],
    ) -> None:
        """A client asks for anything else, and ``process_request`` may have an answer."""
        target, headers, method, remote = asked
        request = Request(target, Headers(headers), method)
        connection = self._asking(request, remote)
        verdict = self._verdict(connection, request)
        if isinstance(verdict, Awaitable) or (verdict is not None and self._process_response is not None):
            self._settle(self._respond_later(exchange, connection, request, verdict))
        else:
            respond_to(exchange, verdict)

    def _asking(self, request: Request, remote: tuple[str, int] | None) -> ServerConnection:
        connection = self._factory(self, *self._queue)
        connection.request = request
        connection._remote_address = remote
        return connection

    def _verdict(
        self, connection: ServerConnection, request: Request
    ) -> Awaitable[Response | None] | Response | None:
        """What ``process_request`` says, or will."""
        if self._process_request is None:
            return None
        try:
            return self._process_request(connection, request)
        except Exception:
            return self._handshake_failed(connection, "process_request failed")

    def _settle(self, answer: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(answer)
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer_later(
        self,
        request_id: int,
        connection: ServerConnection,
        request: Request,
        offered: list[str],
        verdict: Awaitable[Response | None] | Response | None,
    ) -> None:
        response = await self._awaited(connection, verdict) or self._response(connection, request, offered)
        self._answer(request_id, connection, offered, await self._processed(connection, request, response))

    async def _respond_later(
        self,
        exchange: _native.HttpExchange,
        connection: ServerConnection,
        request: Request,
        verdict: Awaitable[Response | None] | Response | None,
    ) -> None:
        response = await self._awaited(connection, verdict)
        if response is not None:
            response = await self._processed(connection, request, response)
        respond_to(exchange, response)

    async def _awaited(
        self, connection: ServerConnection, verdict: Awaitable[Response | None] | Response | None
    ) -> Response | None:
        try:
            return await verdict if isinstance(verdict, Awaitable) else verdict
        except Exception:
            return self._handshake_failed(connection, "process_request failed")

    async def _processed(self, connection: ServerConnection, request: Request, response: Response) -> Response:
        """What ``process_response`` makes of a response."""
        if self._process_response is None:
            return response
        try:
            changed = self._process_response(connection, request, response)
            return (await changed if isinstance(changed, Awaitable) else changed) or response
        except Exception:
            return self._handshake_failed(connection, "process_response failed")

    # Handlers

    def _start_handler(self, connection: ServerConnection) -> None:
        self.all_connections.add(connection)
        task = self._loop.create_task(self._handle(connection))
        self.handler_tasks.add(task)
        task.add_done_callback(self.handler_tasks.discard)

    async def _handle(self, connection: ServerConnection) -> None:
        try:
            async with connection:
                await self.handler(connection)
        except Exception:
            connection.logger.error("connection handler failed", exc_info=True)
        finally:
            self.all_connections.discard(connection)


def serve(
    handler: Handler,
    host: str | None = None,
    port: int | None = None,
    *,
    origins: Sequence[Origin | re.Pattern[str] | None] | None = None,
    extensions: Sequence[ServerPerMessageDeflateFactory] | None = None,
    subprotocols: Sequence[Subprotocol | str] | None = None,
    select_subprotocol: SelectSubprotocol | None = None,
    process_request: ProcessRequest | None = None,
    process_response: ProcessResponse | None = None,
    server_header: str | None = USER_AGENT,
    compression: Literal["deflate"] | Compression | None = "deflate",
    open_timeout: float | None = 10,
    ping_interval: float | None = 20,
    ping_timeout: float | None = 20,
    close_timeout: float | None = 10,
    max_size: int | None | tuple[int | None, int | None] = 2**20,
    max_queue: int | None | tuple[int | None, int | None] = 16,
    write_limit: int | tuple[int, int | None] = 2**15,
    logger: LoggerLike | None = None,
    create_connection: type[ServerConnection] | None = None,
    ssl: ssl_module.SSLContext | ServerTLS | None = None,
    max_connections: int | None = None,
    max_connections_per_address: int | None = None,
    max_requests: int | None = None,
    threads: int = 0,
    metrics_path: str | None = None,
    backlog: int = 1024,
    tcp: TcpOptions | None = None,
    unix_path: PathLike | None = None,
    static_folder: PathLike | None = None,
    socketio: AsyncServer | None = None,
    adapter: str | BaseRedisManager | None = None,
    **unsupported: Any,
) -> Server:
    """Makes a server that calls the coroutine ``handler`` for each connection, and closes it when that returns.

    ``async with serve(handler, host, port) as server`` closes the server at the end; so does ``server.close()``.
    ``host`` of ``None`` is every address, ``port`` 0 lets the system choose. The other arguments are those of
    ``websockets``, with its defaults (:class:`~sockline.connect` explains them), ``ssl`` with a :class:`~sockline.ServerTLS` or a
    :class:`~sockline.SSLContext` (not one of :mod:`ssl`'s, which keeps its key to itself), ``tcp`` with further options
    of the sockets, ``max_connections``, ``max_connections_per_address`` and ``max_requests`` (for files, on one
    connection), above which there is status 503, ``threads`` with a number of threads of the engine's for input and
    output, TLS and compression, ``metrics_path`` where :meth:`Server.metrics_text` is to be had, and ``static_folder``, whose files are served to plain HTTP requests on the same port.
    ``process_request`` also hears GETs that are no handshakes, but for those of Socket.IO: with a :class:`~sockline.Response`
    it answers them, with ``None`` the server goes on, with its metrics, a file, or a refusal.
    ``socketio``, an :class:`~sockline.socketio.AsyncServer`, is served at its path on the same port, too; not with ``threads``.
    ``adapter``, the URL of a Redis or an :class:`~sockline.socketio.AsyncRedisManager` with further options, makes it one of a
    cluster: what is published at any of its servers reaches the subscribers of all (:meth:`Server.publish`).

    Raises :exc:`OSError` if it can't listen, :exc:`NotImplementedError` for what this version does not support.
    """
    refuse_unsupported(unsupported, _HARMLESS)
    limits = Limits(
        max_size=message_limit(max_size),
        ping_interval=ping_interval,
        ping_timeout=ping_timeout,
        close_timeout=close_timeout,
        high_water_mark=marks("write_limit", write_limit)[0],
        hard_limit=None,
        tcp=tcp,
        compression=deflate(compression, extensions, COMPRESSION),
        message_parts=MESSAGE_PARTS,
    )
    refuse_threads(threads, socketio)
    listening = Listening(host or "", port or 0, unix_path, None, static_folder, open_timeout, backlog, limits, server_tls(ssl))
    listening = listening._replace(
        max_connections=max_connections,
        max_connections_per_address=max_connections_per_address,
        max_requests=max_requests,
        threads=threads,
        metrics_path=metrics_path,
        asks_requests=process_request is not None,
    )
    return Server(
        running_driver(),
        handler,
        listening,
        origins=origins,
        subprotocols=check_subprotocols(subprotocols),
        select_subprotocol=select_subprotocol,
        process_request=process_request,
        process_response=process_response,
        server_header=server_header,
        queue=marks("max_queue", max_queue),
        logger=logger,
        create_connection=create_connection or ServerConnection,
        socketio=socketio,
        adapter=adapter,
    )


def unix_serve(handler: Handler, path: PathLike, **kwargs: Any) -> Server:
    """The same as :func:`serve` on a Unix socket at ``path``."""
    return serve(handler, unix_path=path, **kwargs)
