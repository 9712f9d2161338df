"""A WebSocket client without a library: it sees each byte, and sends what it is told to. Blocking, plain TCP."""

import socket
import struct

KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # the example of RFC 6455, section 1.3

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Raw:
    """One connection: `status`, `headers` and, after a refusal, `body` are there once it is made."""

    def __init__(self, port: int, target: str, timeout: float = 10.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.sendall(
            f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
            "Sec-WebSocket-Protocol: chat.v1, chat.v3\r\n\r\n".encode()
        )
        self.unread = b""
        while b"\r\n\r\n" not in self.unread:
            self._receive()
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        status_line, *fields = head.decode().split("\r\n")
        self.status = int(status_line.split(" ")[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        self.body = b"" if self.status == 101 else self._exactly(int(self.headers["content-length"]))

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.socket.close()

    def read_frame(self) -> tuple[bool, int, bytes]:
        """FIN, opcode and payload of the next frame. EOFError if the peer ends before it is whole."""
        first, second = self._exactly(2)
        length = second
        if second == 126:
            (length,) = struct.unpack("!H", self._exactly(2))
        elif second == 127:
            (length,) = struct.unpack("!Q", self._exactly(8))
        return bool(first & 0x80), first & 0x0F, self._exactly(length)

    def read_message(self) -> tuple[int, bytes, int]:
        """Opcode, payload and number of frames of the next message. Pings on the way are answered."""
        opcode, parts, fin = CONTINUATION, [], False
        while not fin:
            fin, frame, payload = self.read_frame()
            if frame == PING:
                self.send_frame(PONG, payload)
                fin = False
                continue
            if frame == CLOSE:
                raise EOFError(f"closed with {payload!r} within a message")
            opcode = opcode or frame
            parts.append(payload)
        return opcode, b"".join(parts), len(parts)

    def send_frame(self, opcode: int, payload: bytes) -> None:
        """A whole frame of at most 125 bytes, under the masking key 0, which changes nothing."""
        self.socket.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload)

    def is_quiet(self, seconds: float) -> bool:
        """Whether nothing comes, not even the end, for that long."""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(1)
            return False
        except TimeoutError:
            return not self.unread
        finally:
            self.socket.settimeout(10.0)

    def at_end(self) -> bool:
        """Whether the peer has ended the connection after what was read."""
        return not self.unread and self.socket.recv(1) == b""

    def segments_received(self) -> int:
        """How many TCP segments with data came so far (tcpi_data_segs_in of Linux's struct tcp_info)."""
        info = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 156)
        return struct.unpack_from("I", info, 152)[0]

    def _exactly(self, size: int) -> bytes:
        parts = [self.unread[:size]]
        self.unread = self.unread[size:]
        missing = size - len(parts[0])
        while missing:
            part = self.socket.recv(missing)
            if not part:
                raise EOFError(f"the connection ended with {missing} bytes missing")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _receive(self) -> None:
        data = self.socket.recv(65_536)
        if not data:
            raise EOFError("the connection ended within the head of the response")
        self.unread += data
