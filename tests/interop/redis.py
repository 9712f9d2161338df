"""A server of Redis for a test: on a port of its own, without persistence."""

import socket
import time

from processes import TIMEOUT, Process

REQUESTS = "socket.io-request#/#"  # the channel to which each node of a classic cluster has subscribed once
TOPICS = "socket.io-topics"  # the same for plain servers


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

    def await_nodes(self, count: int, channel: str = REQUESTS) -> None:
        """Awaits that so many nodes of a cluster hear each other, by a channel of which each has one subscription."""
        wanted = f":{count}\r\n".encode()
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT) as connection:
            end = time.monotonic() + TIMEOUT
            answer = b""
            while not answer.endswith(wanted):
                assert time.monotonic() < end, f"not {count} nodes within {TIMEOUT:.0f} s: {answer!r}"
                connection.sendall(f"PUBSUB NUMSUB {channel}\r\n".encode())
                answer = connection.recv(1024)
