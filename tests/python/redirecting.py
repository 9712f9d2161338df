"""Has packages that import `websockets` get `sockline` in its place."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from types import ModuleType

import sockline

OURS = ("_", "socketio", "tls", "options")
"""Modules that `websockets` doesn't have, by how their names begin."""


def modules() -> Iterator[tuple[str, ModuleType]]:
    yield "websockets", sockline
    for found in pkgutil.walk_packages(sockline.__path__, "sockline."):
        name = found.name.removeprefix("sockline.")
        if not name.startswith(OURS):
            yield f"websockets.{name}", importlib.import_module(found.name)


@contextlib.contextmanager
def redirected() -> Iterator[None]:
    """While this lasts, whoever imports `websockets` gets `sockline`, and keeps it afterwards."""
    theirs = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "websockets"}
    for name in theirs:
        del sys.modules[name]
    sys.modules.update(modules())
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "websockets"]:
            del sys.modules[name]
        sys.modules.update(theirs)
