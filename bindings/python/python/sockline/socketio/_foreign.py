"""What other servers of the process know of the requests that they have read, beside what the engine keeps of them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

from ._environ import environ

__all__ = ["Foreigners", "Told"]

Told = tuple[str, str, list[tuple[bytes, bytes]], tuple[str, int] | None, bool, int]
"""A request for the engine: method, target, header fields, the client's address, whether over TLS, and the note."""

_FEW = 64
_PATIENCE = 300.0
"""For a session to be joined, in seconds: the engine has less."""


class Foreigners:
    """By a note in the request, which the engine keeps with the session that the request has begun."""

    def __init__(self) -> None:
        self.has_session: Callable[[str], bool] = lambda sid: False
        self._notes = itertools.count(1)
        self._extras: dict[int, dict[str, Any]] = {}
        self._known: dict[int, str | float] = {}
        """The id of the session, or since when that is not known."""
        self._swept_at = _FEW

    def add(self, extras: dict[str, Any]) -> int:
        """Keeps what there is to add to a request's ``environ``."""
        if len(self._extras) > self._swept_at:
            self.sweep()
        note = next(self._notes)
        self._extras[note] = extras
        self._known[note] = time.monotonic()
        return note

    def joined(self, note: int, session: str) -> None:
        """A client has joined a namespace with this session."""
        if note in self._extras:
            self._known[note] = session

    def forget(self, note: int) -> None:
        """Its session has ended, or there is none."""
        self._extras.pop(note, None)
        self._known.pop(note, None)

    def sweep(self) -> None:
        """Forgets those whose sessions have ended, or never were."""
        late = time.monotonic() - _PATIENCE
        for note, known in list(self._known.items()):
            is_there = self.has_session(known) if isinstance(known, str) else known > late
            if not is_there:
                self.forget(note)
        self._swept_at = max(_FEW, 2 * len(self._extras))

    def environ(
        self, url: str, headers: list[tuple[str, str]], remote: tuple[str, int] | None, secure: bool, note: int
    ) -> dict[str, Any]:
        """The request that began a session."""
        result = environ(url, headers, remote, secure)
        result.update(self._extras.get(note, ()))
        return result

    def __len__(self) -> int:
        return len(self._extras)
