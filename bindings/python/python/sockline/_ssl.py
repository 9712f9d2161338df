""":mod:`ssl`'s contexts on their way to the engine: what can be seen of them, and one that remembers the rest."""

from __future__ import annotations

import functools
import os
import ssl
import weakref
from pathlib import Path
from typing import Any, Literal, Self

from ._hidden import has_certificate, offered_protocols, system_strangers
from .tls import ClientTLS, ServerTLS, TLSVersion

__all__ = ["SSLContext", "client_tls", "create_default_context", "server_tls"]

_Password = Any


class SSLContext(ssl.SSLContext):
    """An :class:`ssl.SSLContext` that remembers what it has loaded, for the engine to use.

    The engine does TLS with rustls. It honours the certificates, keys and authorities that are loaded, ``verify_mode``,
    ``check_hostname``, ``minimum_version`` and ALPN; what it can't honour, such as encrypted keys, is refused. Ciphers
    are its own.
    """

    def __new__(cls, protocol: int = ssl.PROTOCOL_TLS_CLIENT) -> Self:
        return super().__new__(cls, protocol)

    def __init__(self, protocol: int = ssl.PROTOCOL_TLS_CLIENT) -> None:
        super().__init__()
        self._identities: list[tuple[bytes, bytes]] = []
        self._given: list[bytes] = []
        self._platform_roots = False
        self._alpn: list[str] | None = None

    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: _Password = None) -> None:
        """As in :class:`ssl.SSLContext`. On a server each one adds a certificate, chosen by the name that the client
        asks for.
        """
        super().load_cert_chain(certfile, keyfile, _no_password if password is None else password)
        if password is not None:
            _no_password()
        files = (certfile, keyfile or certfile)
        certificates, key = (Path(os.fsdecode(file)).read_bytes() for file in files)
        self._identities.append((certificates, key))

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        """As in :class:`ssl.SSLContext`."""
        super().load_verify_locations(cafile, capath, cadata)
        files = [] if cafile is None else [Path(os.fsdecode(cafile))]
        if capath is not None:
            files += [entry for entry in Path(os.fsdecode(capath)).iterdir() if entry.is_file()]
        contents = [file.read_bytes() for file in files]
        self._given += [content for content in contents if b"-----BEGIN CERTIFICATE" in content]
        if cadata is not None:
            self._given += _certificates(cadata)

    def load_default_certs(self, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        """As in :class:`ssl.SSLContext`: trusts whom the system trusts."""
        super().load_default_certs(purpose)
        self._platform_roots = True

    def set_default_verify_paths(self) -> None:
        """As in :class:`ssl.SSLContext`: trusts whom the system trusts."""
        super().set_default_verify_paths()
        self._platform_roots = True

    def set_alpn_protocols(self, alpn_protocols: Any) -> None:
        """As in :class:`ssl.SSLContext`."""
        super().set_alpn_protocols(alpn_protocols)
        self._alpn = list(alpn_protocols)


def _no_password() -> str:
    """Called for an encrypted key, instead of asking on the terminal."""
    raise NotImplementedError("encrypted private keys are not supported: decrypt the file, and protect it")


def create_default_context(
    purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH, *, cafile: Any = None, capath: Any = None, cadata: Any = None
) -> SSLContext:
    """The same as :func:`ssl.create_default_context`, for the engine."""
    if purpose == ssl.Purpose.CLIENT_AUTH:
        context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    else:
        context = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if cafile or capath or cadata:
        context.load_verify_locations(cafile, capath, cadata)
    elif context.verify_mode != ssl.CERT_NONE:
        context.load_default_certs(purpose)
    return context


def client_tls(wanted: ssl.SSLContext | ClientTLS | Literal[True] | None, name: str | None) -> ClientTLS | None:
    """What the arguments ``ssl`` and ``server_hostname`` ask for; ``None`` is the engine's default."""
    if isinstance(wanted, ClientTLS):
        if name is not None:
            raise ValueError("server_hostname goes into ClientTLS(server_name=…) where that is used")
        return wanted
    if wanted is None or wanted is True:
        return None if name is None else _default(name)
    if not isinstance(wanted, ssl.SSLContext):
        raise TypeError(f"ssl must be True, an SSLContext or a ClientTLS, not {type(wanted).__name__}")
    if not isinstance(wanted, SSLContext) and has_certificate(wanted):
        raise NotImplementedError(
            "the SSLContext has loaded a client's certificate, whose key can't be read back: make it by sockline.SSLContext or "
            "sockline.create_default_context, or pass ssl=sockline.ClientTLS(certificate=…, private_key=…)"
        )
    looks = _looks(wanted)
    cached = _cache.setdefault(wanted, {})
    if (looks, name) not in cached:
        cached[looks, name] = _client_of(wanted, name)
    return cached[looks, name]


def server_tls(wanted: ssl.SSLContext | ServerTLS | None) -> ServerTLS | None:
    """What the argument ``ssl`` asks for."""
    if wanted is None or isinstance(wanted, ServerTLS):
        return wanted
    if not isinstance(wanted, SSLContext):
        raise TypeError(
            "a private key can't be read back from an ssl.SSLContext: pass ssl=sockline.ServerTLS(certificate, key), "
            "or make the context by sockline.SSLContext or sockline.create_default_context instead"
        )
    if not wanted._identities:
        raise ValueError("the SSLContext has no certificate: call load_cert_chain")
    if getattr(wanted, "sni_callback", None) is not None:
        raise NotImplementedError("sni_callback is not supported; load_cert_chain can load a certificate for each name")
    first, *more = wanted._identities
    asks = wanted.verify_mode != ssl.CERT_NONE
    return ServerTLS(
        *first,
        more=more,
        client_ca=_authorities(wanted) if asks else (),
        require_client_certificate=wanted.verify_mode == ssl.CERT_REQUIRED,
        alpn=("http/1.1",) if wanted._alpn is None else wanted._alpn,
        minimum_version=_minimum(wanted),
    )


# What was made of a context, by how it looked then: connections of one context share the sessions to be resumed.
_cache: weakref.WeakKeyDictionary[ssl.SSLContext, dict[Any, ClientTLS]] = weakref.WeakKeyDictionary()


@functools.lru_cache(maxsize=64)
def _default(name: str) -> ClientTLS:
    return ClientTLS(server_name=name)


def _looks(context: ssl.SSLContext) -> tuple[Any, ...]:
    remembered: tuple[Any, ...] = ()
    if isinstance(context, SSLContext):
        remembered = (len(context._identities), len(context._given), context._platform_roots, str(context._alpn))
    stored = tuple(context.cert_store_stats().values())
    return (context.verify_mode, context.check_hostname, _minimum(context), *stored, *remembered)


def _client_of(context: ssl.SSLContext, name: str | None) -> ClientTLS:
    if context.verify_mode == ssl.CERT_NONE:
        return ClientTLS(server_name=name, insecure=True, **_remembered(context))
    if not context.check_hostname:
        raise NotImplementedError(
            "check_hostname=False is supported with verify_mode=CERT_NONE only; give server_hostname the name to expect"
        )
    if context.verify_flags & (ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_CRL_CHECK_CHAIN):
        raise NotImplementedError("revocation lists are not supported")
    authorities = _authorities(context)
    if isinstance(context, SSLContext):
        platform = context._platform_roots
    else:
        strangers = _strangers(context)
        if strangers not in (0, system_strangers()):
            raise NotImplementedError(
                "the SSLContext has loaded a certificate that is no authority's, which can't be read back: make it by "
                "sockline.SSLContext or sockline.create_default_context, or pass ssl=sockline.ClientTLS(ca=…)"
            )
        # OpenSSL reads the system's folder only as it needs it. So where none is to be seen, those are meant.
        platform = not authorities or strangers > 0
    return ClientTLS(platform_roots=platform, ca=authorities, server_name=name, **_remembered(context))


def _remembered(context: ssl.SSLContext) -> dict[str, Any]:
    found: dict[str, Any] = {"minimum_version": _minimum(context)}
    if isinstance(context, SSLContext):
        if context._identities:
            found["certificate"], found["private_key"] = context._identities[-1]
        if context._alpn is not None:
            found["alpn"] = context._alpn
    elif (protocols := offered_protocols(context)) is not None:
        found["alpn"] = protocols
    return found


def _authorities(context: ssl.SSLContext) -> list[bytes]:
    # What `get_ca_certs` leaves out is given, too: a certificate that nobody has issued but itself.
    given = context._given if isinstance(context, SSLContext) else []
    return [*context.get_ca_certs(binary_form=True), *given]


def _strangers(context: ssl.SSLContext) -> int:
    """How many certificates there are that ``get_ca_certs`` leaves out."""
    stored = context.cert_store_stats()
    return stored["x509"] - stored["x509_ca"]


def _certificates(data: str | bytes) -> list[bytes]:
    """One text with certificates, or those of them that lie one behind the other in DER."""
    if isinstance(data, str):
        return [data.encode()]
    found, at = [], 0
    while at < len(data):
        # X.690 §8.1: a certificate is a sequence whose length takes two more octets, or one, or none.
        more = data[at + 1] & 0x7F if data[at + 1] & 0x80 else 0
        length = int.from_bytes(data[at + 2 : at + 2 + more]) if more else data[at + 1]
        end = at + 2 + more + length
        found.append(bytes(data[at:end]))
        at = end
    return found


def _minimum(context: ssl.SSLContext) -> TLSVersion:
    highest = context.maximum_version
    if highest not in (ssl.TLSVersion.MAXIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_3):
        raise NotImplementedError(f"maximum_version {highest.name} is not supported: TLSv1.3 is always spoken")
    if context.options & ssl.OP_NO_TLSv1_3:
        raise NotImplementedError("OP_NO_TLSv1_3 is not supported: TLSv1.3 is always spoken")
    newest_only = context.minimum_version == ssl.TLSVersion.TLSv1_3 or context.options & ssl.OP_NO_TLSv1_2
    return "TLSv1.3" if newest_only else "TLSv1.2"
