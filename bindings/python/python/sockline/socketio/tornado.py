"""python-socketio's way into Tornado, which there is none of here."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["get_tornado_handler"]


def get_tornado_handler(engineio_server: Any) -> NoReturn:
    """Not supported: raises ``NotImplementedError``. Use :meth:`AsyncServer.listen`."""
    raise NotImplementedError(
        "Tornado's handlers can't be served by sockline: use listen(host, port) beside Tornado, on another port"
    )
