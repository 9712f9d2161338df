"""TLS for both roles, on rustls: configurations of the engine's own, and what there is of :mod:`ssl`'s.

Certificates and keys are given as a path, as PEM in ``str`` or ``bytes``, or as DER in ``bytes``.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import os
from collections.abc import Iterable, Sequence
from typing import Literal, Self

from . import _native

__all__ = ["ClientTLS", "ServerTLS", "TLSInfo", "TLSSource", "TLSVersion"]

TLSSource = str | bytes | os.PathLike[str]
"""A certificate, several, or a key: a path, PEM, or DER."""

TLSVersion = Literal["TLSv1.2", "TLSv1.3"]

_HTTP = ("http/1.1",)


class ClientTLS(_native.ClientTls):
    """How clients secure ``wss://`` connections. Make one and use it for all that have the same options: they share the
    sessions that can be resumed.

    * ``platform_roots``: trust whom the system trusts; ``ca``: certification authorities to trust as well;
    * ``certificate`` and ``private_key`` (not encrypted): who we are, for servers that ask;
    * ``server_name``: the name to ask for and to expect, the URL's host by default;
    * ``alpn``: the application protocols to offer;
    * ``pins``: SHA-256 of the public keys to accept, one of which a certificate of the chain must have; as 32 bytes or in
      base64, also with curl's ``sha256//`` before it;
    * ``minimum_version``: the oldest to accept;
    * ``insecure``: accept anybody's certificate, for tests; it is logged.

    Raises :exc:`ValueError` for what can't be used, :exc:`OSError` for files that can't be read.
    """

    def __new__(
        cls,
        *,
        platform_roots: bool = True,
        ca: TLSSource | Iterable[TLSSource] = (),
        certificate: TLSSource | None = None,
        private_key: TLSSource | None = None,
        server_name: str | None = None,
        alpn: Sequence[str] = _HTTP,
        pins: Iterable[str | bytes] = (),
        minimum_version: TLSVersion = "TLSv1.2",
        insecure: bool = False,
    ) -> Self:
        if (certificate is None) != (private_key is None):
            raise ValueError("certificate and private_key go together")
        identity = None
        if certificate is not None and private_key is not None:
            identity = (_read(certificate), _read(private_key))
        return super().__new__(
            cls,
            platform_roots,
            _read_all(ca),
            identity,
            server_name,
            list(alpn),
            [_pin(pin) for pin in pins],
            _is_13(minimum_version),
            insecure,
        )


class ServerTLS(_native.ServerTls):
    """How a server secures its connections.

    ``certificate`` has the server's certificate first and those that lead to a root after it; ``private_key`` (not
    encrypted) may be in the same file. ``more`` are further pairs of certificate and key, for other names: the client
    says which name it wants. ``client_ca`` are the authorities whose client certificates are accepted; without, none is
    asked for. ``alpn`` are the application protocols to choose from. :meth:`reload` takes other certificates.

    Raises as :class:`ClientTLS` does.
    """

    def __new__(
        cls,
        certificate: TLSSource,
        private_key: TLSSource | None = None,
        *,
        more: Iterable[tuple[TLSSource, TLSSource]] = (),
        client_ca: TLSSource | Iterable[TLSSource] = (),
        require_client_certificate: bool = False,
        alpn: Sequence[str] = _HTTP,
        minimum_version: TLSVersion = "TLSv1.2",
    ) -> Self:
        identities = _identities(certificate, private_key, more)
        return super().__new__(
            cls, identities, _read_all(client_ca), require_client_certificate, list(alpn), _is_13(minimum_version)
        )

    def reload(
        self,
        certificate: TLSSource,
        private_key: TLSSource | None = None,
        *,
        more: Iterable[tuple[TLSSource, TLSSource]] = (),
    ) -> None:
        """Takes these certificates and keys from the next handshake on, in all servers that this belongs to. If it
        raises, the old ones stay. Any thread may call it.
        """
        self._reload(_identities(certificate, private_key, more))


@dataclasses.dataclass(frozen=True)
class TLSInfo:
    """What was agreed on in a connection's TLS handshake."""

    version: str
    """``"TLSv1.2"`` or ``"TLSv1.3"``."""
    cipher_suite: str
    """By its IANA name, such as ``TLS_AES_128_GCM_SHA256``."""
    alpn: str | None
    """The application protocol, if one was agreed on."""
    server_name: str | None
    """The name that the client asked for."""
    peer_certificate: bytes | None
    """The peer's own certificate (DER): the server's, or the client's if it has shown one."""
    resumed: bool
    """An earlier session was resumed: no certificates were exchanged again."""


def _identities(
    certificate: TLSSource, private_key: TLSSource | None, more: Iterable[tuple[TLSSource, TLSSource]]
) -> list[tuple[bytes, bytes]]:
    first = _read(certificate)
    key = first if private_key is None else _read(private_key)
    return [(first, key), *((_read(one), _read(its_key)) for one, its_key in more)]


def _read(source: TLSSource) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, str) and "-----BEGIN" in source:
        return source.encode()
    with open(os.fspath(source), "rb") as file:
        return file.read()


def _read_all(sources: TLSSource | Iterable[TLSSource]) -> list[bytes]:
    if isinstance(sources, (str, bytes, os.PathLike)):
        return [_read(sources)]
    return [_read(source) for source in sources]


def _pin(pin: str | bytes) -> bytes:
    if isinstance(pin, str):
        try:
            pin = base64.b64decode(pin.removeprefix("sha256//").removeprefix("sha256/"), validate=True)
        except binascii.Error as error:
            raise ValueError(f"a pin is not base64: {error}") from None
    if len(pin) != 32:
        raise ValueError(f"a pin is the SHA-256 of a public key, 32 bytes, not {len(pin)}")
    return pin


def _is_13(version: str) -> bool:
    if version not in ("TLSv1.2", "TLSv1.3"):
        raise ValueError(f"minimum_version must be TLSv1.2 or TLSv1.3, not {version}")
    return version == "TLSv1.3"
