"""A server of Redis for a test: on a port of its own, without persistence."""

import socket

from processes import Process


class RedisServer(Process):
    """Runs, and takes connections, when this is made."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": "/"}
        super().__init__(["redis-server", *(word for name, value in options.items() for word in (f"--{name}", value))])
        try:
            while "Ready to accept connections" not in self.line():
                pass
        except AssertionError:
            self.stop()
            raise

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"
