"""How servers answer those who ask for a connection, whoever decides about it: coroutines or threads."""

from __future__ import annotations

import base64
import email.utils
import hashlib
import http
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

from . import _native
from ._connection import BaseConnection
from ._options import header_list
from .datastructures import Headers
from .exceptions import InvalidOrigin, NegotiationError, SocklineError
from .http11 import Request, Response
from .options import Compression
from .typing import LoggerLike, Origin, StatusLike, Subprotocol

__all__ = ["COMPRESSION", "AcceptedConnection", "AnsweringServer", "answer_of", "listen_error", "respond_to"]

COMPRESSION = Compression(level=6, memory_level=5, server_max_window_bits=12, client_max_window_bits=12)
"""What websockets takes: a context for each connection, in small windows."""


_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 §1.3."""

_ENGINES = ("Content-Length", "Connection", "Transfer-Encoding", "Upgrade", "Sec-WebSocket-Accept")
"""Headers of a response that the engine writes."""


class AcceptedConnection(BaseConnection):
    """A server's end of a connection."""

    _is_cut = False
    """It was cut, maybe before it was there."""

    def respond(self, status: StatusLike, text: str) -> Response:
        """A plain text response for ``process_request`` to return; its headers may be changed before that."""
        body = text.encode()
        headers = Headers(
            {"Date": _now(), "Content-Length": str(len(body)), "Content-Type": "text/plain; charset=utf-8"}
        )
        return Response(int(status), http.HTTPStatus(status).phrase, headers, body)

    def _terminate(self) -> None:
        self._is_cut = True
        super()._terminate()

    def _opened(self) -> None:
        super()._opened()
        if self.response is not None and self.extensions:
            self.response.headers["Sec-WebSocket-Extensions"] = self.extensions


class AnsweringServer(_native.Server):
    """Decides by origins and subprotocols; says what was decided."""

    logger: LoggerLike
    _origins: Sequence[Origin | re.Pattern[str] | None] | None
    _subprotocols: list[str]
    _select_subprotocol: Callable[[Any, Sequence[Subprotocol]], Subprotocol | None] | None
    _server_header: str | None
    _serving: bool

    def __new__(cls, driver: _native.Driver, *args: Any, **kwargs: Any) -> Self:
        return super().__new__(cls, driver)

    def _response(self, connection: AcceptedConnection, request: Request, offered: list[str]) -> Response:
        """What to answer to a request that nobody objected to."""
        try:
            self._check_origin(request)
            subprotocol = self._choose_subprotocol(connection, offered)
        except InvalidOrigin as error:
            return connection.respond(403, f"Failed to open a WebSocket connection: {error}.\n")
        except NegotiationError as error:
            return connection.respond(400, f"Failed to open a WebSocket connection: {error}.\n")
        except Exception:
            return self._handshake_failed(connection, "select_subprotocol failed")
        key = request.headers.get("Sec-WebSocket-Key", "")
        accept = base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode()).digest()).decode()
        headers = Headers(
            {"Date": _now(), "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}
        )
        if subprotocol is not None:
            headers["Sec-WebSocket-Protocol"] = subprotocol
        return Response(101, "Switching Protocols", headers)

    def _signed(self, response: Response) -> Response:
        """With the name of the server."""
        if self._server_header is not None and "Server" not in response.headers:
            response.headers["Server"] = self._server_header
        return response

    def _answer(
        self, request_id: int, connection: AcceptedConnection, offered: list[str], response: Response
    ) -> bool:
        """Sends the response; the engine adds what RFC 6455 asks for. Says whether there will be a connection, or at least
        its end.
        """
        if response.status_code == 101 and not self._serving:
            response = connection.respond(503, "Server is shutting down.\n")
        connection.response = response
        try:
            return self._give(request_id, connection, response)
        except SocklineError as error:
            # The client may have gone while the application was asked.
            self.logger.info("an upgrade was not answered: %s", error)
            if error.code == "SOCKLINE_ERR_INVALID_ARGUMENT":  # the response can't be sent, but the client waits
                self._give(request_id, connection, self._handshake_failed(connection, "opening handshake failed"))
            return False

    def _give(self, request_id: int, connection: AcceptedConnection, response: Response) -> bool:
        if connection._is_cut:
            self._drop(request_id)
            return False
        headers = _without(_ENGINES, response.headers)
        if response.status_code != 101:
            self._refuse(request_id, response.status_code, header_list(headers), bytes(response.body))
            return False
        subprotocol = headers.pop("Sec-WebSocket-Protocol", None)
        self._accept(request_id, connection, subprotocol, header_list(headers))
        return True

    def _check_origin(self, request: Request) -> None:
        if self._origins is None:
            return
        given = request.headers.get_all("Origin")
        if len(given) > 1:
            raise InvalidOrigin(", ".join(given))
        origin = given[0] if given else None
        for allowed in self._origins:
            if isinstance(allowed, re.Pattern):
                if origin is not None and allowed.fullmatch(origin):
                    return
            elif allowed == origin:
                return
        raise InvalidOrigin(origin)

    def _choose_subprotocol(self, connection: AcceptedConnection, offered: list[str]) -> str | None:
        if self._select_subprotocol is not None:
            chosen = self._select_subprotocol(connection, [Subprotocol(name) for name in offered])
            if chosen is not None and chosen not in offered:
                raise NegotiationError(f"subprotocol {chosen!r} was not offered")
            return chosen
        if not self._subprotocols:
            return None
        for name in self._subprotocols:
            if name in offered:
                return name
        wanted = ", ".join(self._subprotocols)
        raise NegotiationError(f"invalid subprotocol; expected one of {wanted}" if offered else "missing subprotocol")

    def _handshake_failed(self, connection: AcceptedConnection, what: str) -> Response:
        self.logger.error(what, exc_info=True)
        text = "Failed to open a WebSocket connection.\nSee server log for more information.\n"
        return connection.respond(500, text)


def _without(names: Iterable[str], headers: Headers) -> Headers:
    left = Headers(headers)
    for name in names:
        if name in left:  # any number of times
            del left[name]
    return left


def _now() -> str:
    return email.utils.formatdate(usegmt=True)


def respond_to(exchange: _native.HttpExchange, response: Response | None) -> None:
    """Answers a request that is no upgrade; without a response, the engine does."""
    if response is None:
        exchange.pass_on()
        return
    exchange.respond(*_fields(response))


def answer_of(response: Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of an answer to a request that is no upgrade. Raises ``ValueError`` for what can't be one."""
    status, headers, body = _fields(response)
    if not 200 <= status <= 999:
        raise ValueError(f"the status of a response must be from 200 to 999, not {status}")
    return status, headers, body


def _fields(response: Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """The lengths are the engine's to write."""
    headers = _without(("Content-Length", "Transfer-Encoding"), response.headers)
    return response.status_code, header_list(headers), bytes(response.body)


def listen_error(error: SocklineError) -> Exception:
    match error.code:
        case "SOCKLINE_ERR_LISTEN_FAILED" | "SOCKLINE_ERR_IO":
            return error.as_os_error()
        case "SOCKLINE_ERR_INVALID_ARGUMENT":
            return ValueError(error.text)
        case "SOCKLINE_ERR_FORKED":
            return RuntimeError(error.text)
        case _:
            return error
