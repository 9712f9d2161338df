"""Handlers by path, as :mod:`werkzeug.routing` finds them; that has to be installed."""

from __future__ import annotations

import ssl as ssl_module
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Literal

from .._routing import BaseRouter, need_werkzeug
from ..http11 import Request, Response
from ..tls import ServerTLS
from ..typing import PathLike
from .server import ProcessRequest, Server, ServerConnection, serve

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
    """The same as :func:`~sockline.serve`, with a handler for each rule of a :class:`werkzeug.routing.Map`: its endpoint,
    which gets what the rule has found in the path as keyword arguments.

    ``server_name`` is the name that redirects lead to, the Host header's by default; ``ssl=True`` has them lead to
    ``wss://`` where a proxy does TLS. Raises :exc:`ImportError` without werkzeug.
    """
    need_werkzeug()
    scheme = "ws" if ssl is None else "wss"
    if ssl is not True and ssl is not None:
        kwargs["ssl"] = ssl
    router = (create_router or Router)(url_map, server_name, scheme)
    asked_first: ProcessRequest | None = kwargs.pop("process_request", None)
    if asked_first is None:
        return serve(router.handler, *args, process_request=router.route_request, **kwargs)

    async def process_request(connection: ServerConnection, request: Request) -> Response | None:
        response = asked_first(connection, request)
        if isinstance(response, Awaitable):
            response = await response
        return router.route_request(connection, request) if response is None else response

    return serve(router.handler, *args, process_request=process_request, **kwargs)


def unix_route(url_map: Map, path: PathLike | None = None, **kwargs: Any) -> Server:
    """The same as :func:`route` on a Unix socket at ``path``."""
    return route(url_map, unix=True, path=path, **kwargs)


class Router(BaseRouter):
    """Finds the handlers for :func:`route`."""

    async def handler(self, connection: ServerConnection) -> None:
        """Calls the connection's handler."""
        return await connection.handler(connection, **connection.handler_kwargs)
