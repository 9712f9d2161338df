"""Packets of an application's own class, between the engine and that class.

The engine handles JSON. What an event or an answer carries may be more than that, so it is kept here, and a number stands for
it where the engine has attachments.
"""

from __future__ import annotations

import itertools
import json
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from ._codec import Codec, Encoded, JSONModule
from .packet import ACK, BINARY_ACK, BINARY_EVENT, CONNECT_ERROR, DISCONNECT, EVENT, Packet

__all__ = ["PacketCodec", "Packets", "chosen_codec"]

MakePacket = Callable[..., Any]
"""A class in the shape of :class:`Packet`, or what makes its instances."""

_PLACEHOLDER = {"_placeholder": True, "num": 0}
_Whole = tuple[int, str, int | None, bytes | None, bytes | None]
"""Type, namespace, id, payload as JSON, and what stands for the values that it would carry."""


def chosen_codec(serializer: Any, module: JSONModule | None) -> tuple[Codec, bool]:
    """What ``serializer`` asks for, and whether that is the engine's msgpack.

    Raises ``NotImplementedError`` for another name.
    """
    if serializer is Packet and Packet.json is json:
        serializer = "default"
    if callable(serializer):
        if module is not None:
            serializer.json = module
        return PacketCodec(serializer, module), False
    if serializer not in ("default", "msgpack"):
        raise NotImplementedError(f"serializer must be 'default', 'msgpack' or a subclass of Packet, not {serializer!r}")
    return Codec(module), serializer == "msgpack"


class PacketCodec(Codec):
    """For the engine no value is anything but a number."""

    def __init__(self, make: MakePacket, module: JSONModule | None) -> None:
        super().__init__(module)
        self.packets: Packets | None = Packets(make, self.encode)
        self.encode_json = self.encode
        self.encode = self._encode_kept
        self.dumps = None
        self.is_usual = False
        self.restore = self._restore_kept

    def _encode_kept(self, values: list[Any]) -> Encoded:
        assert self.packets is not None
        head = values[:1] if values and isinstance(values[0], str) else []
        return self.encode_json([*head, _PLACEHOLDER])[0], [self.packets.keep(values)]

    def _restore_kept(self, data: list[Any], tokens: Sequence[bytes]) -> None:
        assert self.packets is not None
        data[:] = self.packets.kept[tokens[0]]


class Kept(bytes):
    """Stands for values for as long as it is there."""

    _of: dict[bytes, list[Any]]

    def __del__(self) -> None:
        self._of.pop(self, None)


class Packets:
    """What the engine calls, on any thread."""

    def __init__(self, make: MakePacket, encode_json: Callable[[list[Any]], Encoded]) -> None:
        self._make = make
        self._encode_json = encode_json
        self._numbers = itertools.count(1)
        self.kept: dict[bytes, list[Any]] = {}
        self.gone: list[Any] = []
        """What the engine needs no more: decoders, and numbers of what is kept."""
        self.logger: Any = None

    def keep(self, values: list[Any]) -> bytes:
        """What stands for these values."""
        token = Kept(self._keep(values))
        token._of = self.kept
        return token

    def _keep(self, values: list[Any]) -> bytes:
        while self.gone:
            gone = self.gone.pop()
            if isinstance(gone, bytes):
                self.kept.pop(gone, None)
        token = next(self._numbers).to_bytes(8)
        self.kept[token] = values
        return token

    def encode(
        self, packet_type: int, namespace: str, id: int | None, payload: bytes | None, token: bytes | None
    ) -> list[str | bytes]:
        """The messages of a packet; none if its values are kept no more, as those of an event that has waited too long."""
        if token is None:
            data = None if payload is None else json.loads(payload)
        elif (data := self.kept.get(token)) is None:
            return []
        encoded = self._make(packet_type, data=data, namespace=namespace, id=id).encode()
        messages = encoded if isinstance(encoded, list | tuple) else [encoded]
        if not messages:
            raise ValueError("encode() has made no message")
        return [message if isinstance(message, str) else bytes(memoryview(message)) for message in messages]

    def decoder(self) -> Decoding:
        """For one connection."""
        return Decoding(self)

    def read(self, message: str | bytes) -> Any:
        """A packet that may wait for attachments."""
        return self._make(encoded_packet=message)

    def whole(self, packet: Any) -> _Whole:
        """A packet in the engine's terms. Raises what it can't be with."""
        kind = {BINARY_EVENT: EVENT, BINARY_ACK: ACK}.get(packet.packet_type, packet.packet_type)
        namespace, data = packet.namespace or "/", packet.data
        if kind in (EVENT, ACK):
            if not isinstance(data, list | tuple) or (kind == EVENT and not data):
                raise ValueError("the data of events and answers must be a list")
            head = [data[0]] if kind == EVENT else []
            payload = self._encode_json([*head, _PLACEHOLDER])[0]
            return kind, namespace, packet.id, payload, self._keep(list(data))
        if data is None or kind == DISCONNECT:
            return kind, namespace, packet.id, b'""' if kind == CONNECT_ERROR else None, None
        payload, attachments = self._encode_json([data])
        if attachments:
            raise ValueError("only events and answers may have binary values")
        return kind, namespace, packet.id, payload.strip()[1:-1], None

    def report(self, what: str, error: BaseException) -> None:
        """Nobody catches it: a connection ends by it."""
        self.logger.error("the serializer could not %s a packet, which ends the connection: %s: %s", what, type(error).__name__, error)
        self.logger.debug("%s", "".join(traceback.format_exception(error)))


class Decoding:
    """What has come of one connection's packet."""

    def __init__(self, packets: Packets) -> None:
        self._packets = packets
        self._waiting: Any = None

    def decode(self, message: str | bytes, max_attachments: int) -> _Whole | None:
        """Takes a message; the packet if it was the last of it."""
        packet = self._waiting
        if packet is not None:
            if not packet.add_attachment(message):
                return None
            self._waiting = None
            return self._packets.whole(packet)
        packet = self._packets.read(message)
        if packet.packet_type in (BINARY_EVENT, BINARY_ACK) and packet.attachment_count > 0:
            if packet.attachment_count > max_attachments:
                raise ValueError("too many attachments")
            self._waiting = packet
            return None
        return self._packets.whole(packet)
