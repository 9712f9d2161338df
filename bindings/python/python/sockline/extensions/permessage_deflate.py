"""The parameters of permessage-deflate (RFC 7692 section 7.1), by the names that ``websockets`` gives them."""

from __future__ import annotations

from typing import Any, Literal

from ..options import Compression

__all__ = ["ClientPerMessageDeflateFactory", "ServerPerMessageDeflateFactory"]


class _Factory:
    name = "permessage-deflate"

    def __init__(self, compression: Compression) -> None:
        self._compression = compression

    def compression(self) -> Compression:
        """The same for the engine."""
        return self._compression


class ClientPerMessageDeflateFactory(_Factory):
    """For the argument ``extensions`` of :class:`~sockline.connect`; :class:`~sockline.Compression` for its argument
    ``compression`` says the same and more.

    Window bits are 9 to 15. ``compress_settings`` takes zlib's ``level`` and ``memLevel``.
    """

    def __init__(
        self,
        server_no_context_takeover: bool = False,
        client_no_context_takeover: bool = False,
        server_max_window_bits: int | None = None,
        client_max_window_bits: int | Literal[True] | None = True,
        compress_settings: dict[str, Any] | None = None,
    ) -> None:
        # Neither None nor True is a limit; support for one is always said.
        client_bits = None if client_max_window_bits is True else client_max_window_bits
        super().__init__(
            Compression(
                server_no_context_takeover=server_no_context_takeover,
                client_no_context_takeover=client_no_context_takeover,
                server_max_window_bits=_bits("server_max_window_bits", server_max_window_bits),
                client_max_window_bits=_bits("client_max_window_bits", client_bits),
                **_settings(compress_settings),
            )
        )


class ServerPerMessageDeflateFactory(_Factory):
    """The same for :func:`~sockline.serve`."""

    def __init__(
        self,
        server_no_context_takeover: bool = False,
        client_no_context_takeover: bool = False,
        server_max_window_bits: int | None = None,
        client_max_window_bits: int | None = None,
        compress_settings: dict[str, Any] | None = None,
        require_client_max_window_bits: bool = False,
    ) -> None:
        if require_client_max_window_bits:
            raise NotImplementedError("require_client_max_window_bits is not supported: such clients are taken, too")
        super().__init__(
            Compression(
                server_no_context_takeover=server_no_context_takeover,
                client_no_context_takeover=client_no_context_takeover,
                server_max_window_bits=_bits("server_max_window_bits", server_max_window_bits),
                client_max_window_bits=_bits("client_max_window_bits", client_max_window_bits),
                **_settings(compress_settings),
            )
        )


def _bits(name: str, bits: int | None) -> int:
    if bits is None:
        return 15
    if not 9 <= bits <= 15:
        raise ValueError(f"{name} must be between 9 and 15")
    return bits


def _settings(settings: dict[str, Any] | None) -> dict[str, Any]:
    names = {"level": "level", "memLevel": "memory_level"}
    unknown = (settings or {}).keys() - names.keys()
    if unknown:
        raise NotImplementedError(f"compress_settings takes level and memLevel, not {', '.join(sorted(unknown))}")
    return {"level": 6} | {names[name]: value for name, value in (settings or {}).items()}  # zlib's own default
