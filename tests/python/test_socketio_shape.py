"""The names of python-socketio: every public method, with its arguments in their order."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import socketio as foreign

from sockline import socketio

CLASSES = [
    "AsyncClient",
    "AsyncClientNamespace",
    "AsyncNamespace",
    "AsyncServer",
    "AsyncSimpleClient",
    "Client",
    "ClientNamespace",
    "Namespace",
    "Server",
    "SimpleClient",
]
# Of the inside of python-socketio: no documentation speaks of them.
INNER = {"packet_class", "eio", "client_class"}


def names(function: Any) -> list[str]:
    skipped = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [name for name, value in inspect.signature(function).parameters.items() if value.kind not in skipped]


@pytest.mark.parametrize("name", CLASSES)
def test_classes_have_the_same_methods(name: str) -> None:
    theirs, ours = getattr(foreign, name), getattr(socketio, name)
    for attribute, value in inspect.getmembers(theirs):
        if attribute.startswith("_") and attribute != "__init__" or attribute in INNER:
            continue
        assert hasattr(ours, attribute), attribute
        if inspect.isfunction(value):
            mine = getattr(ours, attribute)
            wanted = names(value)
            assert names(mine)[: len(wanted)] == wanted, attribute
            assert inspect.iscoroutinefunction(mine) == inspect.iscoroutinefunction(value), attribute


def test_exceptions_have_the_same_names() -> None:
    for name, value in inspect.getmembers(foreign.exceptions, inspect.isclass):
        ours = getattr(socketio.exceptions, name)
        assert [base.__name__ for base in ours.__mro__] == [base.__name__ for base in value.__mro__]


def test_arguments_with_defaults_have_the_same_ones() -> None:
    for name in ("AsyncClient", "Client"):
        theirs = inspect.signature(getattr(foreign, name)).parameters
        ours = inspect.signature(getattr(socketio, name)).parameters
        for argument, value in theirs.items():
            if value.default is not inspect.Parameter.empty:
                assert ours[argument].default == value.default, argument
    for name in ("AsyncServer", "Server"):
        for method in ("emit", "send", "call"):
            theirs = inspect.signature(getattr(getattr(foreign, name), method)).parameters
            ours = inspect.signature(getattr(getattr(socketio, name), method)).parameters
            for argument, value in theirs.items():
                assert ours[argument].default == value.default, argument
