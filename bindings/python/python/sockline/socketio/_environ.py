"""The request that began a session, as WSGI (PEP 3333) writes it."""

from __future__ import annotations

import io
import sys
from typing import Any
from urllib.parse import unquote_to_bytes

__all__ = ["environ"]


def environ(
    url: str, headers: list[tuple[str, str]], remote: tuple[str, int] | None, secure: bool
) -> dict[str, Any]:
    """What handlers of ``connect`` get, with ``asgi.scope`` for those that were written for ASGI."""
    path, _, query = url.partition("?")
    host = next((value for name, value in headers if name.lower() == "host"), "")
    server_name, server_port = _host_and_port(host, secure)
    result: dict[str, Any] = {
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.async": True,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "SERVER_SOFTWARE": "sockline",
        "REQUEST_METHOD": "GET",
        "QUERY_STRING": query,
        "RAW_URI": url,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": remote[0] if remote else "",
        "REMOTE_PORT": str(remote[1]) if remote else "0",
        "SERVER_NAME": server_name,
        "SERVER_PORT": server_port,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "wsgi.url_scheme": "https" if secure else "http",
    }
    for name, value in headers:
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        result[key] = f"{result[key]},{value}" if key in result else value
    result["asgi.scope"] = _scope(path, query, headers, remote, (server_name, int(server_port)), secure)
    return result


def _host_and_port(host: str, secure: bool) -> tuple[str, str]:
    name, colon, port = host.rpartition(":")
    if colon and port.isascii() and port.isdigit() and len(port) <= 5:
        return name, port
    return host, "443" if secure else "80"


def _scope(
    path: str,
    query: str,
    headers: list[tuple[str, str]],
    remote: tuple[str, int] | None,
    server: tuple[str, int],
    secure: bool,
) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https" if secure else "http",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path.encode("latin-1", "replace"),
        "query_string": query.encode("latin-1", "replace"),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers],
        "client": remote,
        "server": server,
    }
