"""python-socketio's client managers that are not here: using one is an error that says what to do instead."""

from __future__ import annotations

from typing import Any

__all__ = [
    "AsyncAioPikaManager",
    "AsyncManager",
    "KafkaManager",
    "KombuManager",
    "Manager",
    "PubSubManager",
    "ZmqManager",
]


class PubSubManager:
    """Not supported: raises ``NotImplementedError``. Use ``RedisManager`` or ``AsyncRedisManager``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            f"{type(self).__name__} is not here: several processes are connected over Redis, by the engine itself: "
            "use RedisManager or AsyncRedisManager"
        )


class KombuManager(PubSubManager):
    """Not supported: raises ``NotImplementedError``. Use ``RedisManager``."""


class KafkaManager(PubSubManager):
    """Not supported: raises ``NotImplementedError``. Use ``RedisManager``."""


class ZmqManager(PubSubManager):
    """Not supported: raises ``NotImplementedError``. Use ``RedisManager``."""


class AsyncAioPikaManager(PubSubManager):
    """Not supported: raises ``NotImplementedError``. Use ``AsyncRedisManager``."""


class Manager:
    """Not supported: raises ``NotImplementedError``. Leave ``client_manager`` away."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            f"{type(self).__name__} is not here: a server without a client manager has its rooms in the engine, and "
            "sio.manager tells of them"
        )


class AsyncManager(Manager):
    """Not supported: raises ``NotImplementedError``. Leave ``client_manager`` away."""
