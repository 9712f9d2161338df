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
import warnings

from .datastructures import received
from .frames import Close, CloseCode
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


def _warn(text: str) -> None:
    warnings.warn(text, DeprecationWarning, stacklevel=3)


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

    @property
    def code(self) -> int:
        """Deprecated: ``rcvd.code``, or 1006."""
        _warn("ConnectionClosed.code is deprecated; use ConnectionClosed.rcvd.code, or the connection's close_code")
        return CloseCode.ABNORMAL_CLOSURE if self.rcvd is None else self.rcvd.code

    @property
    def reason(self) -> str:
        """Deprecated: ``rcvd.reason``, or nothing."""
        _warn("ConnectionClosed.reason is deprecated; use ConnectionClosed.rcvd.reason, or the connection's close_reason")
        return "" if self.rcvd is None else self.rcvd.reason

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
    """A message is longer than ``max_size`` bytes. How long it would have been is not known: ``size`` is ``None``, and so is
    ``current_size``.
    """

    def __init__(
        self, size_or_message: int | str | None, max_size: int | None = None, current_size: int | None = None
    ) -> None:
        super().__init__(size_or_message, max_size, current_size)
        self.message = size_or_message if isinstance(size_or_message, str) else None
        self.size = size_or_message if isinstance(size_or_message, int) else None
        self.max_size = max_size
        self.current_size: int | None = None
        self.set_current_size(current_size)

    def set_current_size(self, current_size: int | None) -> None:
        """Says how much of the message has come before."""
        if current_size is not None:
            self.max_size = (self.max_size or 0) + current_size
            self.current_size = current_size

    def __str__(self) -> str:
        if self.message is not None:
            return self.message
        size = "" if self.size is None else f"with {self.size} bytes "
        before = "" if self.current_size is None else f"after reading {self.current_size} bytes "
        return f"frame {size}{before}exceeds limit of {self.max_size} bytes"


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
            self.response = Response(status, reason, received(headers), body)
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
