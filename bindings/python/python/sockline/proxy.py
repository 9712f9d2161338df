"""Which proxy leads to a server: the choice that ``websockets`` makes."""

from __future__ import annotations

import ipaddress
import urllib.parse
import urllib.request

from .exceptions import InvalidProxy

__all__ = ["get_proxy", "proxy_url"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SCHEMES = ("socks5h", "socks5", "socks4a", "socks4", "https", "http")


def get_proxy(uri: str) -> str | None:
    """The proxy that the system's settings or the environment name for this URI, as :mod:`urllib.request` reads them;
    none for the own machine.

    In the order of RFC 6455 section 4.1: one for WebSocket alone, a SOCKS proxy, one for HTTPS, one for HTTP.
    """
    try:
        parsed = urllib.parse.urlsplit(uri)
        host, port = parsed.hostname or "", parsed.port
    except ValueError:
        return None  # what is wrong with it is for the engine to say
    if _is_own(host) or urllib.request.proxy_bypass(f"{host}:{port}" if port else host):
        return None
    proxies = urllib.request.getproxies()
    secure = parsed.scheme in ("wss", "https")
    for kind in ("wss", "socks", "https") if secure else ("ws", "socks", "https", "http"):
        proxy = proxies.get(kind)
        if proxy is not None:
            is_socks = kind == "socks" and proxy.startswith("http://")
            return f"socks5h://{proxy[7:]}" if is_socks else proxy
    return None


def proxy_url(proxy: str) -> str:
    """A proxy's URL as the engine takes it. Raises :exc:`InvalidProxy` for what isn't one."""
    parsed = urllib.parse.urlsplit(proxy)
    if parsed.scheme not in _SCHEMES:
        raise InvalidProxy(_redacted(proxy), f"scheme {parsed.scheme} isn't supported")
    if not parsed.hostname:
        raise InvalidProxy(_redacted(proxy), "hostname isn't provided")
    for part, value in (("path", parsed.path.strip("/")), ("query", parsed.query), ("fragment", parsed.fragment)):
        if value:
            raise InvalidProxy(_redacted(proxy), f"{part} is meaningless")
    if parsed.username is not None and parsed.password is None:
        raise InvalidProxy(_redacted(proxy), "username provided without password")
    try:
        port = parsed.port
    except ValueError:
        raise InvalidProxy(_redacted(proxy), "port isn't a number up to 65535") from None
    host = f"[{parsed.hostname}]" if ":" in parsed.hostname else parsed.hostname.encode("idna").decode()
    userinfo, at, _ = parsed.netloc.rpartition("@")
    return f"{parsed.scheme}://{userinfo}{at}{host}:{port or _DEFAULT_PORTS.get(parsed.scheme, 1080)}"


def _is_own(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _redacted(proxy: str) -> str:
    """Without user and password: this ends up in logs."""
    before, at, after = proxy.rpartition("@")
    return f"{before.partition('://')[0]}://…@{after}" if at else proxy
