"""Which pages may use a server: ``cors_allowed_origins`` in the meaning of python-engineio, which refuses others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Allowed", "allows_all", "is_allowed"]

Allowed = str | Sequence[str] | Callable[..., bool] | None


def allows_all(allowed: Allowed) -> bool:
    """Whether nobody has to be asked: ``"*"`` stands for every origin, an empty list for no checks at all."""
    if allowed is None or callable(allowed):
        return False
    return allowed == "*" or "*" in allowed or len(allowed) == 0


def is_allowed(allowed: Allowed, environ: dict[str, Any]) -> bool:
    """Whether the page that has sent this request may connect. Programs other than browsers have no origin."""
    origin = environ.get("HTTP_ORIGIN")
    if origin is None or allows_all(allowed):
        return True
    if callable(allowed):
        try:
            return bool(allowed(origin, environ))
        except TypeError:
            return bool(allowed(origin))
    if allowed is None:
        return origin in _own_origins(environ)
    return origin == allowed if isinstance(allowed, str) else origin in allowed


def _own_origins(environ: dict[str, Any]) -> list[str]:
    """This server's, as seen by the client, and as a reverse proxy says that the client sees it."""
    scheme, host = environ["wsgi.url_scheme"], environ.get("HTTP_HOST", "")
    own = [f"{scheme}://{host}"]
    if "HTTP_X_FORWARDED_PROTO" in environ or "HTTP_X_FORWARDED_HOST" in environ:
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", scheme).split(",")[0].strip()
        host = environ.get("HTTP_X_FORWARDED_HOST", host).split(",")[0].strip()
        own.append(f"{scheme}://{host}")
    return own
