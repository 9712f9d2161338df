"""Connecting to a server."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl as ssl_module
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from types import TracebackType
from typing import Any, Literal

from .. import _native
from .._asking import Asking, asking, check_asking
from .._connecting import (
    COMPRESSION,
    MAX_REDIRECTS,
    argument_error,
    check_scheme,
    check_unix,
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
from .._drivers import running_driver
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
from ..options import Compression, TcpOptions, Timings
from ..tls import ClientTLS
from ..typing import Dial, LoggerLike, Lookup, Origin, PathLike, Subprotocol
from .connection import Connection

__all__ = ["ClientConnection", "connect", "unix_connect"]

logger = logging.getLogger("sockline")

# Arguments of `loop.create_connection` that can't be honoured, with the values that ask for what the engine does.
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "proto": (0, socket.IPPROTO_TCP),
    "flags": (0,),
    "happy_eyeballs_delay": (None, 0.25),
    "interleave": (None, 1),
    "all_errors": (False,),
    "ssl_handshake_timeout": (None,),
    "ssl_shutdown_timeout": (None,),
}

_ANY_OF = {socket.AF_INET: ("0.0.0.0", 0), socket.AF_INET6: ("::", 0)}
"""This side's address, for one family of addresses."""


class ClientConnection(Connection):
    """A client's connection."""

    def __init__(self, driver: _native.Driver, high: int, low: int) -> None:
        super().__init__(driver, high, low)
        self._handshake: asyncio.Future[None] = self.loop.create_future()
        self._asking: Asking | None = None

    @property
    def timings(self) -> Timings:
        """How long each step to the open connection took."""
        return self._measured_timings

    def _opened(self) -> None:
        super()._opened()
        sent_to, headers = self._sent_request()
        self.request = Request(target(sent_to), Headers(headers))
        self.response = Response(101, "Switching Protocols", received(self._response_headers()))
        self._measured_timings = Timings(*self._timings())
        if not self._handshake.done():
            self._pause()  # until somebody can have asked for messages
            self._handshake.set_result(None)

    def _failed(self, error: SocklineError, sent: int | None) -> None:
        super()._failed(error, sent)
        if not self._handshake.done():
            refusal = handshake_error(error)
            if self._asking is not None:
                self._asking.explain(error, refusal)
            self._handshake.set_exception(refusal)

    def _closed(self, code: int, reason: str, was_clean: bool) -> None:
        super()._closed(code, reason, was_clean)
        if self._asking is not None:
            self._asking.give_up()
        if not self._handshake.done():
            self._handshake.set_exception(InvalidHandshake("the connection was closed before it was open"))


class connect:
    """Connects to the WebSocket server at ``uri``.

    ``async with connect(uri) as connection`` closes the connection at the end; ``await connect(uri)`` leaves that to
    the caller. ``async for connection in connect(uri)`` connects again each time that the body has ended; an attempt
    that fails is made again after the next one of ``reconnect_delays()``, unless ``process_exception`` says that its
    exception is to be raised (:func:`~sockline.client.process_exception` by default). The arguments are those of ``websockets``, with its defaults; times are in seconds, and ``None`` means
    no limit:

    * ``origin``, ``subprotocols``, ``additional_headers``, ``user_agent_header`` go into the request;
    * ``open_timeout`` is for name lookup, connecting and the handshake together;
    * ``ping_interval``: a ping is sent when nothing has come for so long; ``ping_timeout``: and the peer is given up
      when nothing comes for so long after that;
    * ``close_timeout`` is for the closing handshake;
    * ``max_size`` is the longest message to take, in bytes; longer ones fail the connection with 1009;
    * ``max_queue``: reading pauses when so many messages wait for :meth:`~ClientConnection.recv`;
    * ``write_limit``: sending waits when so many bytes wait to be sent;
    * ``compression`` is ``"deflate"``, a :class:`~sockline.Compression`, or ``None`` for none;
    * ``proxy`` is ``True`` for the one of the environment (:func:`~sockline.proxy.get_proxy`), an ``http://``,
      ``https://``, ``socks5://`` or ``socks5h://`` URL, or ``None`` for none; ``proxy_ssl`` and ``proxy_server_hostname``
      are for TLS with an ``https://`` one;
    * ``sock`` is a socket that is connected already, in place of connecting; it is taken over, so that it is detached, and
      redirects raise :exc:`ValueError`; ``family`` is ``socket.AF_INET`` or ``AF_INET6``, for addresses of that only;
    * ``dial(host, port)`` makes each connection in the library's place, also for redirects, and the library does TLS on it if the URI asks
      for that: a function, which is called in a thread of :func:`asyncio.to_thread` and may wait, or a coroutine function. It returns a
      connected :class:`socket.socket` of TCP or a Unix socket, which is taken over, so that it is detached; whatever it raises is the
      ``__cause__`` of an :exc:`OSError`. There is no proxy then, and where to connect to can't be said by other arguments;
    * ``lookup(host)``, likewise, returns the IP addresses of a name, as strings or of :mod:`ipaddress`, the best one first; what it
      raises is the ``__cause__`` of a :exc:`socket.gaierror`;
    * ``host`` and ``port`` are connected to in place of the URI's, which the server still hears;
    * ``ssl`` is an :class:`ssl.SSLContext`, whose authorities, ``verify_mode``, ``check_hostname``, ``minimum_version`` and
      ALPN are taken over (with a client's certificate it has to be a :class:`~sockline.SSLContext`),
      or a :class:`~sockline.ClientTLS`; ``server_hostname`` is the name to expect;
    * ``max_redirects`` are followed, without credentials across origins;
    * ``local_addr`` is this side's IP address and port, 0 for any; ``tcp`` are further options of the socket.

    Raises :exc:`InvalidURI`, :exc:`InvalidProxy`, :exc:`OSError` if no connection can be made (:exc:`ssl.SSLError` for TLS),
    :exc:`InvalidHandshake` if the server or the proxy refuses, :exc:`TimeoutError`; :exc:`NotImplementedError` for what
    this version does not support.
    """

    def __init__(
        self,
        uri: str,
        *,
        origin: Origin | str | None = None,
        extensions: Sequence[ClientPerMessageDeflateFactory] | None = None,
        subprotocols: Sequence[Subprotocol | str] | None = None,
        compression: Literal["deflate"] | Compression | None = "deflate",
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        proxy: str | bool | None = True,
        process_exception: Callable[[Exception], Exception | None] = process_exception,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        reconnect_delays: Callable[[], Generator[float]] = backoff,
        max_size: int | None | tuple[int | None, int | None] = 2**20,
        max_queue: int | None | tuple[int | None, int | None] = 16,
        write_limit: int | tuple[int, int | None] = 2**15,
        logger: LoggerLike | None = None,
        create_connection: type[ClientConnection] | None = None,
        ssl: ssl_module.SSLContext | ClientTLS | Literal[True] | None = None,
        server_hostname: str | None = None,
        proxy_ssl: ssl_module.SSLContext | ClientTLS | Literal[True] | None = None,
        proxy_server_hostname: str | None = None,
        host: str | None = None,
        port: int | None = None,
        local_addr: tuple[str, int] | None = None,
        max_redirects: int = MAX_REDIRECTS,
        unix: bool = False,
        path: PathLike | None = None,
        tcp: TcpOptions | None = None,
        sock: socket.socket | None = None,
        family: int = 0,
        dial: Dial | None = None,
        lookup: Lookup | None = None,
        **unsupported: Any,
    ) -> None:
        refuse_unsupported(unsupported, _HARMLESS)
        check_scheme(uri)
        if unix:
            check_unix(path, sock, ssl)
        if ssl is not None and not is_secure(uri):
            raise ValueError("ssl argument is incompatible with a ws:// URI")
        if sock is not None:
            if host is not None or port is not None:
                raise ValueError("host/port and sock can not be specified at the same time")
            check_stream(sock)
        others = {"host": host, "port": port, "local_addr": local_addr, "family": family or None, "unix": unix or None}
        check_asking(dial, lookup, proxy, sock=sock, **others)
        self._dial, self._lookup = dial, lookup
        if family not in (socket.AF_UNSPEC, *_ANY_OF):
            raise ValueError(f"family={family!r} is not one of the Internet")
        self._sock = sock
        self.uri = uri
        self._tls = client_tls(ssl, server_hostname)
        self._proxy_tls = client_tls(proxy_ssl, proxy_server_hostname)
        self._has_proxy_ssl = proxy_ssl is not None
        self._connect_to = override(uri, host, port)
        self.process_exception = process_exception
        self.reconnect_delays = reconnect_delays
        self._subprotocols = check_subprotocols(subprotocols)
        self._headers = request_headers(origin, additional_headers, user_agent_header)
        self._open_timeout = open_timeout
        self._limits = Limits(
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
        self.proxy = proxy
        self._max_redirects = max_redirects
        self._local_address = local_addr or _ANY_OF.get(socket.AddressFamily(family))
        self._unix_path = os.fsdecode(path) if unix and path is not None else None
        self._queue = marks("max_queue", max_queue)
        self._logger = logger
        self._factory = create_connection or ClientConnection
        self._connection: ClientConnection | None = None

    async def _connect(self) -> ClientConnection:
        hops = 0
        while True:
            try:
                return await self._attempt()
            except InvalidStatus as error:
                if self._unix_path is None:
                    raise
                hops += 1
                self.uri = redirected_to(self.uri, error, hops, self._max_redirects)

    async def _attempt(self) -> ClientConnection:
        driver = running_driver()
        connection = self._factory(driver, *self._queue)
        if self._logger is not None:
            connection._logs_to = self._logger
        connection._max_size = self._limits.max_size
        connection.request = Request(target(self.uri), self._headers.copy())
        connection._asking = asking(self._dial, self._lookup, connection.loop)
        opening = Opening(
            self._subprotocols,
            sent_headers(self.uri, self._headers, self._unix_path),
            self._open_timeout,
            self._limits,
            self._local_address,
            self._chosen_proxy(),
            self._tls,
            max_redirects=self._max_redirects if self._unix_path is None else 0,
            connect_to=self._connect_to,
            socket=None if self._sock is None else connected_descriptor(self._sock),
            proxy_tls=self._proxy_tls,
            keep_request=True,
            asking=connection._asking,
        )
        try:
            driver.connect(connection, self._url(), opening)
        except SocklineError as error:
            raise argument_error(self.uri, error) from None
        try:
            await connection._handshake
        except InvalidStatus as error:
            if self._sock is None:
                raise
            raise redirect_error(self.uri, error) from error.__cause__
        except asyncio.CancelledError:
            connection._terminate()
            raise
        # When the caller waits for something: for the first message, most likely. It can then be answered even if the end
        # has come along with it.
        connection.loop.call_soon(connection._resume)
        return connection

    def __await__(self) -> Generator[Any, None, ClientConnection]:
        return self._connect().__await__()

    async def __aenter__(self) -> ClientConnection:
        if self._connection is not None:
            raise RuntimeError("connect() isn't reentrant")
        self._connection = await self
        return self._connection

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.__aexit__(exc_type, exc_value, traceback)

    async def __aiter__(self) -> AsyncIterator[ClientConnection]:
        delays: Generator[float] | None = None
        while True:
            try:
                async with self as connection:
                    yield connection
            except Exception as error:
                raise_if_fatal(self.process_exception, error)
                delays = delays or self.reconnect_delays()
                delay = next(delays)
                log_delay(self._logger or logger, delay, error)
                await asyncio.sleep(delay)
            else:
                delays = None

    def _chosen_proxy(self) -> str | bool:
        if self._sock is not None or self._dial is not None:
            return False
        return chosen_proxy(self.uri, self.proxy, self._unix_path, self._has_proxy_ssl)

    def _url(self) -> str:
        """The URI as the engine takes it."""
        return url(self.uri, self._unix_path)


def unix_connect(path: PathLike | None = None, uri: str | None = None, **kwargs: Any) -> connect:
    """The same as :class:`connect` to the Unix socket at ``path``; ``uri`` is ``ws://localhost/`` by default. There is no
    TLS over Unix sockets.
    """
    return connect(uri or "ws://localhost/", unix=True, path=path, **kwargs)
