"""The other side of what is counted: raw sockets, and frames made beforehand.

Everything goes in step: what is sent leaves in one piece, and its answer is awaited before the next. So the process that is
counted does the same however the system schedules the two.
"""

import json
import socket
import ssl
import struct

MASK = b"\x5a\x12\xc3\x07"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3
TEXT, BINARY, COMPRESSED = 0x81, 0x82, 0x40


def frame(first: int, payload: bytes, masked: bool = True) -> bytes:
    """One whole message (RFC 6455 section 5.2); `first` is its first byte."""
    bit, length = 0x80 if masked else 0, len(payload)
    head = struct.pack("!BB", first, bit | length) if length < 126 else struct.pack("!BBH", first, bit | 126, length)
    if not masked:
        return head + payload
    repeated = MASK * (length // 4 + 1)
    return head + MASK + bytes(byte ^ mask for byte, mask in zip(payload, repeated))


class Connection:
    """A socket on which exact numbers of bytes are exchanged."""

    def __init__(self, made: socket.socket) -> None:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.settimeout(120)
        self.socket = made
        self.rest = b""

    def read(self, length: int) -> bytes:
        while len(self.rest) < length:
            self._more()
        taken, self.rest = self.rest[:length], self.rest[length:]
        return taken

    def read_until(self, end: bytes) -> bytes:
        while end not in self.rest:
            self._more()
        return self.read(self.rest.index(end) + len(end))

    def exchange(self, data: bytes, answer: bytes) -> None:
        """Sends, and expects this answer."""
        self.socket.sendall(data)
        got = self.read(len(answer))
        if got != answer:
            raise ValueError(f"{got[:80]!r} came in place of {answer[:80]!r}")

    def message(self) -> bytes:
        """The payload of the next unmasked frame."""
        length = self.read(2)[1]
        if length == 126:
            (length,) = struct.unpack("!H", self.read(2))
        return self.read(length)

    def _more(self) -> None:
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the counted process has gone; what it said is above")
        self.rest += data


def connect(port: int, path: str = "/", secure: bool = False, deflate: bool = False) -> Connection:
    """A client's connection, upgraded."""
    made = socket.create_connection(("127.0.0.1", port))
    if secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        made = context.wrap_socket(made)
    connection = Connection(made)
    offer = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
    made.sendall(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{offer if deflate else ''}\r\n".encode()
    )
    head = connection.read_until(b"\r\n\r\n")
    if b" 101 " not in head or ACCEPT.encode() not in head or (b"permessage-deflate" in head) != deflate:
        raise ValueError(f"not upgraded as asked for: {head!r}")
    return connection


def connect_socketio(port: int) -> Connection:
    """The same, with a Socket.IO socket in the main namespace."""
    connection = connect(port, "/socket.io/?EIO=4&transport=websocket")
    if not connection.message().startswith(b"0{"):
        raise ValueError("no Engine.IO handshake")
    connection.socket.sendall(frame(TEXT, b"40"))
    if not connection.message().startswith(b"40{"):
        raise ValueError("no Socket.IO handshake")
    return connection


def accept(listener: socket.socket) -> Connection:
    """A server's side of what a client of ours asks for."""
    import base64
    import hashlib

    connection = Connection(listener.accept()[0])
    head = connection.read_until(b"\r\n\r\n").decode()
    key = next(line[18:].strip() for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key:"))
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    connection.socket.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
    return connection


class Polling:
    """A Socket.IO socket over long-polling, on one connection."""

    def __init__(self, port: int) -> None:
        self.connection = Connection(socket.create_connection(("127.0.0.1", port)))
        self.path = "/socket.io/?EIO=4&transport=polling"
        handshake = self.get()
        self.path += "&sid=" + json.loads(handshake[1:])["sid"]
        self.post(b"40")
        if not self.get().startswith(b"40{"):
            raise ValueError("no Socket.IO handshake")

    def get(self) -> bytes:
        return self._ask(f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def post(self, body: bytes) -> None:
        head = f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain;charset=UTF-8\r\n"
        if self._ask(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body) != b"ok":
            raise ValueError("what was posted was not taken")

    def _ask(self, request: bytes) -> bytes:
        self.connection.socket.sendall(request)
        head = self.connection.read_until(b"\r\n\r\n").decode()
        length = next(line[15:] for line in head.split("\r\n") if line.lower().startswith("content-length:"))
        body = self.connection.read(int(length))
        if " 200 " not in head:
            raise ValueError(f"{head.splitlines()[0]}: {body[:80]!r}")
        return body
