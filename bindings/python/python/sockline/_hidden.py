"""What a context of :mod:`ssl`'s keeps to itself, found out by beginnings of handshakes in memory."""

from __future__ import annotations

import functools
import ssl

__all__ = ["has_certificate", "offered_protocols", "system_strangers"]

_ALPN = 16
"""The extension ``application_layer_protocol_negotiation`` (RFC 7301 §3.1)."""


def has_certificate(context: ssl.SSLContext) -> bool:
    """Whether it would show a certificate: ``load_cert_chain`` was called.

    A server that is about to answer is given the context, as it is by a callback for names, and can or can't go on. That takes
    20 µs where there is none.
    """
    incoming = ssl.MemoryBIO()
    server = _server().wrap_bio(incoming, ssl.MemoryBIO(), server_side=True)
    server.context = context
    incoming.write(_hello_to_anybody())
    try:
        server.do_handshake()
    except ssl.SSLWantReadError:
        return True
    except ssl.SSLError:
        return False
    return True


def offered_protocols(context: ssl.SSLContext) -> list[str] | None:
    """What ``set_alpn_protocols`` was told; ``None`` if it was not called."""
    value = _extension(_hello(context), _ALPN)
    if value is None:
        return None
    names, at = [], 2  # behind the length of the list
    while at < len(value):
        length = value[at]
        names.append(value[at + 1 : at + 1 + length].decode("latin-1"))
        at += 1 + length
    return names


@functools.cache
def system_strangers() -> int:
    """How many certificates the system trusts that are no authorities'."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    stored = context.cert_store_stats()
    return stored["x509"] - stored["x509_ca"]


@functools.cache
def _server() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


@functools.cache
def _hello_to_anybody() -> bytes:
    return _hello(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def _hello(context: ssl.SSLContext) -> bytes:
    """The first record of a client with this context."""
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def _extension(record: bytes, wanted: int) -> bytes | None:
    """An extension of a ClientHello (RFC 8446 §4.1.2), which begins a record (§5.1)."""
    at = 5 + 4 + 2 + 32  # of the record, of the message, the version, the random
    at += 1 + record[at]  # the session's id
    at += 2 + int.from_bytes(record[at : at + 2])  # the ciphers
    at += 1 + record[at]  # the compressions
    at += 2
    while at + 4 <= len(record):
        kind, length = int.from_bytes(record[at : at + 2]), int.from_bytes(record[at + 2 : at + 4])
        if kind == wanted:
            return record[at + 4 : at + 4 + length]
        at += 4 + length
    return None
