"""News of a price, now and then: what the page "three ways" shows."""

import random
import time
from typing import Any


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Ticker:
    def __init__(self) -> None:
        self._number = 1
        self._price = 100.0
        self._at = now_ms()

    def advance(self) -> None:
        """Makes news."""
        self._number += 1
        self._price += random.random() - 0.5
        self._at = now_ms()

    def news(self) -> dict[str, Any]:
        """The latest."""
        return {"number": self._number, "price": round(self._price, 2), "at": self._at}


def wait_seconds() -> float:
    """How long until the next news."""
    return random.uniform(0.5, 3)
