"""What makes a server with topics one of a cluster."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .socketio._redis_manager import BaseRedisManager

__all__ = ["manager_of"]


def manager_of(adapter: str | BaseRedisManager | None, logger: Any = None) -> BaseRedisManager | None:
    """Of a URL, one with the defaults. Raises ``ValueError`` for a URL that is none."""
    if adapter is None:
        return None
    from .socketio._redis_manager import BaseRedisManager  # which few servers need
    from .socketio import RedisManager

    if isinstance(adapter, BaseRedisManager):
        return adapter
    if not isinstance(adapter, str):
        raise TypeError(f"adapter must be a URL or a manager for Redis, not {type(adapter).__name__}")
    return RedisManager(adapter, logger=logger)
