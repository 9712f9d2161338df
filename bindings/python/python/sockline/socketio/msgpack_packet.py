"""Packets in msgpack, with values of an application's own. It takes the package ``msgpack``; ``serializer="msgpack"`` does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack  # type: ignore[import-untyped]

from . import packet

__all__ = ["MsgPackPacket"]


class MsgPackPacket(packet.Packet):
    """One binary message for each packet, as socket.io-msgpack-parser has it."""

    uses_binary_events = False
    dumps_default: Callable[[Any], Any] | None = None
    ext_hook: Callable[[int, bytes], Any] | None = msgpack.ExtType

    @classmethod
    def configure(
        cls,
        dumps_default: Callable[[Any], Any] | None = None,
        ext_hook: Callable[[int, bytes], Any] | None = msgpack.ExtType,
    ) -> type[MsgPackPacket]:
        """A class for values that msgpack doesn't know: ``dumps_default`` makes one that it knows of an object, such as a
        ``msgpack.ExtType``; ``ext_hook`` makes an object of the code and the data of such a one.
        """
        return type("CustomMsgPackPacket", (MsgPackPacket,), {"dumps_default": dumps_default, "ext_hook": ext_hook})

    def encode(self) -> Any:
        """One binary message."""
        return msgpack.dumps(self._to_dict(), default=self.__class__.dumps_default)

    def decode(self, encoded_packet: Any) -> int | None:
        """Reads one."""
        decoded = msgpack.loads(encoded_packet, ext_hook=self.__class__.ext_hook)
        self.packet_type = decoded["type"]
        self.data = decoded.get("data")
        self.id = decoded.get("id")
        self.namespace = decoded["nsp"]
        return None
