"""WebSocket client and server on one native engine.

With asyncio: :func:`connect` and :func:`serve`, with the API of ``websockets``. With callbacks, and without asyncio if
you like: :class:`WebSocket` and :class:`WebSocketServer`.
"""

from ._callbacks import UpgradeRequest, WebSocket, WebSocketServer
from ._drivers import set_busy_poll
from ._native import memory_in_use, set_memory_budget
from ._version import VERSION as __version__
from ._ssl import SSLContext, create_default_context
from .asyncio.client import ClientConnection, connect, unix_connect
from .asyncio.connection import broadcast
from .asyncio.router import Router, route, unix_route
from .asyncio.server import Server, ServerConnection, basic_auth, serve, unix_serve
from .datastructures import Headers, HeadersLike, MultipleValuesError
from .exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidHeader,
    InvalidMessage,
    InvalidOrigin,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidState,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
    ProxyError,
    SecurityError,
    SocklineError,
    WebSocketException,
)
from .frames import Close, CloseCode
from .http11 import Request, Response
from .options import (
    Attempt,
    Compression,
    ConnectionMetrics,
    Reconnect,
    Reconnecting,
    ServerMetrics,
    TcpOptions,
    Timings,
)
from .protocol import State
from .tls import ClientTLS, ServerTLS, TLSInfo
from .typing import Data, ExtensionName, ExtensionParameter, LoggerLike, Origin, StatusLike, Subprotocol

__all__ = [
    "Attempt",
    "ClientConnection",
    "ClientTLS",
    "Close",
    "CloseCode",
    "Compression",
    "ConcurrencyError",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "ConnectionMetrics",
    "Data",
    "ExtensionName",
    "ExtensionParameter",
    "Headers",
    "HeadersLike",
    "InvalidHandshake",
    "InvalidHeader",
    "InvalidMessage",
    "InvalidOrigin",
    "InvalidProxy",
    "InvalidProxyMessage",
    "InvalidProxyStatus",
    "InvalidState",
    "InvalidStatus",
    "InvalidURI",
    "InvalidUpgrade",
    "LoggerLike",
    "MultipleValuesError",
    "NegotiationError",
    "Origin",
    "PayloadTooBig",
    "ProtocolError",
    "ProxyError",
    "Reconnect",
    "Reconnecting",
    "Request",
    "Response",
    "Router",
    "SSLContext",
    "SecurityError",
    "Server",
    "ServerConnection",
    "ServerMetrics",
    "ServerTLS",
    "SocklineError",
    "State",
    "StatusLike",
    "Subprotocol",
    "TLSInfo",
    "TcpOptions",
    "Timings",
    "UpgradeRequest",
    "WebSocket",
    "WebSocketException",
    "WebSocketServer",
    "__version__",
    "basic_auth",
    "broadcast",
    "connect",
    "create_default_context",
    "memory_in_use",
    "route",
    "serve",
    "set_busy_poll",
    "set_memory_budget",
    "unix_connect",
    "unix_route",
    "unix_serve",
]
