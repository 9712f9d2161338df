"""HTTP headers: names in any case, several values for one name."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Protocol

__all__ = ["Headers", "HeadersLike", "MultipleValuesError"]

# RFC 9110 §5.5; a CR or LF in a value would begin another header.
_is_valid_value = re.compile(r"[\x09\x20-\x7e\x80-\xff]*").fullmatch


class MultipleValuesError(LookupError):
    """There are several values where one was asked for; :meth:`Headers.get_all` gives them."""


class Headers(MutableMapping[str, str]):
    """A mapping in which a name can have several values: assigning adds one, deleting removes all.

    Values that aren't ASCII are ISO-8859-1.
    """

    __slots__ = ("_values", "_items")

    def __init__(self, *args: HeadersLike, **kwargs: str) -> None:
        self._values: dict[str, list[str]] = {}
        self._items: list[tuple[str, str]] = []
        self.update(*args, **kwargs)

    def __str__(self) -> str:
        return "".join(f"{name}: {value}\r\n" for name, value in self._items) + "\r\n"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._items!r})"

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, key: str) -> str:
        values = self._values[key.lower()]
        if len(values) > 1:
            raise MultipleValuesError(key)
        return values[0]

    def __setitem__(self, key: str, value: str) -> None:
        if not _is_valid_value(value):
            from .exceptions import InvalidHeader

            raise InvalidHeader(key, value)
        self._values.setdefault(key.lower(), []).append(value)
        self._items.append((key, value))

    def __delitem__(self, key: str) -> None:
        lower = key.lower()
        del self._values[lower]
        self._items = [(name, value) for name, value in self._items if name.lower() != lower]

    def __eq__(self, other: Any) -> bool:
        return self._values == other._values if isinstance(other, Headers) else NotImplemented

    def copy(self) -> Headers:
        """Another one with the same values."""
        return type(self)(self)

    def clear(self) -> None:
        """Removes everything."""
        self._values = {}
        self._items = []

    def update(self, *args: HeadersLike, **kwargs: str) -> None:
        """Adds what another mapping, or pairs of names and values, have."""
        pairs = (arg.raw_items() if isinstance(arg, Headers) else arg for arg in args)
        super().update(*pairs, **kwargs)

    def get_all(self, key: str) -> list[str]:
        """All values of a name, in order; empty if there is none."""
        return self._values.get(key.lower(), [])

    def raw_items(self) -> Iterator[tuple[str, str]]:
        """All names and values, in order."""
        return iter(self._items)


_SPELT = {"www-authenticate": "WWW-Authenticate", "etag": "ETag", "te": "TE", "dnt": "DNT"}


@functools.lru_cache(256)
def _spelt(name: str) -> str:
    known = _SPELT.get(name)
    if known is None and name.startswith("sec-websocket-"):
        known = "Sec-WebSocket" + name[13:].title()
    return known or name.title()


def received(fields: Iterable[tuple[str, str]]) -> Headers:
    """Fields as the engine hands them over, in lower case, with names as they are mostly spelt: for programs that make a
    ``dict`` of them.
    """
    return Headers((_spelt(name), value) for name, value in fields)


class SupportsKeysAndGetItem(Protocol):
    """What ``dict()`` takes too."""

    def keys(self) -> Iterable[str]: ...

    def __getitem__(self, key: str) -> str: ...


HeadersLike = Headers | Mapping[str, str] | Iterable[tuple[str, str]] | SupportsKeysAndGetItem
"""What :class:`Headers` can be made of."""
