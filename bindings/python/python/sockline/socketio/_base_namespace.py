"""What namespace classes have in common."""

from __future__ import annotations

from typing import Any

from ._signatures import call_with_what_fits

__all__ = ["BaseClientNamespace", "BaseNamespace", "BaseServerNamespace"]


class BaseNamespace:
    """Handles a namespace's events by its methods: ``on_connect``, ``on_disconnect``, ``on_…``."""

    def __init__(self, namespace: str | None = None) -> None:
        self.namespace = namespace or "/"

    def is_asyncio_based(self) -> bool:
        """Whether it is for asyncio."""
        return False

    def _call_method(self, event: str, arguments: tuple[Any, ...]) -> Any:
        method = getattr(self, f"on_{event or ''}", None)
        if method is None:
            return None
        if event in ("connect", "disconnect"):
            return call_with_what_fits(method, arguments)
        return method(*arguments)


class BaseServerNamespace(BaseNamespace):
    """A namespace of a server."""

    server: Any = None

    def _set_server(self, server: Any) -> None:
        self.server = server

    def rooms(self, sid: str, namespace: str | None = None) -> list[str]:
        """As the server's, for this namespace."""
        return self.server.rooms(sid, namespace=namespace or self.namespace)  # type: ignore[no-any-return]


class BaseClientNamespace(BaseNamespace):
    """A namespace of a client."""

    client: Any = None

    def _set_client(self, client: Any) -> None:
        self.client = client
