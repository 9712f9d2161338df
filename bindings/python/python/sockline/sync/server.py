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
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self

from .. import _native
from .._answering import COMPRESSION, AcceptedConnection, AnsweringServer, listen_error, respond_to
from .._connection import MESSAGE_PARTS
from .._drivers import blocking_thread
from .._options import (
    USER_AGENT,
    Limits,
    Listening,
    check_subprotocols,
    deflate,
    marks,
    message_limit,
    refuse_unsupported,
)
from .._ssl import server_tls
from ..datastructures import Headers
from ..exceptions import SocklineError
from ..extensions.permessage_deflate import ServerPerMessageDeflateFactory
from ..frames import CloseCode
from ..http11 import Request, Response
from ..options import Compression, ServerMetrics, server_metrics
from ..protocol import State
from ..tls import ServerTLS
from ..typing import LoggerLike, Origin, PathLike, Subprotocol
from ._basic_auth import basic_auth
from .client import renamed_ssl
from .connection import WRITE_LIMIT, Connection, broadcast

__all__ = ["Server", "ServerConnection", "basic_auth", "broadcast", "serve", "unix_serve"]

Handler = Callable[["ServerConnection"], None]
ProcessRequest = Callable[["ServerConnection", Request], Response | None]
ProcessResponse = Callable[["ServerConnection", Request, Response], Response | None]
SelectSubprotocol = Callable[["ServerConnection", Sequence[Subprotocol]], Subprotocol | None]
Job = Callable[[], None]

# Arguments of websockets' and of socket.create_server that can't be honoured, with the values that ask for nothing.
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "sock": (None,),
    "reuse_port": (False,),
    "dualstack_ipv6": (False,),
}


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
        self.logger = server.logger


class ListeningSocket:
    """As much of a listening socket as the engine tells of it."""

    type = socket.SOCK_STREAM

    def __init__(self, family: socket.AddressFamily, name: Any) -> None:
        self.family = family
        self._name = name

    def getsockname(self) -> Any:
        """Host and port, or the path of a Unix socket."""
        return self._name

    def fileno(self) -> int:
        """Raises :exc:`NotImplementedError`."""
        raise NotImplementedError("the descriptor of the listening socket is the engine's own")


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
        try:
            self._listen(driver, listening)
        except SocklineError as error:
            raise listen_error(error) from None
        name = self._address() or str(listening.unix_path)
        family = socket.AF_UNIX if listening.unix_path else socket.AF_INET6 if ":" in name[0] else socket.AF_INET
        self.socket = ListeningSocket(family, name)
        """What listens: ``server.socket.getsockname()`` tells host and port."""

    # Attributes

    @property
    def connections(self) -> set[ServerConnection]:
        """The open connections, for instance for :func:`broadcast`."""
        with self.lock:
            return {connection for connection in self.all_connections if connection.ready_state == State.OPEN}

    def fileno(self) -> int:
        """The descriptor of the listening socket is the engine's own: this raises :exc:`NotImplementedError`."""
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
            threads = [thread for thread in self.handler_threads if thread.is_alive()]
        for thread in threads:
            thread.join()
        self._gone.wait()
        self.logger.info("server closed")

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
        request = Request(target, Headers(headers))
        self._add(functools.partial(self._conduct, request_id, request, offered, remote))

    def _request(
        self,
        exchange: _native.HttpExchange,
        asked: tuple[str, list[tuple[str, str]], str, tuple[str, int] | None],
    ) -> None:
        """A client asks for anything else, and ``process_request`` may have an answer."""
        target, headers, method, remote = asked
        request = Request(target, Headers(headers), method)
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
                response = self._processed(connection, request, response)
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
                response = self._processed(connection, request, response)
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
        connection._high_water_mark = self._high_water_mark
        return connection

    def _forced(self, connection: ServerConnection, request: Request) -> Response | None:
        """What ``process_request`` says."""
        if self._process_request is None:
            return None
        try:
            response = self._process_request(connection, request)
        except Exception:
            response = self._handshake_failed(connection, "process_request failed")
        if response is not None and self._server_header is not None and "Server" not in response.headers:
            response.headers["Server"] = self._server_header
        return response

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
    ``websockets.sync``, with its defaults; :func:`sockline.serve` explains them. ``kwargs`` are ``family`` and ``backlog`` of
    :func:`socket.create_server`; and ``tcp``, ``write_limit``, ``static_folder``, ``metrics_path``, ``max_connections``,
    ``max_connections_per_address`` and ``max_requests`` of :func:`sockline.serve`.

    Raises :exc:`OSError` if it can't listen, :exc:`NotImplementedError` for what is not supported: ``sock``,
    ``reuse_port``, ``dualstack_ipv6``.
    """
    ssl = renamed_ssl(ssl, kwargs, 3)
    unix, path = kwargs.pop("unix", False), kwargs.pop("path", None)
    if unix and path is None:
        raise ValueError("missing path argument")
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
    if not unix:
        host = _numeric(host, kwargs.pop("family", socket.AF_INET))
    listening = Listening(
        host or "",
        port or 0,
        os.fsdecode(path) if unix else None,
        None,
        kwargs.pop("static_folder", None),
        open_timeout,
        kwargs.pop("backlog", None) or 1024,
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
    refuse_unsupported({"sock": sock, **kwargs}, _HARMLESS)
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
    )


def unix_serve(handler: Handler, path: PathLike | None = None, **kwargs: Any) -> Server:
    """The same as :func:`serve` on a Unix socket at ``path``."""
    return serve(handler, unix=True, path=path, **kwargs)


def _numeric(host: str | None, family: int) -> str:
    """The first address of a name that is of this family, as :func:`socket.create_server` takes it."""
    found = socket.getaddrinfo(host or None, 0, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return str(found[0][4][0])
