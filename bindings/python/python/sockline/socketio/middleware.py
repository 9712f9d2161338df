"""The server as an application of WSGI."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ._static import StaticFiles, find_file
from ._wsgi import Environ, StartResponse

__all__ = ["Middleware", "WSGIApp"]


class WSGIApp:
    """An application of WSGI that gives Socket.IO's requests to a :class:`Server`, and others to ``wsgi_app``. Without one, other
    paths are not found. ``static_files`` maps paths to files or folders.

    A client that polls keeps a thread of the WSGI server's. WebSockets are for servers that show a client's socket:
    werkzeug's (Flask's) and gunicorn with threads; the engine takes it over, and the thread is free. With others clients poll.
    """

    def __init__(
        self,
        socketio_app: Any,
        wsgi_app: Callable[[Environ, StartResponse], Iterable[bytes]] | None = None,
        static_files: StaticFiles | None = None,
        socketio_path: str = "socket.io",
    ) -> None:
        self.engineio_app = socketio_app
        self.wsgi_app = wsgi_app
        self.engineio_path = f"/{socketio_path.strip('/')}/"
        self.static_files = static_files or {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO") or ""
        if path.startswith(self.engineio_path):
            return self.engineio_app.handle_request(environ, start_response)  # type: ignore[no-any-return]
        found = find_file(path, self.static_files)
        if found is not None:
            start_response("200 OK", [("Content-Type", found[1])])
            return [found[0].read_bytes()]
        if self.wsgi_app is not None:
            return self.wsgi_app(environ, start_response)
        return self.not_found(start_response)

    def not_found(self, start_response: StartResponse) -> Iterable[bytes]:
        """Answers with 404."""
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"Not Found"]


class Middleware(WSGIApp):
    """The former name of :class:`WSGIApp`."""

    def __init__(
        self,
        socketio_app: Any,
        wsgi_app: Callable[[Environ, StartResponse], Iterable[bytes]] | None = None,
        socketio_path: str = "socket.io",
    ) -> None:
        super().__init__(socketio_app, wsgi_app, socketio_path=socketio_path)
