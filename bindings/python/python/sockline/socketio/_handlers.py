"""Which handler an event is for: what servers and clients have in common."""

from __future__ import annotations

from collections.abc import Callable
from types import CoroutineType
from typing import Any, TypeVar, overload

from ._signatures import call_with_what_fits

__all__ = ["NOT_HANDLED", "PLAIN", "Handlers", "is_coroutine"]

NOT_HANDLED = object()
"""What an event without a handler gives."""

Handler = Callable[..., Any]
Found = tuple[Handler, tuple[Any, ...]]
"""A handler, and what it is called with."""

_H = TypeVar("_H", bound=Handler)


class Handlers:
    """Keeps handlers by namespace and event, and namespace objects."""

    reserved_events: list[str] = []
    """What is called for what happens here only, never for an event of this name that the peer sends."""

    def __init__(self) -> None:
        self.handlers: dict[str, dict[str, Handler]] = {}
        self.namespace_handlers: dict[str, Any] = {}

    @overload
    def on(self, event: str, handler: None = None, namespace: str | None = None) -> Callable[[_H], _H]: ...

    @overload
    def on(self, event: str, handler: Handler, namespace: str | None = None) -> None: ...

    def on(
        self, event: str, handler: Handler | None = None, namespace: str | None = None
    ) -> Callable[[_H], _H] | None:
        """Sets the handler of an event, or is a decorator for it.

        ``"*"`` as the event is for all events without a handler of their own, which then get the event's name first;
        as the namespace, for all namespaces without one, which get the namespace first (after the event's name).
        """
        handlers = self.handlers.setdefault(namespace or "/", {})

        def set_handler(handler: _H) -> _H:
            handlers[event] = handler
            self._has_handlers_in(namespace or "/")
            return handler

        if handler is None:
            return set_handler
        set_handler(handler)
        return None

    def event(self, *args: Any, **kwargs: Any) -> Any:
        """A decorator that sets the handler of the event that has the function's name: ``@sio.event`` or
        ``@sio.event(namespace="/chat")``.
        """
        if len(args) == 1 and not kwargs and callable(args[0]):
            return self.on(args[0].__name__)(args[0])

        def set_handler(handler: _H) -> _H:
            return self.on(handler.__name__, *args, **kwargs)(handler)  # type: ignore[no-any-return]

        return set_handler

    def _has_handlers_in(self, namespace: str) -> None:
        """For subclasses that have to know."""

    def _find(self, event: str, namespace: str, arguments: tuple[Any, ...]) -> Found | None:
        """The function for an event; a namespace object's method comes after these."""
        is_reserved = event in self.reserved_events
        of_namespace = self.handlers.get(namespace)
        if of_namespace:
            if event in of_namespace:
                return of_namespace[event], arguments
            if not is_reserved and "*" in of_namespace:
                return of_namespace["*"], (event, *arguments)
        of_all = self.handlers.get("*")
        if of_all:
            if event in of_all:
                return of_all[event], (namespace, *arguments)
            if not is_reserved and "*" in of_all:
                return of_all["*"], (event, namespace, *arguments)
        return None

    def _find_object(self, namespace: str, arguments: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]] | None:
        """The namespace object for a namespace."""
        if namespace in self.namespace_handlers:
            return self.namespace_handlers[namespace], arguments
        if "*" in self.namespace_handlers:
            return self.namespace_handlers["*"], (namespace, *arguments)
        return None

    def _is_heard(self, event: str, namespace: str) -> bool:
        """Whether anything would be called."""
        return self._find(event, namespace, ()) is not None or self._find_object(namespace, ()) is not None

    def _trigger(self, event: str, namespace: str, arguments: tuple[Any, ...]) -> Any:
        """Calls the handler, and gives what that returns: a coroutine, if it is one. Without a handler, ``NOT_HANDLED``."""
        found = self._find(event, namespace, arguments)
        if found is not None:
            handler, arguments = found
            if event in ("connect", "disconnect"):
                return call_with_what_fits(handler, arguments)
            return handler(*arguments)
        of_namespace = self._find_object(namespace, arguments)
        if of_namespace is not None:
            return of_namespace[0].trigger_event(event, *of_namespace[1])
        return NOT_HANDLED


PLAIN = frozenset({bool, bytes, dict, float, int, list, str, tuple, type(None), type(NOT_HANDLED)})
"""Types of what handlers return, mostly, that :func:`is_coroutine` need not look at."""


def is_coroutine(result: Any) -> bool:
    """Whether what a handler has returned is to be awaited."""
    return type(result) is CoroutineType or hasattr(result, "cr_await")  # Cython's have a type of their own
