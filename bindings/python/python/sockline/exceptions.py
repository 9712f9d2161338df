"""The exceptions, with the names and attributes that ``websockets`` gives them.

* :exc:`WebSocketException`
    * :exc:`ConnectionClosed`
        * :exc:`ConnectionClosedOK`
        * :exc:`ConnectionClosedError`
    * :exc:`InvalidURI`
    * :exc:`InvalidProxy`
    * :exc:`InvalidHandshake`
        * :exc:`SecurityError`
        * :exc:`ProxyError`
            * :exc:`InvalidProxyMessage`
            * :exc:`InvalidProxyStatus`
        * :exc:`InvalidMessage`
        * :exc:`InvalidStatus`
        * :exc:`InvalidHeader`
            * :exc:`InvalidOrigin`
            * :exc:`InvalidUpgrade`
        * :exc:`NegotiationError`
    * :exc:`ProtocolError`
    * :exc:`PayloadTooBig`
    * :exc:`InvalidState`
    * :exc:`ConcurrencyError`
    * :exc:`SocklineError`
"""

from __future__ import annotations

import os
import ssl

from .datastructures import Headers
from .frames import Close
from .http11 import Response

__all__ = [
    "ConcurrencyError",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
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
    "NegotiationError",
    "PayloadTooBig",
    "ProtocolError",
    "ProxyError",
    "SecurityError",
    "SocklineError",
    "WebSocketException",
]


class WebSocketException(Exception):
    """Base of all exceptions defined here."""


class ConnectionClosed(WebSocketException):
    """The connection has ended, or is about to.

    ``rcvd`` and ``sent`` are the close frames that were received and sent, ``None`` where there was none;
    ``rcvd_then_sent`` tells their order if there were both.
    """

    def __init__(self, rcvd: Close | None, sent: Close | None, rcvd_then_sent: bool | None = None) -> None:
        super().__init__(rcvd, sent, rcvd_then_sent)
        self.rcvd = rcvd
        self.sent = sent
        self.rcvd_then_sent = rcvd_then_sent

    def __str__(self) -> str:
        if self.rcvd is None and self.sent is None:
            return "no close frame received or sent"
        if self.rcvd is None:
            return f"sent {self.sent}; no close frame received"
        if self.sent is None:
            return f"received {self.rcvd}; no close frame sent"
        if self.rcvd_then_sent:
            return f"received {self.rcvd}; then sent {self.sent}"
        return f"sent {self.sent}; then received {self.rcvd}"


class ConnectionClosedOK(ConnectionClosed):
    """Closed by a handshake with 1000, 1001 or no code from both sides."""


class ConnectionClosedError(ConnectionClosed):
    """Closed with another code, or without a closing handshake."""


class InvalidURI(WebSocketException):
    """``uri`` isn't a WebSocket URI, for the reason in ``msg``."""

    def __init__(self, uri: str, msg: str) -> None:
        super().__init__(uri, msg)
        self.uri = uri
        self.msg = msg

    def __str__(self) -> str:
        return f"{self.uri} isn't a valid URI: {self.msg}"


class InvalidProxy(WebSocketException):
    """``proxy`` isn't a proxy's URL, for the reason in ``msg``."""

    def __init__(self, proxy: str, msg: str) -> None:
        super().__init__(proxy, msg)
        self.proxy = proxy
        self.msg = msg

    def __str__(self) -> str:
        return f"{self.proxy} isn't a valid proxy: {self.msg}"


class InvalidHandshake(WebSocketException):
    """Base of what can be wrong with an opening handshake."""


class SecurityError(InvalidHandshake):
    """The handshake breaks a security rule."""


class ProxyError(InvalidHandshake):
    """The proxy could not be reached, or made no connection."""


class InvalidProxyMessage(ProxyError):
    """The proxy's answer is no valid HTTP."""


class InvalidProxyStatus(ProxyError):
    """The proxy refused to connect: see ``response``."""

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response

    def __str__(self) -> str:
        return f"proxy rejected connection: HTTP {self.response.status_code:d}"


class InvalidMessage(InvalidHandshake):
    """The peer's part of the handshake is no valid HTTP, or breaks RFC 6455 §4."""


class InvalidStatus(InvalidHandshake):
    """The server answered with another status than 101: see ``response``."""

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response

    def __str__(self) -> str:
        return f"server rejected WebSocket connection: HTTP {self.response.status_code:d}"


class InvalidHeader(InvalidHandshake):
    """The header ``name`` is missing (``value`` is ``None``) or has a wrong value."""

    def __init__(self, name: str, value: str | None = None) -> None:
        super().__init__(name, value)
        self.name = name
        self.value = value

    def __str__(self) -> str:
        if self.value is None:
            return f"missing {self.name} header"
        if self.value == "":
            return f"empty {self.name} header"
        return f"invalid {self.name} header: {self.value}"


class InvalidOrigin(InvalidHeader):
    """The Origin header isn't one of those that are allowed."""

    def __init__(self, origin: str | None) -> None:
        super().__init__("Origin", origin)


class InvalidUpgrade(InvalidHeader):
    """The Upgrade or Connection header isn't right."""


class NegotiationError(InvalidHandshake):
    """Both sides could not agree on a subprotocol."""


class ProtocolError(WebSocketException):
    """A frame that was received, or should be sent, breaks RFC 6455."""


class PayloadTooBig(WebSocketException):
    """A message is longer than ``max_size``."""


class InvalidState(WebSocketException, AssertionError):
    """This can't be done in the connection's present state."""


class ConcurrencyError(WebSocketException, RuntimeError):
    """Two coroutines want what only one can have, for instance the next message."""


class SocklineError(WebSocketException):
    """A failure of the engine: ``code`` is its stable name, the same in every language.

    ``http_status`` is what a server or a proxy answered, ``errno`` the system's number, ``response`` what a server answered
    instead of 101, with headers and the body's first 64 KiB; ``None`` where there is none.
    """

    def __init__(
        self,
        code: str,
        text: str,
        http_status: int | None = None,
        errno: int | None = None,
        response: tuple[int, str, list[tuple[str, str]], bytes] | None = None,
        about_certificate: bool | None = None,
    ) -> None:
        super().__init__(code, text, http_status, errno, response, about_certificate)
        self._about_certificate = about_certificate
        self.response: Response | None = None
        if response is not None:
            status, reason, headers, body = response
            self.response = Response(status, reason, Headers(headers), body)
        self.code = code
        self.text = text
        self.http_status = http_status
        self.errno = errno

    def __str__(self) -> str:
        return f"{self.text} ({self.code})"

    def as_ssl_error(self) -> ssl.SSLError:
        """The same as :mod:`ssl` would say it."""
        error: ssl.SSLError
        if self._about_certificate:
            error = ssl.SSLCertVerificationError(1, self.text)
            error.reason = "CERTIFICATE_VERIFY_FAILED"
            error.verify_message = self.text
        else:
            error = ssl.SSLError(1, self.text)
        return error

    def as_os_error(self) -> OSError:
        """The same as the system's error, for what is one."""
        if self.errno is None:
            return OSError(self.text)
        return OSError(self.errno, f"{os.strerror(self.errno)}: {self.text}")
