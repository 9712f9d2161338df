"""Connecting to a server, and waiting until that is done."""

from __future__ import annotations

import logging
import os
import socket
import ssl as ssl_module
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from types import TracebackType
from typing import Any, Literal, overload

from .. import _native
from .._asking import Asking, asking, check_asking
from .._connecting import (
    COMPRESSION,
    MAX_REDIRECTS,
    argument_error,
    check_scheme,
    chosen_proxy,
    handshake_error,
    is_secure,
    log_delay,
    override,
    raise_if_fatal,
    redirect_error,
    redirected_to,
    request_headers,
    sent_headers,
    target,
    url,
)
from .._connection import MESSAGE_PARTS
from .._drivers import blocking_thread
from .._options import (
    Limits,
    Opening,
    check_subprotocols,
    deflate,
    marks,
    message_limit,
    refuse_unsupported,
)
from .._sockets import check_stream, connected_descriptor
from .._ssl import client_tls
from .._version import USER_AGENT
from ..client import backoff, process_exception
from ..datastructures import Headers, HeadersLike, received
from ..exceptions import InvalidHandshake, InvalidStatus, SocklineError
from ..extensions.permessage_deflate import ClientPerMessageDeflateFactory
from ..http11 import Request, Response
from ..options import Compression, Timings
from ..tls import ClientTLS
from ..typing import Dial, LoggerLike, Lookup, Origin, PathLike, Subprotocol
from .connection import WRITE_LIMIT, Connection

__all__ = ["ClientConnection", "connect", "reconnect", "unix_connect", "unix_reconnect"]

# Arguments of websockets' and of socket.create_connection that can't be honoured, with the values that ask for nothing.
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "timeout": (None,),
    "all_errors": (False,),
}


class ClientConnection(Connection):
    """A client's connection."""

    def __init__(self, driver: _native.Driver, high: int, low: int) -> None:
        super().__init__(driver, high, low)
        self.pending_legacy_warning = True
        self._refusal: Exception | None = None
        self._asking: Asking | None = None

    @property
    def timings(self) -> Timings:
        """How long each step to the open connection took."""
        return self._measured_timings

    def __enter__(self) -> ClientConnection:
        self.pending_legacy_warning = False
        return self

    def _warn_of_legacy(self) -> None:
        if self.pending_legacy_warning:
            self.pending_legacy_warning = False
            warnings.warn(
                "connect() must be used as a context manager: with connect(...) as websocket: ...; alternatively, use "
                "websocket = connect(..., legacy=True) to connect directly",
                DeprecationWarning,
                stacklevel=3,
            )

    def _opened(self) -> None:
        sent_to, headers = self._sent_request()
        self.request = Request(target(sent_to), Headers(headers))
        self.response = Response(101, "Switching Protocols", received(self._response_headers()))
        self._measured_timings = Timings(*self._timings())
        super()._opened()

    def _failed(self, error: SocklineError, sent: int | None) -> None:
        super()._failed(error, sent)
        if not self._settled.is_set():
            self._refusal = handshake_error(error)
            if self._asking is not None:
                self._asking.explain(error, self._refusal)

    def _closed(self, code: int, reason: str, was_clean: bool) -> None:
        if not self._settled.is_set() and self._refusal is None:
            self._refusal = InvalidHandshake("the connection was closed before it was open")
        super()._closed(code, reason, was_clean)


class reconnect:
    """The same as :func:`connect`, for connections that are made again: ``for connection in reconnect(uri)`` connects each
    time that the body has ended.

    An attempt that fails is made again after the next one of ``reconnect_delays()``, unless ``process_exception`` says that
    its exception is to be raised (:func:`~sockline.client.process_exception` by default). ``with reconnect(uri) as
    connection`` connects once.
    """

    def __init__(
        self,
        uri: str,
        *,
        sock: socket.socket | None = None,
        ssl: ssl_module.SSLContext | ClientTLS | Literal[True] | None = None,
        server_hostname: str | None = None,
        origin: Origin | str | None = None,
        extensions: Sequence[ClientPerMessageDeflateFactory] | None = None,
        subprotocols: Sequence[Subprotocol | str] | None = None,
        compression: Literal["deflate"] | Compression | None = "deflate",
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        proxy: str | Literal[True] | None = True,
        proxy_ssl: ssl_module.SSLContext | ClientTLS | Literal[True] | None = None,
        proxy_server_hostname: str | None = None,
        process_exception: Callable[[Exception], Exception | None] = process_exception,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        reconnect_delays: Callable[[], Generator[float]] = backoff,
        max_size: int | None | tuple[int | None, int | None] = 2**20,
        max_queue: int | None | tuple[int | None, int | None] = 16,
        logger: LoggerLike | None = None,
        create_connection: type[ClientConnection] | None = None,
        **kwargs: Any,
    ) -> None:
        check_scheme(uri)
        ssl = renamed_ssl(ssl, kwargs, 4)
        if ssl is not None and not is_secure(uri):
            raise ValueError("ssl argument is incompatible with a ws:// URI")
        write_limit = marks("write_limit", kwargs.pop("write_limit", WRITE_LIMIT))[0]
        address = kwargs.pop("address", None)
        unix, path = kwargs.pop("unix", False), kwargs.pop("path", None)
        limits = Limits(
            max_size=message_limit(max_size),
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            close_timeout=close_timeout,
            high_water_mark=write_limit,
            hard_limit=None,
            tcp=kwargs.pop("tcp", None),
            compression=deflate(compression, extensions, COMPRESSION),
            message_parts=MESSAGE_PARTS,
        )
        self.uri = uri
        self.proxy = proxy
        self._has_proxy_ssl = proxy_ssl is not None
        self.process_exception = process_exception
        self.reconnect_delays = reconnect_delays
        self.logger: LoggerLike = logger or logging.getLogger("sockline")
        self._headers = request_headers(origin, additional_headers, user_agent_header)
        self._unix_path = os.fsdecode(path) if unix and path is not None else None
        self._max_redirects: int = kwargs.pop("max_redirects", MAX_REDIRECTS)
        self._opening = Opening(
            check_subprotocols(subprotocols),
            sent_headers(uri, self._headers, self._unix_path),
            open_timeout,
            limits,
            kwargs.pop("source_address", None),
            tls=client_tls(ssl, server_hostname),
            max_redirects=self._max_redirects if self._unix_path is None else 0,
            connect_to=None if address is None else override(uri, *address),
            proxy_tls=client_tls(proxy_ssl, proxy_server_hostname),
            keep_request=True,
        )
        self._queue = marks("max_queue", max_queue)
        self._factory = create_connection or ClientConnection
        self._sock = sock
        self._dial: Dial | None = kwargs.pop("dial", None)
        self._lookup: Lookup | None = kwargs.pop("lookup", None)
        others = {"address": address, "source_address": self._opening.local_address, "unix": unix or None}
        check_asking(self._dial, self._lookup, proxy, sock=sock, **others)
        if sock is not None:
            if address is not None or unix:
                raise ValueError("address and sock can not be specified at the same time")
            check_stream(sock)
        refuse_unsupported(kwargs, _HARMLESS)

    def connect(self) -> ClientConnection:
        """Connects, following redirects."""
        hops = 0
        while True:
            try:
                return self._attempt()
            except InvalidStatus as error:
                if self._unix_path is None:
                    raise
                hops += 1
                self.uri = redirected_to(self.uri, error, hops, self._max_redirects)

    def _attempt(self) -> ClientConnection:
        driver = blocking_thread().driver
        connection = self._factory(driver, *self._queue)
        connection._logs_to = self.logger
        connection.request = Request(target(self.uri), self._headers.copy())
        connection._high_water_mark = self._opening.limits.high_water_mark
        connection._max_size = self._opening.limits.max_size
        connection._asking = asking(self._dial, self._lookup, None)
        opening = self._opening._replace(asking=connection._asking, proxy=False)
        if self._sock is not None:
            opening = opening._replace(socket=connected_descriptor(self._sock))
        elif self._dial is None:
            proxy = chosen_proxy(self.uri, self.proxy, self._unix_path, self._has_proxy_ssl)
            opening = opening._replace(proxy=proxy)
        try:
            driver.connect(connection, url(self.uri, self._unix_path), opening)
        except SocklineError as error:
            raise argument_error(self.uri, error) from None
        try:
            connection._settled.wait()
        except BaseException:
            connection._terminate()
            raise
        if connection._refusal is not None:
            refusal = connection._refusal
            raise refusal if self._sock is None else redirect_error(self.uri, refusal)
        return connection

    def __enter__(self) -> ClientConnection:
        if hasattr(self, "connection"):
            raise RuntimeError("connect() isn't reentrant")
        self.connection = self.connect()
        return self.connection.__enter__()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        exc_traceback: TracebackType | None,
    ) -> None:
        try:
            self.connection.__exit__(exc_type, exc_value, exc_traceback)
        finally:
            del self.connection

    def __iter__(self) -> Iterator[ClientConnection]:
        delays: Generator[float] | None = None
        while True:
            try:
                with self as connection:
                    yield connection
            except Exception as error:
                raise_if_fatal(self.process_exception, error)
                delays = delays or self.reconnect_delays()
                delay = next(delays)
                log_delay(self.logger, delay, error)
                time.sleep(delay)
            else:
                delays = None


@overload
def connect(uri: str, *, legacy: Literal[True] | None = ..., **kwargs: Any) -> ClientConnection: ...
@overload
def connect(uri: str, *, legacy: Literal[False], **kwargs: Any) -> reconnect: ...


def connect(
    uri: str,
    *,
    sock: socket.socket | None = None,
    ssl: ssl_module.SSLContext | ClientTLS | Literal[True] | None = None,
    server_hostname: str | None = None,
    origin: Origin | str | None = None,
    extensions: Sequence[ClientPerMessageDeflateFactory] | None = None,
    subprotocols: Sequence[Subprotocol | str] | None = None,
    compression: Literal["deflate"] | Compression | None = "deflate",
    additional_headers: HeadersLike | None = None,
    user_agent_header: str | None = USER_AGENT,
    proxy: str | Literal[True] | None = True,
    proxy_ssl: ssl_module.SSLContext | ClientTLS | Literal[True] | None = None,
    proxy_server_hostname: str | None = None,
    open_timeout: float | None = 10,
    ping_interval: float | None = 20,
    ping_timeout: float | None = 20,
    close_timeout: float | None = 10,
    max_size: int | None | tuple[int | None, int | None] = 2**20,
    max_queue: int | None | tuple[int | None, int | None] = 16,
    logger: LoggerLike | None = None,
    create_connection: type[ClientConnection] | None = None,
    legacy: bool | None = None,
    **kwargs: Any,
) -> ClientConnection | reconnect:
    """Connects to the WebSocket server at ``uri``: ``with connect(uri) as connection`` closes the connection at the end.

    The arguments are those of ``websockets.sync``, with its defaults; :class:`sockline.connect` explains them. ``kwargs`` are
    ``address``, a host and port that are connected to in place of the URI's, and ``source_address``, this side's, of
    :func:`socket.create_connection`; and ``tcp``, ``write_limit``, ``max_redirects``, ``dial`` and ``lookup`` of :class:`sockline.connect`,
    the latter two functions that are called in a thread of their own.

    ``legacy=True`` is for connections that are not used in ``with``, which otherwise warn, as they do there;
    ``legacy=False`` returns a :class:`reconnect`.

    Raises as :class:`sockline.connect` does, :exc:`NotImplementedError` for what is not supported.
    """
    connecter = reconnect(
        uri,
        sock=sock,
        ssl=ssl,
        server_hostname=server_hostname,
        origin=origin,
        extensions=extensions,
        subprotocols=subprotocols,
        compression=compression,
        additional_headers=additional_headers,
        user_agent_header=user_agent_header,
        proxy=proxy,
        proxy_ssl=proxy_ssl,
        proxy_server_hostname=proxy_server_hostname,
        open_timeout=open_timeout,
        ping_interval=ping_interval,
        ping_timeout=ping_timeout,
        close_timeout=close_timeout,
        max_size=max_size,
        max_queue=max_queue,
        logger=logger,
        create_connection=create_connection,
        **kwargs,
    )
    return _as_asked(connecter, legacy)


def unix_reconnect(path: PathLike | None = None, uri: str | None = None, **kwargs: Any) -> reconnect:
    """The same as :class:`reconnect` for the Unix socket at ``path``; ``uri`` is ``ws://localhost/`` by default. There is no
    TLS over Unix sockets.
    """
    if path is None:
        raise ValueError("missing path argument")
    if kwargs.get("ssl") is not None or kwargs.get("ssl_context") is not None:
        raise NotImplementedError("TLS over Unix sockets is not supported")
    return reconnect(uri or "ws://localhost/", unix=True, path=path, **kwargs)


@overload
def unix_connect(
    path: PathLike | None = ..., uri: str | None = ..., *, legacy: Literal[True] | None = ..., **kwargs: Any
) -> ClientConnection: ...
@overload
def unix_connect(
    path: PathLike | None = ..., uri: str | None = ..., *, legacy: Literal[False], **kwargs: Any
) -> reconnect: ...


def unix_connect(
    path: PathLike | None = None, uri: str | None = None, *, legacy: bool | None = None, **kwargs: Any
) -> ClientConnection | reconnect:
    """The same as :func:`connect` for the Unix socket at ``path``; ``uri`` is ``ws://localhost/`` by default. There is no TLS
    over Unix sockets.
    """
    return _as_asked(unix_reconnect(path, uri, **kwargs), legacy)


def _as_asked(connecter: reconnect, legacy: bool | None) -> ClientConnection | reconnect:
    if legacy is False:
        return connecter
    connection = connecter.connect()
    if legacy:
        connection.pending_legacy_warning = False
    return connection


def renamed_ssl(ssl: Any, kwargs: dict[str, Any], level: int) -> Any:
    """The argument ``ssl``, which ``websockets`` once called ``ssl_context``; the caller is so many calls away."""
    if ssl is None and "ssl_context" in kwargs:
        warnings.warn("ssl_context was renamed to ssl", DeprecationWarning, stacklevel=level)
        return kwargs.pop("ssl_context")
    return ssl
