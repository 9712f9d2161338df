"""Names of rooms."""

from __future__ import annotations

from typing import Any

__all__ = ["names"]


def names(rooms: Any) -> str | list[str] | None:
    """Rooms or sids in the engine's terms, where names are strings."""
    if rooms is None or isinstance(rooms, str):
        return rooms or None
    if isinstance(rooms, list | tuple | set | frozenset):
        return [room if isinstance(room, str) else str(room) for room in rooms if room is not None]
    return str(rooms)
