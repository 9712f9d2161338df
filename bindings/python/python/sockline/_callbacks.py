"""The callback face: a client and a server whose handlers are called straight from the engine."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from . import _native
from ._asking import Asking, asking, check_asking
from ._cluster import manager_of
from ._drivers import current_driver, post_to_thread
from ._options import (
    Limits,
    Listening,
    Opening,
    check_origins,
    check_subprotocols,
    check_views_from,
    deflate,
    header_list,
    refuse_threads,
)
from ._sockets import check_alone, connected_descriptor
from .datastructures import Headers, HeadersLike
from .exceptions import SocklineError
from .options import (
    Compression,
    ConnectionMetrics,
    Reconnect,
    ServerMetrics,
    TcpOptions,
    Timings,
    connection_metrics,
    server_metrics,
)
from .tls import ClientTLS, ServerTLS, TLSInfo
from .typing import Dial, Lookup, PathLike

if TYPE_CHECKING:
    from .socketio._base_server import BaseServer
    from .socketio._redis_manager import BaseRedisManager

__all__ = ["UpgradeRequest", "WebSocket", "WebSocketServer"]

logger = logging.getLogger("sockline")

MIB = 2**20
Callback = Callable[..., object]
SlowConsumer = Literal["error", "drop_newest", "drop_oldest", "close"]

# In the order in which the engine numbers them.
_CALLBACKS = (
    "onopen",
    "onmessage",
    "onclose",
    "onerror",
    "ondrain",
    "onping",
    "onpong",
    "onreconnecting",
    "onattempt",
    "onreconnected",
    "onpart",
)
_ONMESSAGE = _CALLBACKS.index("onmessage")


def _callback(name: str, doc: str) -> Any:
    place = _CALLBACKS.index(name)

    def get(self: WebSocket) -> Callback | None:
        return self._callback(place)

    def set(self: WebSocket, callback: Callback | None) -> None:
        if callback is not None and not callable(callback):
            raise TypeError(f"{name} must be callable or None, not {type(callback).__name__}")
        self._set_callback(place, callback)
        if place == _ONMESSAGE and callback is not None and self._holds():
            self._post(self._release)

    return property(get, set, doc=doc)


class WebSocket(_native.Socket):
    """Connects to ``url`` and calls handlers.

    Made where an asyncio loop is running, it belongs to that loop, and handlers are called there, outside of any task.
    Made elsewhere, it belongs to a thread of the library's own, and handlers are called there; then pass them as
    arguments, or events can come before they are set. Messages wait for an ``onmessage``, up to 1 MiB. The thread
    never keeps the interpreter from ending.

    The first argument of each handler is the WebSocket. An exception in a handler goes to the asyncio loop's exception
    handler, or to :func:`sys.unraisablehook`, and the others are called on. Methods may be called from any thread;
    they never wait, and never call a handler.

    ``headers`` are further request headers. Times are in seconds, sizes in bytes, ``None`` is no limit: ``max_size``
    of a message to take; ``high_water_mark`` of waiting bytes, above which :meth:`send` returns ``False`` and
    ``ondrain`` follows; ``hard_limit`` of waiting bytes, above which a message meets ``slow_consumer``: ``"error"`` raises,
    ``"drop_newest"`` drops it, ``"drop_oldest"`` those that wait longest, ``"close"`` all, and closes.
    With ``message_parts`` messages come to ``onpart`` as they arrive, and ``max_size`` may be ``None``. ``local_address`` is this side's IP
    address and port, 0 for any; ``proxy`` the URL of an ``http://``, ``https://`` (see ``proxy_tls``),
    ``socks5://`` or ``socks5h://`` proxy, ``True`` for the environment's as curl reads it, ``None`` for none;
    ``connect_to`` a host and port to connect to in place of the URL's, which the server still hears (``""`` and 0 are the URL's own);
    ``sock`` a :class:`socket.socket` that is connected already, which is taken over, so that it is detached: there is no proxy then, and
    redirects are refusals; ``tls`` a :class:`ClientTLS` for ``wss://``, one with the
    defaults if there is none; ``max_redirects`` how many to follow; ``cookies`` go along; ``reconnect`` a :class:`Reconnect`, ``True`` for
    one with its defaults: this object stays, ``onopen`` comes once and ``onclose`` when it is given up; ``compression`` a :class:`Compression`, ``True`` for one that
    suits a client; ``tcp`` are further options of the socket; ``keep_request`` is for :attr:`request_headers`; ``dial`` and ``lookup``
    make connections and look names up in the library's place, as in :class:`sockline.connect`, also for each attempt of ``reconnect``, and
    what they raise is the ``__cause__`` of the error; coroutine functions need an asyncio loop.

    With ``views_from``, binary messages of at least so many bytes come as read-only :class:`memoryview`; parts don't. Long ones
    are not copied then. A view is as good as ``bytes``: it and its slices are valid for as long as they are referred to, in any
    thread. It pays from about 64 KiB on; below that, ``bytes`` are as fast or faster. :meth:`send` takes a view without a copy.

    Raises :exc:`SocklineError` for an URL, protocol or header that can't be used.
    """

    onopen = _callback("onopen", "``onopen(ws)``: messages can be sent.")
    onmessage = _callback("onmessage", "``onmessage(ws, message)``: ``str`` for text, ``bytes`` for binary, or see ``views_from``.")
    onclose = _callback(
        "onclose",
        """``onclose(ws, code, reason, was_clean)``: the last event, always. ``code`` is the peer's close code, 1005 if
        it gave none, 1006 if there was no closing handshake.""",
    )
    onerror = _callback("onerror", "``onerror(ws, error)``: it failed, with a :exc:`SocklineError`; ``onclose`` follows.")
    ondrain = _callback("ondrain", "``ondrain(ws)``: after :meth:`send` returned ``False``, there is room again.")
    onping = _callback("onping", "``onping(ws, payload)``: a ping came; it is answered already.")
    onpong = _callback("onpong", "``onpong(ws, payload)``: a pong came.")
    onreconnecting = _callback(
        "onreconnecting",
        """``onreconnecting(ws, event)``: the connection is lost, and another attempt follows as the :class:`Reconnecting`
        says. The state is connecting from here on. For clients with ``reconnect``.""",
    )
    onattempt = _callback(
        "onattempt",
        """``onattempt(ws, attempt)``: another attempt begins when this returns, with what is in the :class:`Attempt` then:
        a fresh token, another server. Not called before the first attempt of all.""",
    )
    onreconnected = _callback("onreconnected", "``onreconnected(ws)``: there is a connection again; messages can be sent.")
    onpart = _callback(
        "onpart",
        """``onpart(ws, data, is_first, is_last)``: with ``message_parts``, in place of ``onmessage``. Text is cut between
        characters.""",
    )
    _asking: Asking | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        return super().__new__(cls, current_driver())

    def __init__(
        self,
        url: str,
        *,
        protocols: str | Sequence[str] = (),
        headers: HeadersLike | None = None,
        onopen: Callback | None = None,
        onmessage: Callback | None = None,
        onclose: Callback | None = None,
        onerror: Callback | None = None,
        ondrain: Callback | None = None,
        onping: Callback | None = None,
        onpong: Callback | None = None,
        onreconnecting: Callback | None = None,
        onattempt: Callback | None = None,
        onreconnected: Callback | None = None,
        onpart: Callback | None = None,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 5,
        max_size: int | None = 16 * MIB,
        high_water_mark: int = MIB,
        hard_limit: int | None = 16 * MIB,
        slow_consumer: SlowConsumer = "error",
        message_parts: bool = False,
        local_address: tuple[str, int] | None = None,
        proxy: str | bool | None = True,
        tls: ClientTLS | None = None,
        max_redirects: int = 0,
        cookies: Mapping[str, str] | None = None,
        reconnect: Reconnect | bool | None = None,
        proxy_tls: ClientTLS | None = None,
        connect_to: tuple[str, int] | None = None,
        compression: Compression | bool | None = None,
        tcp: TcpOptions | None = None,
        views_from: int | None = None,
        keep_request: bool = False,
        dial: Dial | None = None,
        lookup: Lookup | None = None,
        sock: socket.socket | None = None,
    ) -> None:
        check_asking(dial, lookup, proxy, local_address=local_address, connect_to=connect_to, sock=sock)
        check_alone(sock, local_address=local_address, connect_to=connect_to, lookup=lookup, reconnect=reconnect or None)
        common = (onopen, onmessage, onclose, onerror, ondrain, onping, onpong)
        self._begin(url, (*common, onreconnecting, onattempt, onreconnected, onpart), check_views_from(views_from))
        chosen = _deflate(compression, Compression())
        limits = Limits(
            max_size, ping_interval, ping_timeout, close_timeout, high_water_mark, hard_limit, slow_consumer, tcp, chosen, message_parts
        )
        wanted = [protocols] if isinstance(protocols, str) else list(protocols)
        opening = Opening(wanted, header_list(headers), open_timeout, limits, local_address, proxy or False, tls)
        opening = opening._replace(cookies=list((cookies or {}).items()), max_redirects=max_redirects)
        opening = opening._replace(reconnect=Reconnect() if reconnect is True else reconnect or None)
        opening = opening._replace(proxy_tls=proxy_tls, connect_to=connect_to, keep_request=keep_request)
        self._asking = asking(dial, lookup, self._loop)
        if sock is not None:
            opening = opening._replace(socket=connected_descriptor(sock))
        current_driver().connect(self, url, opening._replace(asking=self._asking))

    def _begin(self, url: str, callbacks: Sequence[Callback | None], views_from: int | None) -> None:
        self._url = url
        self._loop = asyncio._get_running_loop()
        self._protocol = self._extensions = ""
        self._local_address: tuple[str, int] | None = None
        self._remote_address: tuple[str, int] | None = None
        self._dropped_some = False
        if views_from is not None:
            self._set_views_from(views_from)
        for name, callback in zip(_CALLBACKS, callbacks):
            setattr(self, name, callback)

    # Attributes

    CONNECTING, OPEN, CLOSING, CLOSED = range(4)

    @property
    def url(self) -> str:
        """What was connected to; on a server, the request's target."""
        return self._url

    @property
    def protocol(self) -> str:
        """The subprotocol that was agreed on; empty if none was."""
        return self._protocol

    @property
    def extensions(self) -> str:
        """The extensions in use; empty if there are none."""
        return self._extensions

    @property
    def local_address(self) -> tuple[str, int] | None:
        """Host and port of this side, once open; ``None`` for a Unix socket."""
        return self._local_address

    @property
    def remote_address(self) -> tuple[str, int] | None:
        """Host and port of the peer, once open; ``None`` for a Unix socket."""
        return self._remote_address

    @property
    def timings(self) -> Timings:
        """How long each step to the open connection took; readable from ``onopen`` to ``onclose``, on a client."""
        return Timings(*self._timings())

    @property
    def tls_info(self) -> TLSInfo | None:
        """What was agreed on in the TLS handshake; readable from ``onopen`` to ``onclose``, ``None`` without TLS."""
        agreed = self._tls()
        return None if agreed is None else TLSInfo(*agreed)

    @property
    def request_headers(self) -> Headers:
        """The headers of the request as it was sent; readable from ``onopen`` to ``onclose``, and in ``onerror``, on a client with
        ``keep_request``.
        """
        return Headers(self._sent_request()[1])

    @property
    def response_headers(self) -> Headers:
        """The headers of the server's 101 response; readable from ``onopen`` to ``onclose``, on a client."""
        return Headers(self._response_headers())

    @property
    def latency(self) -> float | None:
        """The round trip of the last answered ping in seconds; ``None`` before there was one."""
        micros = self._latency()
        return None if micros is None else micros / 1_000_000

    @property
    def readyState(self) -> int:
        """The same as :attr:`ready_state`, by its name in browsers."""
        return self.ready_state

    @property
    def bufferedAmount(self) -> int:
        """The same as :attr:`buffered_amount`, by its name in browsers."""
        return self.buffered_amount

    # Methods

    def close(self, code: int | None = 1000, reason: str = "") -> None:
        """Starts the closing handshake; while connecting, gives that up. Doing it again is harmless."""
        if self.ready_state < WebSocket.CLOSING:
            _unless_closed(lambda: self._close(code, reason))

    def terminate(self) -> None:
        """Cuts the connection without a closing handshake."""
        _unless_closed(self._terminate)

    def ping(self, data: str | bytes | bytearray | memoryview = b"") -> None:
        """Sends a ping of at most 125 bytes; ``onpong`` follows."""
        self._ping(data)

    def pong(self, data: str | bytes | bytearray | memoryview = b"") -> None:
        """Sends a pong that nobody has asked for. Pings are answered without it."""
        self._pong(data)

    def metrics(self) -> ConnectionMetrics | None:
        """What was counted of it; readable until ``onclose`` has returned, then ``None``. Any thread."""
        return connection_metrics(self._metrics())

    # What the engine tells

    def _opened(self) -> None:
        self._protocol, self._extensions, self._local_address, self._remote_address = self._details()

    def _ended(self) -> None:
        """``onclose`` follows."""
        if self._asking is not None:
            self._asking.give_up()

    def _explain(self, error: SocklineError) -> None:
        """``onerror`` or ``onreconnecting`` follows, with this error."""
        if self._asking is not None:
            self._asking.explain(error)

    def _dropped(self) -> None:
        if not self._dropped_some:
            self._dropped_some = True
            logger.warning("messages are dropped: 1 MiB has come and there is no onmessage")

    def _post(self, call: Callable[[], None]) -> None:
        """Has something called on the thread that calls the handlers."""
        if self._loop is None:
            post_to_thread(call)
        else:
            self._loop.call_soon_threadsafe(call)


class _Accepted(WebSocket):
    """A server's connection."""

    def __new__(cls, server: WebSocketServer, *args: Any) -> Self:
        return _native.Socket.__new__(cls, server)

    def __init__(self, server: WebSocketServer, url: str) -> None:
        self.server = server
        self._begin(url, server._callbacks, server._views_from)
        self._loop = server._loop

    def _opened(self) -> None:
        super()._opened()
        self.server.clients.add(self)
        if self.server.onconnection is not None:
            self.server.onconnection(self)

    def _ended(self) -> None:
        self.server.clients.discard(self)


class UpgradeRequest:
    """A client that asks for a connection: ``onupgrade`` calls :meth:`accept` or :meth:`refuse`, there or later, from
    any thread.
    """

    def __init__(
        self,
        server: WebSocketServer,
        request_id: int,
        target: str,
        headers: Headers,
        protocols: list[str],
        remote_address: tuple[str, int] | None,
    ) -> None:
        self._server = server
        self._request_id = request_id
        self.path = target
        """What is asked for: path and query, not percent-decoded."""
        self.headers = headers
        """The request's headers."""
        self.protocols = protocols
        """The subprotocols that the client offers."""
        self.remote_address = remote_address
        """The client's host and port; ``None`` for a Unix socket."""

    def accept(self, protocol: str | None = None, headers: HeadersLike | None = None) -> WebSocket:
        """Opens the connection, with one of the offered subprotocols and further headers in the response.

        Raises :exc:`SocklineError` if the client has gone or the request was answered before.
        """
        connection = _Accepted(self._server, self.path)
        self._server._accept(self._request_id, connection, protocol, header_list(headers))
        return connection

    def refuse(self, status: int = 403, body: str | bytes = b"", headers: HeadersLike | None = None) -> None:
        """Answers with another HTTP status. Raises as :meth:`accept` does."""
        content = body.encode() if isinstance(body, str) else body
        self._server._refuse(self._request_id, status, header_list(headers), content)


class WebSocketServer(_native.Server):
    """Listens at ``host`` and ``port``, and calls handlers for every connection.

    The handlers are those of :class:`WebSocket`, each with the connection as its first argument, and:

    * ``onupgrade(request)`` answers an :class:`UpgradeRequest`; without it, every request is accepted;
    * ``onconnection(ws)`` is called before ``onopen``, for instance to give the connection handlers of its own;
    * ``onclosed(server)``: the server is closed, and its last connection too.

    ``host`` of ``None`` is every address, ``port`` 0 lets the system choose: see :attr:`port`. ``protocols`` are those
    that the server speaks, the preferred one first. Upgrades are taken at ``path`` only, if that is given.
    ``static_folder``'s files are served to plain HTTP requests on the same port. ``compression`` of ``True`` is
    :meth:`Compression.server`. With ``tls`` it speaks TLS and nothing else.

    ``origins`` are the pages that may connect, as browsers name them (``https://example.com``); empty for all. There are at
    most ``max_connections``, ``max_connections_per_address`` of one client's, and ``max_requests`` for files on each
    connection; the next one is refused with status 503.

    With ``threads`` there are so many threads of the engine's for input and output, TLS and compression; handlers are
    called where they are without, and have the interpreter to themselves. GET of ``metrics_path`` answers
    :meth:`metrics_text`, to whoever can connect. ``socketio``, a :class:`sockline.socketio.Server` or, on an asyncio loop, an
    :class:`~sockline.socketio.AsyncServer`, is served beside the WebSockets, which then should have a ``path`` of their own; not with ``threads``.

    ``views_from`` is as for :class:`WebSocket`.

    With ``adapter``, the URL of a Redis or a :class:`sockline.socketio.RedisManager` with further options, it is one of a cluster:
    what is published at any of its servers reaches the subscribers of all.

    Raises :exc:`OSError` if it can't listen.
    """

    _driver = staticmethod(current_driver)

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        return super().__new__(cls, cls._driver())

    def __init__(
        self,
        host: str | None = None,
        port: int = 0,
        *,
        onupgrade: Callback | None = None,
        onconnection: Callback | None = None,
        onclosed: Callback | None = None,
        onopen: Callback | None = None,
        onmessage: Callback | None = None,
        onclose: Callback | None = None,
        onerror: Callback | None = None,
        ondrain: Callback | None = None,
        onping: Callback | None = None,
        onpong: Callback | None = None,
        onpart: Callback | None = None,
        protocols: Sequence[str] = (),
        path: str | None = None,
        unix_path: PathLike | None = None,
        static_folder: PathLike | None = None,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 5,
        max_size: int | None = MIB,
        high_water_mark: int = MIB,
        hard_limit: int | None = 16 * MIB,
        slow_consumer: SlowConsumer = "error",
        message_parts: bool = False,
        compression: Compression | bool | None = None,
        tls: ServerTLS | None = None,
        tcp: TcpOptions | None = None,
        origins: Sequence[str] = (),
        max_connections: int | None = None,
        max_connections_per_address: int | None = None,
        max_requests: int | None = None,
        threads: int = 0,
        busy_poll: float | None = None,
        metrics_path: str | None = None,
        backlog: int = 1024,
        socketio: BaseServer | None = None,
        adapter: str | BaseRedisManager | None = None,
        views_from: int | None = None,
    ) -> None:
        self._views_from = check_views_from(views_from)
        driver = self._driver()
        self.onupgrade = onupgrade
        self.onconnection = onconnection
        self.onclosed = onclosed
        self.clients: set[WebSocket] = set()
        """The open connections."""
        self._callbacks = (onopen, onmessage, onclose, onerror, ondrain, onping, onpong, None, None, None, onpart)
        self._protocols = check_subprotocols(protocols)
        self._loop = asyncio._get_running_loop()
        self._manager = manager_of(adapter)
        chosen = _deflate(compression, Compression.server())
        limits = Limits(
            max_size, ping_interval, ping_timeout, close_timeout, high_water_mark, hard_limit, slow_consumer, tcp, chosen, message_parts
        )
        refuse_threads(threads, socketio, busy_poll)
        listening = Listening(
            host or "", port, unix_path, path, static_folder, open_timeout, backlog, limits, tls
        )
        listening = listening._replace(
            max_connections=max_connections,
            max_connections_per_address=max_connections_per_address,
            max_requests=max_requests,
            origins=check_origins(origins),
            threads=threads,
            busy_poll=busy_poll or None,
            metrics_path=metrics_path,
            socketio=None if socketio is None else socketio._start(driver),
            adapter=None if self._manager is None else self._manager._lend(driver),
        )
        try:
            self._listen(driver, listening)
        except SocklineError as error:
            if error.code == "SOCKLINE_ERR_LISTEN_FAILED":
                raise error.as_os_error() from None
            raise
        self._socketio = socketio
        if socketio is not None:
            socketio._listener_opened()

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port that it listens at; ``None`` for a Unix socket and once closed."""
        return self._address()

    @property
    def port(self) -> int | None:
        """The port that it listens at."""
        address = self._address()
        return None if address is None else address[1]

    def close(self, code: int | None = 1001, reason: str = "") -> None:
        """Stops listening, and closes the connections with this code; ``None`` leaves them open."""
        _unless_closed(lambda: self._close(code, reason))
        self._leave_socketio()

    def drain(self, deadline: float) -> None:
        """Goes in good order: stops listening at once, closes each connection with 1001 at a random time within half of
        ``deadline`` seconds, so that their clients don't all come back together, sends what was sent before, and cuts
        what is left at the deadline. ``onclosed`` follows.
        """
        _unless_closed(lambda: self._drain(deadline))
        self._leave_socketio()

    def metrics(self) -> ServerMetrics:
        """What was counted so far. It looks at every connection, so ask now and then."""
        return server_metrics(self._metrics())

    # What the engine tells

    def _upgrade(
        self,
        request_id: int,
        target: str,
        headers: list[tuple[str, str]],
        offered: list[str],
        remote: tuple[str, int] | None,
    ) -> None:
        request = UpgradeRequest(self, request_id, target, Headers(headers), offered, remote)
        if self.onupgrade is not None:
            self.onupgrade(request)
        else:
            request.accept(next((name for name in self._protocols if name in offered), None))

    def _leave_socketio(self) -> None:
        socketio, self._socketio = self._socketio, None
        if socketio is not None:
            socketio._listener_closed()

    def _server_closed(self) -> None:
        if self.onclosed is not None:
            self.onclosed(self)


def _unless_closed(call: Callable[[], None]) -> None:
    """Calls on what has ended do nothing."""
    try:
        call()
    except SocklineError as error:
        if error.code != "SOCKLINE_ERR_CLOSED":
            raise


def _deflate(compression: Compression | bool | None, default: Compression) -> Compression | None:
    return deflate("deflate" if compression is True else compression or None, None, default)
