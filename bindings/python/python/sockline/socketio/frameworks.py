"""python-socketio's ways into web frameworks, which there are none of here: they say what to do instead."""

from __future__ import annotations

from typing import Any, NoReturn

from .async_server import NO_FRAMEWORKS

__all__ = ["ASGIApp", "Middleware", "WSGIApp", "get_tornado_handler"]


class ASGIApp:
    """Not supported: raises ``NotImplementedError``. Use :meth:`AsyncServer.listen`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(NO_FRAMEWORKS)


class WSGIApp:
    """Not supported: raises ``NotImplementedError``. Use :meth:`Server.listen`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(NO_FRAMEWORKS)


class Middleware(WSGIApp):
    """Not supported: raises ``NotImplementedError``. Use :meth:`Server.listen`."""


def get_tornado_handler(engineio_server: Any) -> NoReturn:
    """Not supported: raises ``NotImplementedError``. Use :meth:`AsyncServer.listen`."""
    raise NotImplementedError(NO_FRAMEWORKS)
