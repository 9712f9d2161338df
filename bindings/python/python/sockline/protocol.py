"""The states of a connection."""

from __future__ import annotations

import enum

__all__ = ["State"]


class State(enum.IntEnum):
    """The numbers are those of ``readyState`` in browsers."""

    CONNECTING, OPEN, CLOSING, CLOSED = range(4)
