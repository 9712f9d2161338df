"""How many arguments a handler takes: python-socketio has let handlers of ``connect`` and ``disconnect`` grow."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["call_with_what_fits"]


def call_with_what_fits(handler: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Calls a handler without the last argument if it does not take that."""
    if hasattr(handler, "__wrapped__") and not inspect.iscoroutinefunction(handler):
        # What it takes says nothing of what it passes on.
        try:
            return handler(*arguments)
        except TypeError:
            return handler(*arguments[:-1])
    if _takes(handler, arguments) or not _takes(handler, arguments[:-1]):
        return handler(*arguments)
    return handler(*arguments[:-1])


def _takes(handler: Callable[..., Any], arguments: tuple[Any, ...]) -> bool:
    try:
        inspect.signature(handler).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # written in C, without a signature
        return True
    return True
