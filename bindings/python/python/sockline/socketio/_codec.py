"""Events between Python's objects and JSON text with attachments."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import orjson

from .. import _native

__all__ = ["Codec", "JSONModule", "arguments", "send_answer"]

Encoded = tuple[bytes, list[bytes]]
"""An array's JSON text in UTF-8, and the binary values that its placeholders stand for."""


class JSONModule(Protocol):
    """What the ``json`` argument has to be: a module in the shape of the standard library's."""

    def dumps(self, obj: Any, **kwargs: Any) -> str: ...

    def loads(self, s: str, **kwargs: Any) -> Any: ...


def arguments(data: Any) -> list[Any]:
    """An event's or an answer's arguments: those of a tuple, one, or none for ``None``."""
    if isinstance(data, tuple):
        return list(data)
    return [] if data is None else [data]


class Codec:
    """How events are written and read.

    Without a module of the application's own that is orjson. What orjson does not do as the standard library does (huge
    integers, lone surrogates, ``NaN`` that comes) the latter does.
    """

    def __init__(self, module: JSONModule | None) -> None:
        self._module = module
        self.is_usual = module is None
        """Whether the engine may read and write what it can without this."""
        self.dumps: Callable[[Any], bytes] | None = orjson.dumps if module is None else None
        """What encodes most values, and raises ``TypeError`` for the others; ``None`` where nothing but :attr:`encode` does."""
        self.packets: Any = None
        """What encodes and decodes whole packets, in the engine's place."""
        self.encode: Callable[[list[Any]], Encoded] = _encode if module is None else self._encode_with_module
        self.encode_json: Callable[[list[Any]], Encoded] = self.encode
        """For what is said when namespaces are joined, which is JSON whatever events are."""
        self.restore: Callable[[list[Any], Sequence[bytes]], None] = restore
        self.loads: Callable[[str | bytes], Any] = orjson.loads if module is None else self._load_with_module
        """For text without huge integers."""
        self.exact_loads: Callable[[str | bytes], Any] = json.loads if module is None else self._load_with_module

    def _encode_with_module(self, values: list[Any]) -> Encoded:
        attachments: list[bytes] = []
        assert self._module is not None
        text = self._module.dumps(_deconstruct(values, attachments), separators=(",", ":"))
        return text.encode() if isinstance(text, str) else text, attachments

    def _load_with_module(self, text: str | bytes) -> Any:
        assert self._module is not None
        return self._module.loads(text.decode() if isinstance(text, bytes) else text)


def send_answer(codec: Codec, ack: _native.IoAck, result: Any) -> None:
    """Answers with what a handler has returned. Events that come are mostly answered by this, so it calls as little as it can."""
    if codec.dumps is not None:
        try:
            array = codec.dumps(result if type(result) is tuple else () if result is None else (result,))
        except TypeError:
            pass
        else:
            ack.send(array, [])
            return
    ack.send(*codec.encode(arguments(result)))


def _encode(values: list[Any]) -> Encoded:
    try:
        return orjson.dumps(values), []
    except TypeError:
        return _encode_anything(values)


def _encode_anything(values: list[Any]) -> Encoded:
    """With what JSON does not know: binary values, keys that are no strings, huge integers, lone surrogates."""
    attachments: list[bytes] = []

    def placeholder(value: Any) -> Any:
        if isinstance(value, bytes | bytearray | memoryview):
            attachments.append(bytes(value))
            return {"_placeholder": True, "num": len(attachments) - 1}
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

    try:
        return orjson.dumps(values, placeholder, orjson.OPT_NON_STR_KEYS), attachments
    except TypeError:
        attachments.clear()
        text = json.dumps(values, separators=(",", ":"), default=placeholder)
        return text.encode(), attachments


def _deconstruct(value: Any, attachments: list[bytes]) -> Any:
    """A copy with placeholders for binary values, for encoders that may know nothing of them."""
    if isinstance(value, bytes | bytearray | memoryview):
        attachments.append(bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}
    if isinstance(value, list | tuple):
        return [_deconstruct(item, attachments) for item in value]
    if isinstance(value, dict):
        return {key: _deconstruct(item, attachments) for key, item in value.items()}
    return value


def restore(data: list[Any], attachments: Sequence[bytes]) -> None:
    """Puts the binary values in the place of their placeholders. Not by recursion: the depth is the peer's choice."""
    waiting: list[Any] = [data]
    while waiting:
        container = waiting.pop()
        items = container.items() if type(container) is dict else enumerate(container)
        for key, item in items:
            if type(item) is list:
                waiting.append(item)
            elif type(item) is dict:
                number = item.get("num") if item.get("_placeholder") is True else None
                if type(number) is int and 0 <= number < len(attachments):
                    container[key] = attachments[number]
                else:
                    waiting.append(item)
