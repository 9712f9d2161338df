"""Handlers by path, as :mod:`werkzeug.routing` finds them; that has to be installed."""

from __future__ import annotations

import http
import urllib.parse
from typing import TYPE_CHECKING, Any

from .http11 import Request, Response

if TYPE_CHECKING:
    from werkzeug.routing import Map

__all__ = ["BaseRouter", "need_werkzeug"]


def need_werkzeug() -> None:
    try:
        import werkzeug.routing as _
    except ImportError:
        raise ImportError("route() requires werkzeug") from None


class BaseRouter:
    """Finds handlers."""

    def __init__(self, url_map: Map, server_name: str | None = None, url_scheme: str = "ws") -> None:
        self.url_map = url_map
        self.server_name = server_name
        self.url_scheme = url_scheme
        for rule in url_map.iter_rules():
            rule.websocket = True

    def get_server_name(self, connection: Any, request: Request) -> str:
        """Where redirects lead to."""
        return request.headers["Host"] if self.server_name is None else self.server_name

    def redirect(self, connection: Any, url: str) -> Response:
        """The answer to a path that has moved."""
        response: Response = connection.respond(http.HTTPStatus.FOUND, f"Found at {url}")
        response.headers["Location"] = url
        return response

    def not_found(self, connection: Any) -> Response:
        """The answer to a path without a rule."""
        response: Response = connection.respond(http.HTTPStatus.NOT_FOUND, "Not Found")
        return response

    def route_request(self, connection: Any, request: Request) -> Response | None:
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
