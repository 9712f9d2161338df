"""Sockets that are given, or made here because an option says what the engine has no word for."""

from __future__ import annotations

import os
import socket
import ssl
import stat
from collections.abc import Iterable, Sequence
from typing import Any

from ._options import Listening
from .typing import PathLike

__all__ = ["ListeningSocket", "check_alone", "check_stream", "connected_descriptor", "hand_over", "listening_sockets", "unix_sockets"]


class ListeningSocket:
    """As much of a listening socket as the engine tells of one that it has made."""

    type = socket.SOCK_STREAM

    def __init__(self, family: socket.AddressFamily, name: Any) -> None:
        self.family = family
        self._name = name

    def getsockname(self) -> Any:
        """Host and port, or the path of a Unix socket."""
        return self._name

    def fileno(self) -> int:
        """Raises :exc:`NotImplementedError`."""
        raise NotImplementedError("the descriptor of this socket is the engine's own: give the server one by sock=")


def check_stream(sock: socket.socket) -> None:
    """Raises what :mod:`asyncio` does for another kind of socket."""
    if isinstance(sock, ssl.SSLSocket):
        raise TypeError(f"Socket cannot be of type SSLSocket: {sock!r}")
    if sock.type != socket.SOCK_STREAM:
        raise ValueError(f"A Stream Socket was expected, got {sock!r}")


def check_alone(sock: socket.socket | None, **others: object) -> None:
    """Raises what :func:`check_stream` does, and :exc:`ValueError` for ``others`` beside a socket: they say how to make one."""
    if sock is None:
        return
    check_stream(sock)
    for name, value in others.items():
        if value is not None:
            raise ValueError(f"{name} and sock can not be specified at the same time")


def connected_descriptor(sock: socket.socket) -> int:
    """What the engine takes over: ``sock`` is not to be used any more, and is as good as closed."""
    descriptor = sock.detach()
    if descriptor < 0:
        raise ValueError("sock is closed, or was used for a connection before")
    return descriptor


def hand_over(listening: Listening, sockets: Sequence[socket.socket]) -> Listening:
    """The engine has its own descriptors of them, which it closes. Ours are for whoever asks the server for its sockets."""
    return listening._replace(sockets=[sock.dup().detach() for sock in sockets])


def listening_sockets(
    host: str | Sequence[str] | None,
    port: int | None,
    *,
    family: int = 0,
    flags: int = socket.AI_PASSIVE,
    reuse_address: bool | None = None,
    reuse_port: bool | None = None,
    keep_alive: bool | None = None,
) -> list[socket.socket]:
    """Bound as ``loop.create_server`` binds them, but all on the same port."""
    hosts = [host or None] if host is None or isinstance(host, str) else host
    options = [
        (socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse_address is not False),
        (socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse_port),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, keep_alive),
    ]
    sockets: list[socket.socket] = []
    try:
        for kind, address in _addresses(hosts, port or 0, family, flags):
            try:
                sock = socket.socket(kind, socket.SOCK_STREAM)
            except OSError:
                continue  # the system does not have this family
            sockets.append(sock)
            for level, name, is_set in options:
                if is_set:
                    sock.setsockopt(level, name, True)
            if kind == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, True)
            if not port and len(sockets) > 1:
                address = (address[0], sockets[0].getsockname()[1], *address[2:])
            _bind(sock, address)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    if not sockets:
        raise OSError(f"could not bind on any address out of {hosts!r}")
    return sockets


def unix_sockets(path: PathLike) -> list[socket.socket]:
    """One at a path, where it takes the place of a socket that was left there."""
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.remove(path)
    except FileNotFoundError:
        pass
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _bind(sock, os.fsdecode(path))
    except BaseException:
        sock.close()
        raise
    return [sock]


def _addresses(
    hosts: Iterable[str | None], port: int, family: int, flags: int
) -> Iterable[tuple[int, tuple[Any, ...]]]:
    found = [
        (kind, address)
        for host in hosts
        for kind, _, _, _, address in socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, flags)
    ]
    return dict.fromkeys(found)  # each once


def _bind(sock: socket.socket, address: tuple[Any, ...] | str) -> None:
    try:
        sock.bind(address)
    except OSError as error:
        text = f"error while attempting to bind on address {address!r}: {error.strerror}"
        raise OSError(error.errno, text) from None
