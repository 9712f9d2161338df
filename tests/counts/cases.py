"""What is counted: each case drives a process in step, so and so often."""

import base64
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import peers
from peers import BINARY, COMPRESSED, TEXT, frame

SMALL, LARGE = bytes(range(64)), bytes(range(256)) * 64
SUBSCRIBERS = 1000
ROOM = 200
# 1 KiB of JSON, deflated without a context (RFC 7692 section 7.2.1): here, since versions of zlib differ in what they make.
JSON = base64.b64decode(
    "fJNLSkNBEEX30uNH0fXp+mQbDp1FMwgoStSBSPZuRCFVoXD+DvfeU/3uv8bxcexILAS38fb5vH95Grtxp3Ns4/V0fDiMXYD6NvY/H76fPg7n7RdiN5qeoZArhAuQ"
    "GmqRG2umkOKK0QRdDWYcSFwwTxXJwa1Ni/AaliCYHXPZJfrvLm4ov9QLK1HhV4wRrMOWM81VMMkVCaxzj0YhmUoNLwa7WWqTblwopyQF7JJISbHs0mxjAnXnEiGP"
    "OmsmG2jQyVAM9nrkhamiAEan3mx5WUaYOrIAtctEpUq8efTd88VJLlF+FcodZQJ29mOS1TsTpTReQNq9RSFbxYinmyEDd8sMl+ksHi0JIYP4O9o3AA=="
)


class Driven:
    """The other side of a process: does one unit of its work, and tells it when to count."""

    def __init__(self, connection: peers.Connection, sent: bytes, expected: bytes | None = None) -> None:
        self.connection = connection
        self.sent, self.expected = sent, expected

    def once(self) -> None:
        self.connection.exchange(self.sent, self.expected)

    def mark(self, name: bytes) -> None:
        self.connection.exchange(frame(TEXT, name), frame(TEXT, name, masked=False))


class Deflated(Driven):
    """What is compressed here is its own affair; that it comes back is not."""

    def once(self) -> None:
        self.connection.socket.sendall(self.sent)
        if not 100 < len(self.connection.message()) < 600:
            raise ValueError("1 KiB of JSON was not compressed")


class Published(Driven):
    def __init__(self, subscribers: list[peers.Connection]) -> None:
        super().__init__(subscribers[0], frame(BINARY, SMALL))
        self.subscribers = subscribers
        self.expected = frame(BINARY, SMALL, masked=False)

    def once(self) -> None:
        self.connection.socket.sendall(self.sent)
        for subscriber in self.subscribers:
            if subscriber.read(len(self.expected)) != self.expected:
                raise ValueError("a subscriber got something else")


class Events(Driven):
    """Socket.IO events that are acknowledged, so many at once."""

    def __init__(self, connection: peers.Connection, pipeline: int) -> None:
        super().__init__(
            connection,
            frame(TEXT, b'421["msg","a small string"]') * pipeline,
            frame(TEXT, b'431["a small string"]', masked=False) * pipeline,
        )

    def mark(self, name: bytes) -> None:
        self.connection.exchange(frame(TEXT, b'420["' + name + b'"]'), frame(TEXT, b"430[]", masked=False))


class Broadcast(Events):
    def __init__(self, members: list[peers.Connection]) -> None:
        super().__init__(members[0], 1)
        self.members = members
        self.sent = frame(TEXT, b'42["bc","a small string"]')
        self.expected = frame(TEXT, b'42["bc","a small string"]', masked=False)

    def once(self) -> None:
        self.connection.socket.sendall(self.sent)
        for member in self.members:
            if member.read(len(self.expected)) != self.expected:
                raise ValueError("a member of the room got something else")


class Polled:
    """An event in a POST, its acknowledgement in a GET."""

    def __init__(self, polling: peers.Polling) -> None:
        self.polling = polling

    def once(self, event: bytes = b'421["msg","a small string"]', answer: bytes = b'431["a small string"]') -> None:
        self.polling.post(event)
        got = self.polling.get()
        if got != answer:
            raise ValueError(f"{got!r} came in place of {answer!r}")

    def mark(self, name: bytes) -> None:
        self.once(b'420["' + name + b'"]', b"430[]")


class Serving(Driven):
    """The server of a client of ours, which sends whatever it gets back again."""

    def __init__(self, connection: peers.Connection, pipeline: int) -> None:
        super().__init__(connection, frame(BINARY, SMALL, masked=False) * pipeline)
        self.awaited = pipeline * len(frame(BINARY, SMALL))
        connection.read(self.awaited)

    def once(self) -> None:
        self.connection.socket.sendall(self.sent)
        self.connection.read(self.awaited)

    def mark(self, name: bytes) -> None:
        self.connection.socket.sendall(frame(TEXT, name, masked=False))
        self.connection.read(len(frame(TEXT, name)))


@dataclass(frozen=True)
class Case:
    name: str
    # The arguments of the program, or an example in Rust, which can't be told when to count.
    program: tuple[str, ...]
    # Makes the other side, of the port at which the process listens; of a listening socket where it is a client.
    drive: Callable[..., Driven | Polled]
    # How often the unit of work is done, and how many messages that is each time.
    times: int
    messages: int = 1
    is_rust: bool = False
    is_client: bool = False


def echo(pipeline: int, payload: bytes, **how: bool) -> Callable[[int], Driven]:
    def drive(port: int) -> Driven:
        sent, expected = frame(BINARY, payload), frame(BINARY, payload, masked=False)
        return Driven(peers.connect(port, **how), sent * pipeline, expected * pipeline)

    return drive


def deflated(port: int) -> Driven:
    return Deflated(peers.connect(port, deflate=True), frame(TEXT | COMPRESSED, JSON))


def published(port: int) -> Driven:
    return Published([peers.connect(port) for _ in range(SUBSCRIBERS)])


def events(pipeline: int) -> Callable[[int], Driven]:
    return lambda port: Events(peers.connect_socketio(port), pipeline)


def broadcast(port: int) -> Driven:
    return Broadcast([peers.connect_socketio(port) for _ in range(ROOM)])


def polled(port: int) -> Polled:
    return Polled(peers.Polling(port))


def serving(pipeline: int) -> Callable[[socket.socket], Driven]:
    return lambda listener: Serving(peers.accept(listener), pipeline)


CASES = [
    Case("server echo, 64 B, one at a time, Rust", ("echo_server",), echo(1, SMALL), 1000, is_rust=True),
    Case("server echo, 64 B, 16 at a time, Rust", ("echo_server",), echo(16, SMALL), 300, 16, is_rust=True),
    Case("server echo, 64 B, one at a time", ("echo",), echo(1, SMALL), 1000),
    Case("server echo, 64 B, 16 at a time", ("echo",), echo(16, SMALL), 300, 16),
    Case("server echo, 16 KiB", ("echo",), echo(1, LARGE), 300),
    Case("server echo over TLS, 64 B", ("echo", "TLS"), echo(1, SMALL, secure=True), 300),
    Case("server echo, 1 KiB of JSON compressed", ("echo",), deflated, 100),
    Case("client echo, 64 B, one at a time", ("client", "PORT", "1"), serving(1), 1000, is_client=True),
    Case("client echo, 64 B, 8 at a time", ("client", "PORT", "8"), serving(8), 300, 8, is_client=True),
    Case(f"a message published to {SUBSCRIBERS}", ("topic",), published, 20),
    Case("Socket.IO event with answer, one at a time", ("io",), events(1), 500),
    Case("Socket.IO event with answer, 16 at a time", ("io",), events(16), 100, 16),
    Case(f"Socket.IO event broadcast to {ROOM}", ("io",), broadcast, 50),
    Case("Socket.IO event with answer, polling", ("io",), polled, 300),
]


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(120)
        yield listener
