"""Handlers by path, as :mod:`werkzeug.routing` finds them; that has to be installed."""

from __future__ import annotations

import http
import ssl as ssl_module
import urllib.parse
from typing import TYPE_CHECKING, Any, Literal

from ..http11 import Request, Response
from ..tls import ServerTLS
from ..typing import PathLike
from .server import Server, ServerConnection, serve

if TYPE_CHECKING:
    from werkzeug.routing import Map

__all__ = ["Router", "route", "unix_route"]


def route(
    url_map: Map,
    *args: Any,
    server_name: str | None = None,
    ssl: ssl_module.SSLContext | ServerTLS | Literal[True] | None = None,
    create_router: type[Router] | None = None,
    **kwargs: Any,
) -> Server:
    """The same as :func:`~sockline.sync.server.serve`, with a handler for each rule of a :class:`werkzeug.routing.Map`: its
    endpoint, which gets what the rule has found in the path as keyword arguments.

    ``server_name`` is the name that redirects lead to, the Host header's by default; ``ssl=True`` has them lead to
    ``wss://`` where a proxy does TLS. Raises :exc:`ImportError` without werkzeug.
    """
    try:
        import werkzeug.routing as _
    except ImportError:
        raise ImportError("route() requires werkzeug") from None
    scheme = "ws" if ssl is None else "wss"
    if ssl is not True and ssl is not None:
        kwargs["ssl"] = ssl
    router = (create_router or Router)(url_map, server_name, scheme)
    asked_first = kwargs.pop("process_request", None)

    def process_request(connection: ServerConnection, request: Request) -> Response | None:
        response: Response | None = None if asked_first is None else asked_first(connection, request)
        return router.route_request(connection, request) if response is None else response

    return serve(router.handler, *args, process_request=process_request, **kwargs)


def unix_route(url_map: Map, path: PathLike | None = None, **kwargs: Any) -> Server:
    """The same as :func:`route` on a Unix socket at ``path``."""
    return route(url_map, unix=True, path=path, **kwargs)


class Router:
    """Finds the handlers for :func:`route`."""

    def __init__(self, url_map: Map, server_name: str | None = None, url_scheme: str = "ws") -> None:
        self.url_map = url_map
        self.server_name = server_name
        self.url_scheme = url_scheme
        for rule in url_map.iter_rules():
            rule.websocket = True

    def get_server_name(self, connection: ServerConnection, request: Request) -> str:
        """Where redirects lead to."""
        return request.headers["Host"] if self.server_name is None else self.server_name

    def redirect(self, connection: ServerConnection, url: str) -> Response:
        """The answer to a path that has moved."""
        response = connection.respond(http.HTTPStatus.FOUND, f"Found at {url}")
        response.headers["Location"] = url
        return response

    def not_found(self, connection: ServerConnection) -> Response:
        """The answer to a path without a rule."""
        return connection.respond(http.HTTPStatus.NOT_FOUND, "Not Found")

    def route_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Finds the connection's handler; answers where there is none."""
        from werkzeug.exceptions import NotFound
        from werkzeug.routing import RequestRedirect

        adapter = self.url_map.bind(self.get_server_name(connection, request), url_scheme=self.url_scheme)
        parsed = urllib.parse.urlparse(request.path)
        try:
            handler, arguments = adapter.match(path_info=parsed.path, query_args=parsed.query)
        except RequestRedirect as redirect:
            return self.redirect(connection, redirect.new_url)
        except NotFound:
            return self.not_found(connection)
        connection.handler, connection.handler_kwargs = handler, arguments
        return None

    def handler(self, connection: ServerConnection) -> None:
        """Calls the connection's handler."""
        return connection.handler(connection, **connection.handler_kwargs)
