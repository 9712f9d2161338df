"""From arguments to a connection attempt, and from its failure to an exception."""

from __future__ import annotations

import http
import os
import socket
import traceback
import urllib.parse
from collections.abc import Callable

from ._options import header_list
from .datastructures import Headers, HeadersLike
from .exceptions import (
    InvalidHandshake,
    InvalidMessage,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
    NegotiationError,
    ProxyError,
    SecurityError,
    SocklineError,
)
from .http11 import Response
from .options import Compression
from .proxy import get_proxy, proxy_url
from .typing import LoggerLike

__all__ = [
    "COMPRESSION",
    "MAX_REDIRECTS",
    "argument_error",
    "check_scheme",
    "check_unix",
    "chosen_proxy",
    "handshake_error",
    "is_secure",
    "log_delay",
    "override",
    "raise_if_fatal",
    "redirect_error",
    "redirected_to",
    "request_headers",
    "sent_headers",
    "target",
    "url",
]

MAX_REDIRECTS = int(os.environ.get("WEBSOCKETS_MAX_REDIRECTS", "10"))

COMPRESSION = Compression(level=6, memory_level=5)
"""What websockets asks for."""


def request_headers(origin: str | None, additional: HeadersLike | None, user_agent: str | None) -> Headers:
    headers = Headers()
    if origin is not None:
        headers["Origin"] = origin
    if additional is not None:
        headers.update(additional)
    if user_agent is not None and "User-Agent" not in headers:
        headers["User-Agent"] = user_agent
    return headers


_REDIRECTS = {300, 301, 302, 303, 307, 308}


def override(uri: str, host: str | None, port: int | None) -> tuple[str, int] | None:
    """Where to connect to, if that is not what the URI says."""
    if host is None and port is None:
        return None
    try:
        parsed = urllib.parse.urlsplit(uri)
        default = 443 if is_secure(uri) else 80
        return host or parsed.hostname or "", port or parsed.port or default
    except ValueError as error:
        raise InvalidURI(uri, str(error)) from None


def check_scheme(uri: str) -> None:
    """The engine takes http and https for ws and wss, as the browsers' WebSocket does; ``websockets`` does not."""
    if uri.partition(":")[0].lower() in ("http", "https"):
        raise InvalidURI(uri, "scheme isn't ws or wss")


def check_unix(path: object, sock: object, ssl: object, missing: str = "no path and sock were specified") -> None:
    """For a Unix socket: raises what :mod:`asyncio` does."""
    if path is None and sock is None:
        raise ValueError(missing)
    if path is not None and sock is not None:
        raise ValueError("path and sock can not be specified at the same time")
    if ssl is not None:
        raise NotImplementedError("TLS over Unix sockets is not supported")


def is_secure(uri: str) -> bool:
    return uri.partition(":")[0].lower() in ("wss", "https")


def target(uri: str) -> str:
    """Path and query, for :attr:`Connection.request`; the engine parses the URI that counts."""
    if uri.startswith("ws+unix:"):  # as the engine tells it
        return uri.removeprefix("ws+unix:").partition(":")[2] or "/"
    _, _, rest = uri.partition("://")
    _, slash, target = rest.partition("/")
    return slash + target or "/"


def argument_error(uri: str, error: SocklineError) -> Exception:
    match error.code:
        case "SOCKLINE_ERR_INVALID_URL":
            return InvalidURI(uri, error.text)
        case "SOCKLINE_ERR_UNSUPPORTED":
            return NotImplementedError(error.text)
        case "SOCKLINE_ERR_INVALID_ARGUMENT":
            return ValueError(error.text)
        case "SOCKLINE_ERR_FORKED":
            return RuntimeError(error.text)
        case _:
            return error


def handshake_error(error: SocklineError) -> Exception:
    match error.code:
        case "SOCKLINE_ERR_REFUSED" if error.response is not None:
            return InvalidStatus(error.response)
        case "SOCKLINE_ERR_HANDSHAKE_FAILED" if "closed the connection before" in error.text:
            return _unreadable(EOFError(error.text))
        case "SOCKLINE_ERR_HANDSHAKE_FAILED" if "is not valid HTTP" in error.text:
            return _unreadable(ValueError(error.text))
        case "SOCKLINE_ERR_HANDSHAKE_FAILED" if "chose the subprotocol" in error.text:
            return NegotiationError(error.text)
        case "SOCKLINE_ERR_REDIRECT" if "connect_to" in error.text:
            return ValueError("cannot follow cross-origin redirect with an explicit host or port")
        case "SOCKLINE_ERR_REDIRECT":
            return SecurityError(error.text)
        case "SOCKLINE_ERR_TLS":
            return error.as_ssl_error()
        case "SOCKLINE_ERR_PROXY" if error.http_status is not None:
            return InvalidProxyStatus(Response(error.http_status, _phrase(error.http_status), Headers()))
        case "SOCKLINE_ERR_PROXY" if error.errno is None:
            return ProxyError(error.text)
        case "SOCKLINE_ERR_HANDSHAKE_TIMEOUT":
            return TimeoutError("timed out during opening handshake")
        case "SOCKLINE_ERR_NAME_NOT_RESOLVED":
            return socket.gaierror(socket.EAI_NONAME, error.text)
        case "SOCKLINE_ERR_CONNECT_FAILED" | "SOCKLINE_ERR_IO" | "SOCKLINE_ERR_PROXY":
            return error.as_os_error()
        case _:
            return InvalidHandshake(error.text)


def _unreadable(why: Exception) -> InvalidMessage:
    error = InvalidMessage("did not receive a valid HTTP response")
    error.__cause__ = why
    return error


def redirect_error(uri: str, error: Exception) -> Exception:
    """What a redirect raises where the socket was given, which leads to one place only."""
    if isinstance(error, InvalidStatus) and error.response.status_code in _REDIRECTS:
        location = error.response.headers.get("Location")
        if location is not None:
            where = urllib.parse.urljoin(uri, location)
            return ValueError(f"cannot follow redirect to {where} with a preexisting socket")
    return error


def redirected_to(uri: str, error: InvalidStatus, hops: int, limit: int) -> str:
    """Where a redirect leads to that came over a Unix socket. It has to stay at the URI's origin, which the socket is for;
    raises what comes of others, and of what is no redirect.
    """
    location = error.response.headers.get("Location")
    if error.response.status_code not in _REDIRECTS or location is None or limit == 0:
        raise error
    where = urllib.parse.urljoin(uri, location)
    if is_secure(uri) and not is_secure(where):
        raise SecurityError(f"cannot follow redirect to non-secure URI {where}") from error
    if is_secure(where) or host(uri) != host(where):
        raise ValueError(f"cannot follow cross-origin redirect to {where} with a Unix socket") from error
    if hops > limit:
        raise SecurityError(f"more than {limit} redirects") from error
    return where


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def chosen_proxy(uri: str, proxy: str | bool | None, unix_path: str | None, has_proxy_ssl: bool = False) -> str | bool:
    """The proxy that the argument ``proxy`` comes to, for the engine."""
    proxy = get_proxy(uri) if proxy is True and unix_path is None else proxy
    if not isinstance(proxy, str):
        return False
    if has_proxy_ssl and proxy.startswith("http:"):
        raise ValueError("proxy_ssl argument is incompatible with an http:// proxy")
    return proxy_url(proxy)


def sent_headers(uri: str, headers: Headers, unix_path: str | None) -> list[tuple[str, str]]:
    """The header lines for the engine. Over a Unix socket it doesn't know the URI's host."""
    if unix_path is None or "Host" in headers:
        return header_list(headers)
    return [("Host", host(uri)), *header_list(headers)]


def host(uri: str) -> str:
    """What a request for this URI says as Host (RFC 6455 §4.1): the port only if it is not the scheme's own."""
    try:
        parsed = urllib.parse.urlsplit(uri)
        name, port = parsed.hostname or "", parsed.port
    except ValueError as error:
        raise InvalidURI(uri, str(error)) from None
    name = f"[{name}]" if ":" in name else name
    return name if port in (None, 443 if is_secure(uri) else 80) else f"{name}:{port}"


def url(uri: str, unix_path: str | None) -> str:
    """The URI as the engine takes it."""
    return uri if unix_path is None else f"ws+unix:{urllib.parse.quote(unix_path)}:{target(uri)}"


def raise_if_fatal(process_exception: Callable[[Exception], Exception | None], error: Exception) -> None:
    """Asks whether an attempt that failed is made again."""
    try:
        fatal = process_exception(error)
    except Exception as raised:  # what should have been returned
        fatal = raised
    if fatal is error:
        raise error
    if fatal is not None:
        raise fatal from error


def log_delay(logger: LoggerLike, delay: float, error: Exception) -> None:
    """Says when the next attempt follows, and why."""
    why = traceback.format_exception_only(error)[0].strip()
    logger.info("connect failed; reconnecting in %.1f seconds: %s", delay, why)
