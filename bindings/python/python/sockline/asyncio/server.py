"""Serving connections by coroutines."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import socket
import ssl as ssl_module
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from .. import _native
from .._answering import COMPRESSION, AcceptedConnection, AnsweringServer, listen_error, respond_to
from .._basic_auth import Credentials, challenger, checker, given_pair
from .._cluster import manager_of
from .._connecting import check_unix
from .._connection import MESSAGE_PARTS
from .._drivers import running_driver
from .._options import (
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
from .._sockets import ListeningSocket, check_stream, hand_over, listening_sockets, unix_sockets
from .._ssl import server_tls
from .._version import USER_AGENT
from ..datastructures import received
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

__all__ = ["Server", "ServerConnection", "basic_auth", "broadcast", "serve", "unix_serve"]

Handler = Callable[["ServerConnection"], Awaitable[None]]
ProcessRequest = Callable[["ServerConnection", Request], Awaitable[Response | None] | Response | None]
ProcessResponse = Callable[["ServerConnection", Request, Response], Awaitable[Response | None] | Response | None]
SelectSubprotocol = Callable[["ServerConnection", Sequence[Subprotocol]], Subprotocol | None]

# Arguments of websockets' and asyncio's that can't be honoured yet, with the values that ask for nothing.
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "ssl_handshake_timeout": (None,),
    "ssl_shutdown_timeout": (None,),
}

# How sockets are made, as `loop.create_server` understands it, with what the engine does by itself.
_OF_SOCKETS: dict[str, Any] = {
    "family": 0,
    "flags": socket.AI_PASSIVE,
    "reuse_address": True,
    "keep_alive": False,
}


class ServerConnection(AcceptedConnection, Connection):
    """A server's connection; its handler gets it."""

    username: str
    """Who has logged in, with :func:`basic_auth`."""
    handler: Callable[..., Awaitable[None]]
    """Who is called for it, with :func:`~sockline.asyncio.router.route`."""
    handler_kwargs: Mapping[str, Any]
    """What that one is called with."""

    def __init__(self, server: Server, high: int, low: int) -> None:
        super().__init__(server, high, low)
        self.server = server
        """The server that it came to."""
        self._logs_to = server.logger

    def _opened(self) -> None:
        super()._opened()
        self.server._start_handler(self)


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
        make_sockets: Callable[[], list[socket.socket]] | None,
        start_serving: bool,
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
        self._make_sockets = make_sockets
        self._starts = start_serving
        self._own_sockets: list[socket.socket] = []
        self._sockets: tuple[socket.socket | ListeningSocket, ...] = ()
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
    def sockets(self) -> tuple[socket.socket | ListeningSocket, ...]:
        """What listens: ``server.sockets[0].getsockname()`` tells host and port. Of sockets that the engine has made there is
        only the first, and no descriptor. Empty once it is closed.
        """
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
        await self._start()

    async def serve_forever(self) -> None:
        """Serves until the server is closed; when this is cancelled, closes it."""
        await self._start()
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
            self._close_sockets()
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
        return (self._start() if self._starts else self._bind()).__await__()

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

    async def _bind(self) -> Self:
        """Takes its address, and listens there later."""
        if self._make_sockets is not None and not self._own_sockets:
            self._own_sockets = self._make_sockets()
            self._sockets = tuple(self._own_sockets)
        return self

    async def _start(self) -> Self:
        if not self._serving and self._close_task is None:
            driver = running_driver()
            listening = self._listening
            if self._socketio is not None:
                listening = listening._replace(socketio=self._socketio._start(driver))
            if self._manager is not None:
                listening = listening._replace(adapter=self._manager._lend(driver))
            if self._make_sockets is not None:
                await self._bind()
                listening = hand_over(listening, self._own_sockets)
            try:
                self._listen(driver, listening)
            except SocklineError as error:
                self._close_sockets()
                raise listen_error(error) from None
            self._serving = True
            if self._socketio is not None:
                self._socketio._listener_opened()
            self._gone = self._loop.create_future()
            self._sockets = tuple(self._own_sockets) or (self._engine_socket(),)
            self.logger.info("server listening on %s", self._sockets[0].getsockname())
        return self

    def _engine_socket(self) -> ListeningSocket:
        address = self._address()
        if address is None:
            return ListeningSocket(socket.AF_UNIX, self._listening.unix_path)
        return ListeningSocket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, address)

    def _close_sockets(self) -> None:
        """The engine closes its own."""
        for sock in self._own_sockets:
            sock.close()

    async def _shut(self, close_connections: bool, code: int, reason: str) -> None:
        self._close(None, "")
        self._close_sockets()
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
        request = Request(target, received(headers))
        connection = self._asking(request, remote)
        verdict = self._verdict(connection, request)
        if isinstance(verdict, Awaitable) or self._process_response is not None:
            self._settle(self._answer_later(request_id, connection, request, offered, verdict))
        else:
            response = verdict or self._response(connection, request, offered)
            self._answer(request_id, connection, offered, self._signed(response))

    def _request(
        self,
        exchange: _native.HttpExchange,
        asked: tuple[str, list[tuple[str, str]], str, tuple[str, int] | None],
    ) -> None:
        """A client asks for anything else, and ``process_request`` may have an answer."""
        target, headers, method, remote = asked
        request = Request(target, received(headers), method)
        connection = self._asking(request, remote)
        verdict = self._verdict(connection, request)
        if isinstance(verdict, Awaitable) or (verdict is not None and self._process_response is not None):
            self._settle(self._respond_later(exchange, connection, request, verdict))
        else:
            respond_to(exchange, verdict and self._signed(verdict))

    def _asking(self, request: Request, remote: tuple[str, int] | None) -> ServerConnection:
        connection = self._factory(self, *self._queue)
        connection.request = request
        connection._remote_address = remote
        connection._max_size = self._listening.limits.max_size
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
        response = await self._processed(connection, request, self._signed(response))
        self._answer(request_id, connection, offered, response)

    async def _respond_later(
        self,
        exchange: _native.HttpExchange,
        connection: ServerConnection,
        request: Request,
        verdict: Awaitable[Response | None] | Response | None,
    ) -> None:
        response = await self._awaited(connection, verdict)
        if response is not None:
            response = await self._processed(connection, request, self._signed(response))
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
        connection.response = response
        try:
            changed = self._process_response(connection, request, response)
            return (await changed if isinstance(changed, Awaitable) else changed) or response
        except Exception:
            return self._handshake_failed(connection, "process_response failed")

    # Handlers

    def _start_handler(self, connection: ServerConnection) -> None:
        self.all_connections.add(connection)
        task: asyncio.Task[None] = self._loop.create_task(_native.Stepped(self._handle(connection), self))
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
    host: str | Sequence[str] | None = None,
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
    busy_poll: float | None = None,
    metrics_path: str | None = None,
    backlog: int = 1024,
    tcp: TcpOptions | None = None,
    unix_path: PathLike | None = None,
    static_folder: PathLike | None = None,
    socketio: AsyncServer | None = None,
    adapter: str | BaseRedisManager | None = None,
    sock: socket.socket | None = None,
    reuse_port: bool | None = None,
    **kwargs: Any,
) -> Server:
    """Makes a server that calls the coroutine ``handler`` for each connection, and closes it when that returns.

    ``async with serve(handler, host, port) as server`` closes the server at the end; so does ``server.close()``.
    ``host`` of ``None`` is every address, ``port`` 0 lets the system choose. The other arguments are those of
    ``websockets``, with its defaults (:class:`~sockline.connect` explains them), ``ssl`` with a :class:`~sockline.ServerTLS` or a
    :class:`~sockline.SSLContext` (not one of :mod:`ssl`'s, which keeps its key to itself), ``tcp`` with further options
    of the sockets, ``max_connections``, ``max_connections_per_address`` and ``max_requests`` (for files, on one
    connection), above which there is status 503, ``threads`` with a number of threads of the engine's for input and
    output, TLS and compression, ``busy_poll`` with how many seconds each of these looks for input again and again before it
    sleeps (:func:`~sockline.set_busy_poll` has more about it), ``metrics_path`` where :meth:`Server.metrics_text` is to be had, and ``static_folder``, whose files are served to plain HTTP requests on the same port.
    ``process_request`` also hears GETs that are no handshakes, but for those of Socket.IO: with a :class:`~sockline.Response`
    it answers them, with ``None`` the server goes on, with its metrics, a file, or a refusal.
    ``socketio``, an :class:`~sockline.socketio.AsyncServer`, is served at its path on the same port, too; not with ``threads``.
    ``adapter``, the URL of a Redis or an :class:`~sockline.socketio.AsyncRedisManager` with further options, makes it one of a
    cluster: what is published at any of its servers reaches the subscribers of all (:meth:`Server.publish`).

    ``sock`` is a socket to listen on; it is bound already, and closed with the server. ``family``, ``flags``, ``reuse_address``,
    ``reuse_port``, ``keep_alive``, ``start_serving``, and several ``host`` are those of ``loop.create_server``.

    Raises :exc:`OSError` if it can't listen, :exc:`NotImplementedError` for what this version does not support.
    """
    unix, path = kwargs.pop("unix", False), kwargs.pop("path", None)
    unix_path = path if unix and sock is None else unix_path
    if unix:
        check_unix(path, sock, ssl, "path was not specified, and no sock specified")
    start_serving = kwargs.pop("start_serving", True)
    make_sockets = _maker(sock, host, port, unix_path, reuse_port, kwargs, not start_serving)
    refuse_unsupported(kwargs, _HARMLESS)
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
    refuse_threads(threads, socketio, busy_poll)
    listening = Listening(host if isinstance(host, str) else "", port or 0, unix_path, None, static_folder, open_timeout, backlog, limits, server_tls(ssl))
    listening = listening._replace(
        max_connections=max_connections,
        max_connections_per_address=max_connections_per_address,
        max_requests=max_requests,
        threads=threads,
        busy_poll=busy_poll or None,
        metrics_path=metrics_path,
        asks_requests=process_request is not None,
        reuse_port=bool(reuse_port),
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
        make_sockets=make_sockets,
        start_serving=start_serving,
    )


def unix_serve(handler: Handler, path: PathLike | None = None, **kwargs: Any) -> Server:
    """The same as :func:`serve` on a Unix socket at ``path``, or on the one that ``sock`` is."""
    return serve(handler, unix=True, path=path, **kwargs)


def _maker(
    sock: socket.socket | None,
    host: str | Sequence[str] | None,
    port: int | None,
    unix_path: PathLike | None,
    reuse_port: bool | None,
    kwargs: dict[str, Any],
    before: bool,
) -> Callable[[], list[socket.socket]] | None:
    """What makes the sockets, where the engine does not, or where they are to be there ``before`` it listens."""
    chosen = {name: kwargs.pop(name) for name in _OF_SOCKETS if name in kwargs}
    if sock is not None:
        if host is not None or port is not None or unix_path is not None:
            raise ValueError("host/port and sock can not be specified at the same time")
        check_stream(sock)
        return lambda: [sock]
    says_more = any(value not in (None, _OF_SOCKETS[name]) for name, value in chosen.items())
    if unix_path is not None:
        return functools.partial(unix_sockets, unix_path) if before else None
    if not (before or says_more or not isinstance(host, str | None)):
        return None
    chosen = {name: value for name, value in chosen.items() if value is not None}
    return functools.partial(listening_sockets, host, port, reuse_port=reuse_port, **chosen)


def basic_auth(
    realm: str = "",
    credentials: Credentials | Iterable[Credentials] | None = None,
    check_credentials: Callable[[str, str], Awaitable[bool] | bool] | None = None,
) -> Callable[[ServerConnection, Request], Awaitable[Response | None]]:
    """A ``process_request`` for :func:`serve` that lets in whom it knows, by a pair of user name and password, several, or a
    function or coroutine that is asked. It sets the connection's ``username``; others are refused with 401.

    Raises :exc:`TypeError` for what are no credentials, :exc:`ValueError` unless one of the two is given.
    """
    check, refuse = checker(credentials, check_credentials), challenger(realm)

    async def process_request(connection: ServerConnection, request: Request) -> Response | None:
        pair = given_pair(connection, request, refuse)
        if isinstance(pair, Response):
            return pair
        valid = check(*pair)
        if not (await valid if isinstance(valid, Awaitable) else valid):
            return refuse(connection, "Invalid credentials\n")
        connection.username = pair[0]
        return None

    return process_request
