"""What goes over the wire between two programs, whatever they say of it themselves."""

import contextlib
import socket
import threading
from collections.abc import Callable
from functools import partial

HEAD = 64  # bytes that are kept of each direction


class Tap:
    """Passes connections on to a port of 127.0.0.1; `port` is its own. `sent` is what clients sent, `received` what
    they got: how many bytes, and in the heads how each direction of the first connection began.
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.sent = self.received = 0
        self.sent_head = self.received_head = b""
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._is_down = False
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        """Ends it, and the connections that there still are."""
        self._shut_down([self._listener, *self._ends])
        for thread in self._threads:
            thread.join()
        for end in [self._listener, *self._ends]:
            end.close()

    def take_down(self) -> None:
        """As a network that drops: the connections end, and new ones at once, until `bring_up`."""
        with self._lock:
            self._is_down = True
            self._shut_down(self._ends)

    def bring_up(self) -> None:
        with self._lock:
            self._is_down = False

    @staticmethod
    def _shut_down(ends: list[socket.socket]) -> None:
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _address = self._listener.accept()
                with self._lock:
                    if self._is_down:
                        client.close()
                        continue
                    server = socket.create_connection(("127.0.0.1", self.target))
                    self._ends += [client, server]
                self._start(partial(self._pass, client, server, self._count_sent))
                self._start(partial(self._pass, server, client, self._count_received))

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket, count: Callable[[bytes], None]) -> None:
        with contextlib.suppress(OSError):  # an end that is gone
            while data := source.recv(65_536):
                count(data)
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _count_sent(self, data: bytes) -> None:
        with self._lock:
            self.sent += len(data)
            self.sent_head = (self.sent_head + data)[:HEAD]

    def _count_received(self, data: bytes) -> None:
        with self._lock:
            self.received += len(data)
            self.received_head = (self.received_head + data)[:HEAD]
