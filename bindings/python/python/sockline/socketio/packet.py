"""Packets, for serializers of an application's own: ``serializer=`` takes a subclass of :class:`Packet`, on both sides the same.

Its ``encode`` makes a message of a packet, ``str`` or ``bytes``, or a list of them; its ``decode`` reads one. With
``uses_binary_events`` messages that follow a packet whose ``decode`` has said how many, and whose type is ``BINARY_EVENT`` or
``BINARY_ACK``, are given to ``add_attachment``. Both are called on the thread that sends or receives, with no lock held, and
must not block. What ``encode`` raises is raised by whoever sends an event; what ``decode`` raises ends the connection.
"""

from __future__ import annotations

import json as _json
import re
from typing import Any

__all__ = [
    "ACK",
    "BINARY_ACK",
    "BINARY_EVENT",
    "CONNECT",
    "CONNECT_ERROR",
    "DISCONNECT",
    "EVENT",
    "Packet",
    "packet_names",
]

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = range(7)
packet_names = ["CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK"]

_HEAD = re.compile(r"(\d)(?:(\d+)-)?(?:(/[^,]*),?)?(\d*)", re.ASCII)
"""Type, number of attachments, namespace, id (Socket.IO protocol, "Packet encoding")."""


class Packet:
    """A packet as the official clients have it: JSON as text, binary values as messages of their own."""

    uses_binary_events = True
    """Whether a packet with binary values is of a type of its own."""
    json: Any = _json
    """The module that writes and reads JSON."""

    def __init__(
        self,
        packet_type: int = EVENT,
        data: Any = None,
        namespace: str | None = None,
        id: int | None = None,
        binary: bool | None = None,
        encoded_packet: Any = None,
    ) -> None:
        """``binary`` says whether there are binary values in the data; by default that is looked up. ``encoded_packet`` is read.

        Raises ``ValueError`` for binary values where they can't be.
        """
        self.packet_type = packet_type
        self.data = data
        self.namespace = namespace
        self.id = id
        if self.uses_binary_events and (self.data_is_binary(data) if binary is None else binary):
            if packet_type not in (EVENT, ACK):
                raise ValueError("Packet does not support binary payload.")
            self.packet_type = BINARY_EVENT if packet_type == EVENT else BINARY_ACK
        self.attachment_count = 0
        self.attachments: list[bytes] = []
        if encoded_packet:
            self.attachment_count = self.decode(encoded_packet) or 0

    def encode(self) -> Any:
        """One message, ``str`` or ``bytes``, or a list of messages that are sent with nothing in between."""
        data, attachments = self.data, None
        count = ""
        if self.packet_type in (BINARY_EVENT, BINARY_ACK):
            data, attachments = self.deconstruct_binary(data)
            count = f"{len(attachments)}-"
        namespace = "" if self.namespace in (None, "/") else f"{self.namespace},"
        id = "" if self.id is None else self.id
        text = "" if data is None else self.json.dumps(data, separators=(",", ":"))
        message = f"{self.packet_type}{count}{namespace}{id}{text}"
        return message if attachments is None else [message, *attachments]

    def decode(self, encoded_packet: Any) -> int | None:
        """Reads a message; says how many attachments follow."""
        head = _HEAD.match(encoded_packet)
        if head is None:
            raise ValueError("not a packet")
        kind, count, namespace, id = head.groups()
        if len(count or "") > 10:
            raise ValueError("too many attachments")
        if len(id) > 100:
            raise ValueError("id field is too long")
        self.packet_type = int(kind)
        self.namespace = None if namespace is None else namespace.partition("?")[0]
        self.id = int(id) if id else self.id
        text = encoded_packet[head.end() :]
        self.data = self.json.loads(text) if text else None
        return int(count or 0)

    def add_attachment(self, attachment: bytes) -> bool:
        """Takes the next attachment; says whether that was the last one, with which the data is complete."""
        if self.attachment_count <= len(self.attachments):
            raise ValueError("Unexpected binary attachment")
        self.attachments.append(attachment)
        if self.attachment_count > len(self.attachments):
            return False
        self.data = self.reconstruct_binary(self.data, self.attachments)
        return True

    @classmethod
    def reconstruct_binary(cls, data: Any, attachments: list[bytes]) -> Any:
        """The data with attachments in the place of their placeholders."""
        if isinstance(data, list):
            return [cls.reconstruct_binary(item, attachments) for item in data]
        if not isinstance(data, dict):
            return data
        if data.get("_placeholder") and "num" in data:
            return attachments[data["num"]]
        return {key: cls.reconstruct_binary(value, attachments) for key, value in data.items()}

    @classmethod
    def deconstruct_binary(cls, data: Any) -> tuple[Any, list[bytes]]:
        """The data with placeholders for its binary values, and these."""
        attachments: list[bytes] = []
        return cls._deconstructed(data, attachments), attachments

    @classmethod
    def _deconstructed(cls, data: Any, attachments: list[bytes]) -> Any:
        if isinstance(data, bytes | bytearray):
            attachments.append(data)  # type: ignore[arg-type]
            return {"_placeholder": True, "num": len(attachments) - 1}
        if isinstance(data, list):
            return [cls._deconstructed(item, attachments) for item in data]
        if isinstance(data, dict):
            return {key: cls._deconstructed(value, attachments) for key, value in data.items()}
        return data

    @classmethod
    def data_is_binary(cls, data: Any) -> bool:
        """Whether there are binary values in it."""
        if isinstance(data, list):
            return any(cls.data_is_binary(item) for item in data)
        if isinstance(data, dict):
            return any(cls.data_is_binary(value) for value in data.values())
        return isinstance(data, bytes | bytearray)

    def to_dict(self) -> dict[str, Any]:
        """Type, data and namespace, and the id if there is one."""
        return self._to_dict()

    def _to_dict(self) -> dict[str, Any]:
        """The same by the name that python-socketio has for it."""
        packet = {"type": self.packet_type, "data": self.data, "nsp": self.namespace}
        return packet if self.id is None else {**packet, "id": self.id}
