"""sockline's callback face in Python: probe_callbacks.py server PORT [PATIENCE_MS], probe_callbacks.py client URL SCENARIO

What the paths and the scenarios are is in README.md. There is no asyncio here: handlers run on the library's thread, and
the main thread awaits what they put into queues.
"""

import json
import queue
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import command
import sockline
from command import CONNECTIONS, FRAGMENTED_TEXT, LISTENERS, MAX_SIZE, PADDING, SIZES, SOON, Failure, expect, pattern

GREETING = "hello before you asked"
ROOMY: dict[str, Any] = {"max_size": MAX_SIZE, "hard_limit": None, "compression": command.COMPRESSES}


# The server


def serve(port: int, patience: float | None) -> None:
    patient: dict[str, Any] = {}
    if patience is not None:
        patient = {"ping_interval": patience, "ping_timeout": patience, "close_timeout": patience}
    server = sockline.WebSocketServer(
        port=port,
        tls=command.server_tls(),
        onupgrade=onupgrade,
        onopen=onopen,
        onmessage=onmessage,
        onpong=onpong,
        adapter=command.ADAPTER,
        **ROOMY,
        **patient,
    )
    print("listening", server.port, flush=True)
    threading.Event().wait()  # for ever: the connections have a thread of their own


def onupgrade(request: sockline.UpgradeRequest) -> None:
    path, query = split(request.path)
    if path in PATHS:
        last = request.protocols[-1] if path == "/subprotocol-ok" and request.protocols else None
        request.accept(last)
        return
    status = int(query.get("status", 403)) if path == "/refuse" else 404
    request.refuse(status, f"refused with {status}\n", {"X-Reason": "interop", "Content-Type": "text/plain"})


def onopen(ws: sockline.WebSocket) -> None:
    path, query = split(ws.url)
    match path:
        case "/close":
            ws.close(int(query.get("code", 1000)), query.get("reason", ""))
        case "/ping":
            ws.ping("are you there")
        case "/sizes":
            for size in SIZES:
                ws.send(pattern(size))
        case "/greet":
            ws.send(GREETING)
        case "/kill":
            ws.terminate()
        case "/topics":
            ws.subscribe("news/#")
            ws.send("subscribed")


def onmessage(ws: sockline.WebSocket, message: str | bytes) -> None:
    path, _query = split(ws.url)
    if path == "/broadcast":
        ws.server.broadcast(message)
    elif path == "/topics" and isinstance(message, str) and message.startswith("all "):
        ws.server.publish("news/all", message)
    elif path == "/topics":
        ws.publish("news/said", message)
    elif path == "/connection":
        ws.send(command.reply(ws))
    elif path in ECHOING:
        ws.send(message)


def onpong(ws: sockline.WebSocket, payload: bytes) -> None:
    if split(ws.url)[0] == "/ping" and payload == b"are you there":
        ws.send("pong ok")


ECHOING = {"/echo", "/greet", "/subprotocol-ok"}
PATHS = ECHOING | {"/connection", "/close", "/ping", "/sizes", "/kill", "/broadcast", "/topics"}


def split(target: str) -> tuple[str, dict[str, str]]:
    url = urlsplit(target)
    return url.path, {name: values[0] for name, values in parse_qs(url.query).items()}


# The client

TRUST = sockline.ClientTLS(ca=Path(command.AUTHORITY), platform_roots=False) if command.AUTHORITY else None


class Peer:
    """A connection whose events are awaited one by one."""

    def __init__(self, url: str, **options: Any) -> None:
        self.events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self.pings: list[bytes] = []
        put = self.events.put
        self.ws = sockline.WebSocket(
            url,
            protocols=["chat.v1", "chat.v3"],
            onopen=lambda ws: put(("open", None)),
            onmessage=lambda ws, message: put(("message", message)),
            onpong=lambda ws, payload: put(("pong", payload)),
            onping=lambda ws, payload: self.pings.append(payload),
            onerror=lambda ws, error: put(("error", error)),
            onclose=lambda ws, code, reason, was_clean: put(("close", (code, reason, was_clean))),
            open_timeout=command.TIMEOUT,
            proxy=command.PROXY,
            tls=TRUST,
            **ROOMY,
            **options,
        )

    def want(self, kind: str) -> Any:
        """The next event, which is to be of this kind."""
        found, value = self.events.get(timeout=command.TIMEOUT)
        if found != kind:
            raise Failure(f"wanted {kind}, got {found}: {command.describe(value)}")
        return value

    def want_echo(self, message: str | bytes) -> None:
        self.ws.send(message)
        expect(self.want("message"), message)

    def finish(self) -> None:
        self.ws.close(1000, "finished")
        code, _reason, was_clean = self.want("close")
        expect((code, was_clean), (1000, True))

    def want_nothing_more(self) -> None:
        expect(self.events.empty(), True)


def connected(url: str, **options: Any) -> Peer:
    peer = Peer(url, **options)
    peer.want("open")
    return peer


def echo(url: str) -> None:
    peer = connected(url)
    for message in ["hello", "", "κόσμε €😀\0", pattern(64), b""]:
        peer.want_echo(message)
    peer.finish()


def connection(url: str) -> dict[str, Any]:
    peer = connected(url)
    peer.ws.send(PADDING)
    server = json.loads(peer.want("message"))
    agreed = command.state(peer.ws)
    peer.finish()
    return {**agreed, "server": server}


def sizes(url: str) -> None:
    peer = connected(url)
    for size in SIZES:
        peer.want_echo(pattern(size))
        peer.want_echo("x" * size)
    peer.finish()


def receive(url: str) -> None:
    peer = connected(url)
    for size in SIZES:
        expect(peer.want("message"), pattern(size))
    peer.finish()


def fragments(url: str) -> None:
    peer = connected(url)
    expect(peer.want("message"), FRAGMENTED_TEXT)
    expect(peer.want("message"), pattern(100_000))
    peer.finish()


def ping(url: str) -> None:
    peer = connected(url)
    for payload in [b"", b"are you there", b"x" * 125]:
        peer.ws.ping(payload)
        expect(peer.want("pong"), payload)
    peer.finish()


def pinged(url: str) -> None:
    peer = connected(url)
    expect(peer.want("message"), "pong ok")
    expect(peer.pings, [b"are you there"])
    peer.finish()


def greet(url: str) -> None:
    peer = connected(url)
    expect(peer.want("message"), GREETING)
    peer.want_echo("hello yourself")
    peer.finish()


def close(url: str) -> None:
    peer = connected(url)
    peer.ws.close(4001, "the client is done")
    code, _reason, was_clean = peer.want("close")
    expect((code, was_clean), (4001, True))
    peer.want_nothing_more()


def server_close(url: str) -> None:
    expect(connected(url).want("close"), (4321, "enough", True))


def refuse(url: str) -> dict[str, int]:
    peer = Peer(url)
    error = peer.want("error")
    expect(error.code, "SOCKLINE_ERR_REFUSED")
    expect(peer.want("close"), (1006, "", False))
    return {"status": error.http_status}


def subprotocol(url: str) -> None:
    peer = Peer(url)
    expect(peer.want("error").code, "SOCKLINE_ERR_HANDSHAKE_FAILED")
    expect(peer.want("close"), (1006, "", False))


def subprotocol_ok(url: str) -> None:
    peer = connected(url)
    expect(peer.ws.protocol, "chat.v3")
    peer.finish()


def stall(url: str) -> None:
    peer = connected(url, ping_interval=SOON, ping_timeout=SOON)
    expect(peer.want("error").code, "SOCKLINE_ERR_PEER_DEAD")
    expect(peer.want("close"), (1006, "", False))


def half(url: str) -> None:
    expect(connected(url).want("close"), (1006, "", False))


def silent_close(url: str) -> None:
    peer = connected(url, close_timeout=SOON)
    peer.ws.close()
    expect(peer.want("error").code, "SOCKLINE_ERR_CLOSE_TIMEOUT")
    expect(peer.want("close"), (1006, "", False))


def connections(url: str) -> None:
    peers = [Peer(url) for _ in range(CONNECTIONS)]
    for peer in peers:
        peer.want("open")
    for i, peer in enumerate(peers):
        peer.ws.send(f"connection {i}")
    for i, peer in enumerate(peers):
        expect(peer.want("message"), f"connection {i}")
    for peer in peers:
        peer.finish()


def broadcast(url: str) -> None:
    peers = [connected(url) for _ in range(LISTENERS)]
    for i, peer in enumerate(peers):
        peer.ws.send(f"to all from {i}")
        for listener in peers:
            expect(listener.want("message"), f"to all from {i}")
    for peer in peers:
        peer.finish()


SCENARIOS = {
    "echo": echo,
    "connection": connection,
    "sizes": sizes,
    "receive": receive,
    "fragments": fragments,
    "ping": ping,
    "pinged": pinged,
    "greet": greet,
    "close": close,
    "server-close": server_close,
    "refuse": refuse,
    "subprotocol": subprotocol,
    "subprotocol-ok": subprotocol_ok,
    "stall": stall,
    "half": half,
    "kill": half,
    "silent-close": silent_close,
    "connections": connections,
    "broadcast": broadcast,
}

if __name__ == "__main__":
    sys.exit(command.main("python-callbacks", SCENARIOS, lambda name, url: SCENARIOS[name](url), serve))
