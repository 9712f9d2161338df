"""Options of Socket.IO on their way to the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .._options import Limits, Opening, header_list
from ..options import Compression, TcpOptions
from ..tls import ClientTLS
from ..typing import PathLike
from ._http_session import told
from ._origins import Allowed, allows_all
from ._packets import Packets

__all__ = ["Connecting", "ConnectionStateRecovery", "Serving", "connecting", "serving"]

SlowConsumer = Literal["error", "drop_newest", "drop_oldest", "close"]

MIB = 2**20
TRANSPORTS = ("polling", "websocket")


class ConnectionStateRecovery(NamedTuple):
    """A client that comes back within ``max_disconnection_duration`` seconds gets its sid, its rooms and its session
    back, and what it has missed; the handler of ``connect`` is not called for it, unless ``skip_connect_handler`` is off.
    At most ``max_bytes`` of events are kept for those who are away, in each namespace.
    """

    max_disconnection_duration: float = 120
    skip_connect_handler: bool = True
    max_bytes: int = 16 * MIB


class Serving(NamedTuple):
    """What the engine wants to know of a server. Seconds and bytes."""

    path: str
    ping_interval: float
    ping_timeout: float
    upgrade_timeout: float
    connect_timeout: float
    max_http_buffer_size: int
    transports: list[str]
    allow_upgrades: bool
    allow_eio3: bool
    origins: list[str] | None
    """``None`` is any."""
    credentials: bool
    has_cors: bool
    ask_request: bool
    cookie: list[tuple[str, str]] | None
    http_compression: int | None
    client_folder: PathLike | None
    recovery: ConnectionStateRecovery | None
    msgpack: bool
    packets: Packets | None
    max_attachments: int
    forward_requests: bool
    limits: Limits


def serving(
    *,
    socketio_path: str,
    msgpack: bool,
    packets: Packets | None,
    ping_interval: float | tuple[float, float] = 25,
    ping_timeout: float = 20,
    max_http_buffer_size: int = 1_000_000,
    allow_upgrades: bool = True,
    http_compression: bool = True,
    compression_threshold: int = 1024,
    cookie: str | Mapping[str, Any] | None = None,
    cors_allowed_origins: Allowed = None,
    cors_credentials: bool = True,
    monitor_clients: bool | None = None,
    transports: str | Sequence[str] | None = None,
    upgrade_timeout: float = 10,
    connect_timeout: float = 45,
    allow_eio3: bool = False,
    serve_client: PathLike | bool | None = None,
    connection_state_recovery: ConnectionStateRecovery | bool | None = None,
    max_attachments: int = 10,
    forward_requests: bool = False,
    websocket_compression: Compression | bool | None = None,
    high_water_mark: int = MIB,
    hard_limit: int | None = None,
    slow_consumer: SlowConsumer = "error",
    asks: bool = False,
) -> Serving:
    """The options of python-socketio's and python-engineio's servers, and our own.

    Raises ``ValueError`` and ``TypeError`` for what they can't be, ``NotImplementedError`` for what this engine can't do.
    """
    if isinstance(ping_interval, tuple):
        ping_interval, grace = ping_interval
        ping_timeout += grace  # for both ends, which add the two
    if monitor_clients is False:
        raise NotImplementedError("clients that do not answer are always found out: monitor_clients can't be False")
    chosen = Compression.server() if websocket_compression is True else websocket_compression or None
    has_cors = cors_allowed_origins is not None and cors_allowed_origins != []
    return Serving(
        path="/" + socketio_path.strip("/"),
        ping_interval=ping_interval,
        ping_timeout=ping_timeout,
        upgrade_timeout=upgrade_timeout,
        connect_timeout=connect_timeout,
        max_http_buffer_size=max_http_buffer_size,
        transports=chosen_transports(transports),
        allow_upgrades=allow_upgrades,
        allow_eio3=allow_eio3,
        origins=_named_origins(cors_allowed_origins),
        credentials=cors_credentials,
        has_cors=has_cors,
        ask_request=asks or not allows_all(cors_allowed_origins),
        cookie=_cookie(cookie),
        http_compression=compression_threshold if http_compression else None,
        client_folder=_client_folder(serve_client),
        recovery=ConnectionStateRecovery() if connection_state_recovery is True else connection_state_recovery or None,
        msgpack=msgpack,
        packets=packets,
        max_attachments=max_attachments,
        forward_requests=forward_requests,
        limits=Limits(None, None, None, 5, high_water_mark, hard_limit, slow_consumer, None, chosen),
    )


def chosen_transports(transports: str | Sequence[str] | None) -> list[str]:
    """The known ones among those that were asked for, as python-engineio has it."""
    if transports is None:
        return list(TRANSPORTS)
    wanted = [transports] if isinstance(transports, str) else transports
    known = [transport for transport in wanted if transport in TRANSPORTS]
    if not known:
        raise ValueError("No valid transports provided")
    return known


def _named_origins(allowed: Allowed) -> list[str] | None:
    if allowed is None or callable(allowed) or allows_all(allowed):
        return None
    return [allowed] if isinstance(allowed, str) else list(allowed)


def _cookie(cookie: str | Mapping[str, Any] | None) -> list[tuple[str, str]] | None:
    """Its name, then its attributes; without any, those that python-engineio gives."""
    if cookie is None:
        return None
    if isinstance(cookie, str):
        return [("name", cookie), ("path", "/"), ("SameSite", "Lax")]
    attributes = {name: value() if callable(value) else value for name, value in cookie.items()}
    name = attributes.pop("name", "io")
    texts = [(key, "" if value is True else str(value)) for key, value in attributes.items() if value is not False]
    return [("name", name), *texts]


def _client_folder(serve_client: PathLike | bool | None) -> PathLike | None:
    """``True`` is a folder ``socket.io-client`` that npm has put into ``node_modules`` here."""
    if serve_client is True:
        return Path("node_modules/socket.io-client/dist")
    return serve_client or None


class Connecting(NamedTuple):
    """How a client connects, beside the URL. Seconds and bytes."""

    path: str
    transports: list[str]
    msgpack: bool
    packets: Packets | None
    request_timeout: float | None
    timestamp_requests: bool
    max_attachments: int
    upgrade: bool
    remember_upgrade: bool
    try_all_transports: bool
    retries: int
    ack_timeout: float | None
    send_buffer: int | None
    """``None`` keeps nothing."""
    opening: Opening


def connecting(
    *,
    msgpack: bool,
    packets: Packets | None,
    request_timeout: float = 5,
    http_session: Any = None,
    ssl_verify: bool = True,
    websocket_extra_options: Mapping[str, Any] | None = None,
    timestamp_requests: bool = True,
    tls: ClientTLS | None = None,
    proxy: str | bool | None = True,
    proxy_tls: ClientTLS | None = None,
    cookies: Mapping[str, str] | None = None,
    tcp: TcpOptions | None = None,
    max_size: int | None = 16 * MIB,
    max_attachments: int = 10,
    upgrade: bool = True,
    remember_upgrade: bool = False,
    try_all_transports: bool = False,
    retries: int = 0,
    ack_timeout: float | None = None,
    send_buffer: int | None = None,
    websocket_compression: Compression | bool | None = None,
    high_water_mark: int = MIB,
    hard_limit: int | None = None,
) -> Connecting:
    """The options of python-socketio's and python-engineio's clients, and our own.

    Raises ``ValueError`` and ``TypeError`` for what they can't be, ``NotImplementedError`` for what belongs to other
    libraries.
    """
    if websocket_extra_options:
        raise NotImplementedError("websocket_extra_options are not supported: use tls, proxy, cookies, tcp")
    if retries and ack_timeout is None:
        raise ValueError("with retries there has to be an ack_timeout, after which an event is sent again")
    if send_buffer is not None and send_buffer < 1:
        raise ValueError("send_buffer must be None or at least 1 byte")
    cookies = dict(cookies or {})
    headers: dict[str, str] = {}
    if http_session is not None:
        session = told(http_session)
        tls = tls or session.tls
        headers, cookies = session.headers, {**session.cookies, **cookies}
        proxy = session.proxy if proxy is True else proxy
    if not ssl_verify:
        tls = tls or ClientTLS(insecure=True)
    chosen = Compression() if websocket_compression is True else websocket_compression or None
    limits = Limits(max_size, None, None, 5, high_water_mark, hard_limit, "error", tcp, chosen)
    return Connecting(
        path="/socket.io",
        transports=list(TRANSPORTS),
        msgpack=msgpack,
        packets=packets,
        request_timeout=request_timeout or None,
        timestamp_requests=timestamp_requests,
        max_attachments=max_attachments,
        upgrade=upgrade,
        remember_upgrade=remember_upgrade,
        try_all_transports=try_all_transports,
        retries=retries,
        ack_timeout=ack_timeout,
        send_buffer=send_buffer,
        opening=Opening(
            [],
            header_list(headers),
            request_timeout or None,
            limits,
            proxy=proxy or False,
            tls=tls,
            cookies=list(cookies.items()),
            proxy_tls=proxy_tls,
        ),
    )


def connecting_now(
    general: Connecting, headers: Mapping[str, str], transports: str | Sequence[str] | None, socketio_path: str
) -> Connecting:
    """With what ``connect`` was given."""
    return general._replace(
        path="/" + socketio_path.strip("/"),
        transports=chosen_transports(transports),
        opening=general.opening._replace(headers=[*general.opening.headers, *header_list(headers)]),
    )
