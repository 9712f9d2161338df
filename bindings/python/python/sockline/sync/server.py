"""Serving connections by threads."""

from __future__ import annotations

import collections
import contextlib
import functools
import logging
import os
import re
import socket
import ssl as ssl_module
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self

from .. import _native
from .._answering import COMPRESSION, AcceptedConnection, AnsweringServer, listen_error, respond_to
from .._basic_auth import Credentials, challenger, checker, given_pair
from .._connection import MESSAGE_PARTS
from .._drivers import blocking_thread
from .._options import (
    Limits,
    Listening,
    check_subprotocols,
    deflate,
    marks,
    message_limit,
    refuse_unsupported,
)
from .._sockets import ListeningSocket, check_stream, hand_over
from .._ssl import server_tls
from .._version import USER_AGENT
from ..datastructures import received
from ..exceptions import SocklineError
from ..extensions.permessage_deflate import ServerPerMessageDeflateFactory
from ..frames import CloseCode
from ..http11 import Request, Response
from ..options import Compression, ServerMetrics, server_metrics
from ..protocol import State
from ..tls import ServerTLS
from ..typing import LoggerLike, Origin, PathLike, Subprotocol
from .client import renamed_ssl
from .connection import WRITE_LIMIT, Connection, broadcast

__all__ = ["Server", "ServerConnection", "basic_auth", "broadcast", "serve", "unix_serve"]

Handler = Callable[["ServerConnection"], None]
ProcessRequest = Callable[["ServerConnection", Request], Response | None]
ProcessResponse = Callable[["ServerConnection", Request, Response], Response | None]
SelectSubprotocol = Callable[["ServerConnection", Sequence[Subprotocol]], Subprotocol | None]
Job = Callable[[], None]

_OF_SOCKETS = ("family", "backlog", "reuse_port", "dualstack_ipv6")
"""Arguments of :func:`socket.create_server`."""


class ServerConnection(AcceptedConnection, Connection):
    """A server's connection; its handler gets it."""

    username: str
    """Who has logged in, with :func:`basic_auth`."""
    handler: Callable[..., None]
    """Who is called for it, with :func:`~sockline.sync.router.route`."""
    handler_kwargs: Mapping[str, Any]
    """What that one is called with."""

    def __init__(self, server: Server, high: int, low: int) -> None:
        super().__init__(server, high, low)
        self.server = server
        """The server that it came to."""
        self._logs_to = server.logger


class Server(AnsweringServer):
    """A server, as :func:`serve` makes it. It listens already, but nobody is answered before :meth:`serve_forever`."""

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
        queue_marks: tuple[int, int],
        logger: LoggerLike | None,
        create_connection: type[ServerConnection],
        sock: socket.socket | None,
    ) -> None:
        self.handler = handler
        self.logger: LoggerLike = logger or logging.getLogger("sockline.server")
        self.lock = threading.RLock()  # signal handlers may call shutdown()
        self.all_connections: set[ServerConnection] = set()
        self.handler_threads: set[threading.Thread] = set()
        self._origins = origins
        self._subprotocols = subprotocols
        self._select_subprotocol = select_subprotocol
        self._process_request = process_request
        self._process_response = process_response
        self._server_header = server_header
        self._queue = queue_marks
        self._high_water_mark = listening.limits.high_water_mark
        self._max_size = listening.limits.max_size
        self._factory = create_connection
        self._serving = True
        """New connections are let in."""
        self._jobs: collections.deque[Job] = collections.deque()
        """What asks for a thread."""
        self._opening: set[threading.Thread] = set()
        """Those whose connections are not decided about yet."""
        self._changed = threading.Condition(self.lock)
        self._gone = threading.Event()
        """The engine is done with it."""
        self.socket = sock if sock is not None else ListeningSocket(socket.AF_UNIX, listening.unix_path)
        """What listens: ``server.socket.getsockname()`` tells host and port."""
        try:
            self._listen(driver, listening if sock is None else hand_over(listening, [sock]))
        except SocklineError as error:
            self._close_socket()
            raise listen_error(error) from None

    # Attributes

    @property
    def connections(self) -> set[ServerConnection]:
        """The open connections, for instance for :func:`broadcast`."""
        with self.lock:
            return {connection for connection in self.all_connections if connection.ready_state == State.OPEN}

    def fileno(self) -> int:
        """The descriptor of the listening socket. That of a Unix socket which was not given by ``sock`` is the engine's own: then
        this raises :exc:`NotImplementedError`.
        """
        return self.socket.fileno()

    def metrics(self) -> ServerMetrics:
        """What was counted so far. It looks at every connection, so ask now and then."""
        return server_metrics(self._metrics())

    # Methods

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    def serve_forever(self) -> None:
        """Gives each connection a thread that calls the handler, until :meth:`shutdown` is called in another thread."""
        if self._serving:
            self.logger.info("server listening on %s", self.socket.getsockname())
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or not self._serving)
                if not self._serving:
                    return
                # The interpreter waits for these threads at its end, as shutdown() does.
                thread = threading.Thread(target=self._run, args=(self._jobs.popleft(),))
                self.handler_threads.add(thread)
                thread.start()

    def shutdown(
        self,
        close_connections: bool = True,
        code: CloseCode | int = CloseCode.GOING_AWAY,
        reason: str = "",
    ) -> None:
        """Stops listening, refuses who is not connected yet with 503, closes the connections with this code unless told not
        to, and waits until all handlers have returned; so it can't be called in one of them. Doing it again is harmless.
        """
        self.logger.info("server closing")
        with self._changed:
            self._serving = False
            self._changed.notify_all()
            connections = list(self.all_connections) if close_connections else []
            unserved = list(self._jobs)
            self._jobs.clear()
        for connection in connections:
            connection._ask_to_close(int(code), reason)
        for job in unserved:
            job()  # to be refused
        with self._changed:
            # The engine cuts connections that are not open when it stops listening, so they are answered before.
            self._changed.wait_for(lambda: not self._opening - {threading.current_thread()})
            if not self._gone.is_set():
                self._close(None, "")
            self._close_socket()
            threads = [thread for thread in self.handler_threads if thread.is_alive()]
        for thread in threads:
            thread.join()
        self._gone.wait()
        self.logger.info("server closed")

    def _close_socket(self) -> None:
        """The engine closes its own."""
        if isinstance(self.socket, socket.socket):
            self.socket.close()

    # The opening handshake

    def _upgrade(
        self,
        request_id: int,
        target: str,
        headers: list[tuple[str, str]],
        offered: list[str],
        remote: tuple[str, int] | None,
    ) -> None:
        """A client asks for a connection."""
        request = Request(target, received(headers))
        self._add(functools.partial(self._conduct, request_id, request, offered, remote))

    def _request(
        self,
        exchange: _native.HttpExchange,
        asked: tuple[str, list[tuple[str, str]], str, tuple[str, int] | None],
    ) -> None:
        """A client asks for anything else, and ``process_request`` may have an answer."""
        target, headers, method, remote = asked
        request = Request(target, received(headers), method)
        self._add(functools.partial(self._consult, exchange, request, remote))

    def _server_closed(self) -> None:
        self._gone.set()

    def _add(self, job: Job) -> None:
        with self._changed:
            if self._serving:
                self._jobs.append(job)
                self._changed.notify()
                return
        job()  # to be refused

    def _run(self, job: Job) -> None:
        try:
            job()
        finally:
            with self.lock:
                self.handler_threads.discard(threading.current_thread())

    def _conduct(
        self, request_id: int, request: Request, offered: list[str], remote: tuple[str, int] | None
    ) -> None:
        """The life of a connection, in a thread of its own."""
        connection = self._asking(request, remote)
        with self._is_opening():
            if self._serving:
                response = self._forced(connection, request) or self._response(connection, request, offered)
                response = self._processed(connection, request, self._signed(response))
            else:
                response = connection.respond(503, "Server is shutting down.\n")
            with self.lock:  # so that shutdown() either closes it or has it refused
                self.all_connections.add(connection)
                is_accepted = self._answer(request_id, connection, offered, response)
        try:
            if is_accepted:
                connection._settled.wait()
            if connection._has_opened:
                self._handle(connection)
        finally:
            with self.lock:
                self.all_connections.discard(connection)

    def _consult(self, exchange: _native.HttpExchange, request: Request, remote: tuple[str, int] | None) -> None:
        connection = self._asking(request, remote)
        with self._is_opening():
            response = self._forced(connection, request) if self._serving else None
            if response is not None:
                response = self._processed(connection, request, self._signed(response))
            respond_to(exchange, response)

    @contextlib.contextmanager
    def _is_opening(self) -> Iterator[None]:
        with self.lock:
            self._opening.add(threading.current_thread())
        try:
            yield
        finally:
            with self._changed:
                self._opening.discard(threading.current_thread())
                self._changed.notify_all()

    def _asking(self, request: Request, remote: tuple[str, int] | None) -> ServerConnection:
        connection = self._factory(self, *self._queue)
        connection.request = request
        connection._remote_address = remote
        connection._max_size = self._max_size
        connection._high_water_mark = self._high_water_mark
        return connection

    def _forced(self, connection: ServerConnection, request: Request) -> Response | None:
        """What ``process_request`` says."""
        if self._process_request is None:
            return None
        try:
            return self._process_request(connection, request)
        except Exception:
            return self._handshake_failed(connection, "process_request failed")

    def _processed(self, connection: ServerConnection, request: Request, response: Response) -> Response:
        """What ``process_response`` makes of a response."""
        if self._process_response is None:
            return response
        connection.response = response
        try:
            return self._process_response(connection, request, response) or response
        except Exception:
            return self._handshake_failed(connection, "process_response failed")

    def _handle(self, connection: ServerConnection) -> None:
        try:
            with connection:
                self.handler(connection)
        except Exception:
            connection.logger.error("connection handler failed", exc_info=True)


def __getattr__(name: str) -> Any:
    if name == "WebSocketServer":
        warnings.warn("WebSocketServer was renamed to Server", DeprecationWarning, stacklevel=2)
        return Server
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def serve(
    handler: Handler,
    host: str | None = None,
    port: int | None = None,
    *,
    sock: socket.socket | None = None,
    ssl: ssl_module.SSLContext | ServerTLS | None = None,
    origins: Sequence[Origin | re.Pattern[str] | None] | None = None,
    extensions: Sequence[ServerPerMessageDeflateFactory] | None = None,
    subprotocols: Sequence[Subprotocol | str] | None = None,
    select_subprotocol: SelectSubprotocol | None = None,
    compression: Literal["deflate"] | Compression | None = "deflate",
    process_request: ProcessRequest | None = None,
    process_response: ProcessResponse | None = None,
    server_header: str | None = USER_AGENT,
    open_timeout: float | None = 10,
    ping_interval: float | None = 20,
    ping_timeout: float | None = 20,
    close_timeout: float | None = 10,
    max_size: int | None | tuple[int | None, int | None] = 2**20,
    max_queue: int | None | tuple[int | None, int | None] = 16,
    logger: LoggerLike | None = None,
    create_connection: type[ServerConnection] | None = None,
    **kwargs: Any,
) -> Server:
    """Makes a server that calls ``handler`` for each connection, in a thread of its own, and closes the connection when that
    returns. ``process_request``, ``process_response`` and ``select_subprotocol`` are called there, too, so they may wait.

    ``with serve(handler, host, port) as server: server.serve_forever()`` serves until ``server.shutdown()`` is called in
    another thread. ``host`` of ``None`` is every address, ``port`` 0 lets the system choose. The other arguments are those of
    ``websockets.sync``, with its defaults; :func:`sockline.serve` explains them. ``sock`` is a socket to listen on; it is bound
    already, and closed with the server. ``kwargs`` are those of :func:`socket.create_server`; and ``tcp``, ``write_limit``, ``static_folder``, ``metrics_path``, ``max_connections``,
    ``max_connections_per_address`` and ``max_requests`` of :func:`sockline.serve`.

    Raises :exc:`OSError` if it can't listen, :exc:`NotImplementedError` for what is not supported.
    """
    ssl = renamed_ssl(ssl, kwargs, 3)
    unix, path = kwargs.pop("unix", False), kwargs.pop("path", None)
    if unix and path is None and sock is None:
        raise ValueError("missing path argument")
    for name, value in (("host", host), ("port", port), ("path", path)):
        if sock is not None and value is not None:
            raise ValueError(f"{name} is incompatible with sock")
    of_socket = {name: kwargs.pop(name) for name in _OF_SOCKETS if name in kwargs}
    limits = Limits(
        max_size=message_limit(max_size),
        ping_interval=ping_interval,
        ping_timeout=ping_timeout,
        close_timeout=close_timeout,
        high_water_mark=marks("write_limit", kwargs.pop("write_limit", WRITE_LIMIT))[0],
        hard_limit=None,
        tcp=kwargs.pop("tcp", None),
        compression=deflate(compression, extensions, COMPRESSION),
        message_parts=MESSAGE_PARTS,
    )
    listening = Listening(
        "",
        0,
        os.fsdecode(path) if unix and sock is None else None,
        None,
        kwargs.pop("static_folder", None),
        open_timeout,
        of_socket.get("backlog") or 1024,
        limits,
        server_tls(ssl),
    )
    listening = listening._replace(
        max_connections=kwargs.pop("max_connections", None),
        max_connections_per_address=kwargs.pop("max_connections_per_address", None),
        max_requests=kwargs.pop("max_requests", None),
        metrics_path=kwargs.pop("metrics_path", None),
        asks_requests=process_request is not None,
    )
    refuse_unsupported(kwargs, {})
    if sock is not None:
        check_stream(sock)
    elif not unix:
        sock = socket.create_server((host or "", port or 0), **of_socket)
    return Server(
        blocking_thread().driver,
        handler,
        listening,
        origins=origins,
        subprotocols=check_subprotocols(subprotocols),
        select_subprotocol=select_subprotocol,
        process_request=process_request,
        process_response=process_response,
        server_header=server_header,
        queue_marks=marks("max_queue", max_queue),
        logger=logger,
        create_connection=create_connection or ServerConnection,
        sock=sock,
    )


def unix_serve(handler: Handler, path: PathLike | None = None, **kwargs: Any) -> Server:
    """The same as :func:`serve` on a Unix socket at ``path``."""
    return serve(handler, unix=True, path=path, **kwargs)


def basic_auth(
    realm: str = "",
    credentials: Credentials | Iterable[Credentials] | None = None,
    check_credentials: Callable[[str, str], bool] | None = None,
) -> Callable[[ServerConnection, Request], Response | None]:
    """A ``process_request`` for :func:`~sockline.sync.server.serve` that lets in whom it knows, by a pair of user name and
    password, several, or a function that is asked. It sets the connection's ``username``; others are refused with 401.

    Raises :exc:`TypeError` for what are no credentials, :exc:`ValueError` unless one of the two is given.
    """
    check, refuse = checker(credentials, check_credentials), challenger(realm)

    def process_request(connection: ServerConnection, request: Request) -> Response | None:
        pair = given_pair(connection, request, refuse)
        if isinstance(pair, Response):
            return pair
        if not check(*pair):
            return refuse(connection, "Invalid credentials\n")
        connection.username = pair[0]
        return None

    return process_request
