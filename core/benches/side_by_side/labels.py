"""What the rows are called where people read, and which versions were measured."""

from __future__ import annotations

import re
from typing import Any

LABELS = {
    "raw_tcp": "TCP alone, the floor",
    "raw_topic": "TCP alone, the floor",
    "raw_ws": "WebSocket by hand, the least",
    "sockline_rust": "sockline, Rust",
    "sockline_c": "sockline, C",
    "sockline_node": "sockline, Node",
    "sockline_python": "sockline, Python",
    "sockline_coroutine": "sockline, Python coroutines",
    "sockline_c_busy": "sockline, C, busy_poll",
    "sockline_c_two_loops": "sockline, C, two loops",
    "tokio_tungstenite": "tokio-tungstenite",
    "tokio_rustls": "tokio-tungstenite, ring",
    "tokio_rustls_aws": "tokio-tungstenite, aws-lc-rs",
    "libwebsockets": "libwebsockets",
    "beast": "Boost.Beast",
    "fastwebsockets": "fastwebsockets",
    "node_ws": "ws",
    "undici": "undici",
    "picows": "picows",
    "websockets": "websockets",
    "aiohttp": "aiohttp",
    "socketioxide": "socketioxide",
    "socket_io": "socket.io",
    "socket_io_client": "socket.io-client",
    "python_socketio": "python-socketio",
    "python_socketio_uvicorn": "python-socketio, uvicorn",
    "python_socketio_coroutine": "python-socketio, coroutines",
    "python_socketio_uvicorn_coroutine": "python-socketio, uvicorn, coroutines",
    "python_socketio_client": "python-socketio",
    "python_socketio_client_coroutine": "python-socketio, coroutines",
    "uwebsockets": "uWebSockets *",
}
FLOORS = ("raw_tcp", "raw_topic", "raw_ws")
# Of what each row is made, as `versions.peers()` names it.
PACKAGES = {
    "tokio_tungstenite": (("crates", "tokio-tungstenite"), ("crates", "tokio")),
    "tokio_rustls": (("crates", "tokio-tungstenite"), ("crates", "tokio-rustls"), ("crates", "ring")),
    "tokio_rustls_aws": (("crates", "tokio-tungstenite"), ("crates", "tokio-rustls"), ("crates", "aws-lc-rs")),
    "fastwebsockets": (("crates", "fastwebsockets"),),
    "libwebsockets": (("debian", "libwebsockets-dev"),),
    "beast": (("debian", "libboost-dev"),),
    "node_ws": (("npm", "ws"), ("npm", "bufferutil")),
    "undici": (("npm", "undici"),),
    "picows": (("pypi", "picows"), ("pypi", "aiofastnet"), ("pypi", "uvloop")),
    "websockets": (("pypi", "websockets"), ("pypi", "uvloop")),
    "aiohttp": (("pypi", "aiohttp"), ("pypi", "uvloop")),
    "socketioxide": (("crates", "socketioxide"), ("crates", "axum")),
    "socket_io": (("npm", "socket.io"), ("npm", "ws"), ("npm", "bufferutil")),
    "socket_io_client": (("npm", "socket.io-client"),),
    "python_socketio": (("pypi", "python-socketio"), ("pypi", "python-engineio"), ("pypi", "aiohttp")),
    "python_socketio_uvicorn": (("pypi", "python-socketio"), ("pypi", "python-engineio"), ("pypi", "uvicorn")),
}


def label(row: str) -> str:
    if row.endswith("_takeover"):
        return label(row.removesuffix("_takeover")) + ", context kept"
    return LABELS.get(row, row.replace("_", " "))


def family(row: str) -> str:
    """Which colour it has."""
    if row.startswith("sockline"):
        return "ours"
    return "floor" if row in FLOORS else "peer"


def packages(row: str, versions: dict[str, dict[str, str]]) -> str:
    """Names and versions of what a row is made of, as far as they were installed."""
    of_row = PACKAGES.get(row) or PACKAGES.get(re.sub("(_client)?(_coroutine)?$", "", row), ())
    found = [(name, versions.get(place, {}).get(name)) for place, name in of_row]
    return ", ".join(f"{name.removesuffix('-dev')} {version}" for name, version in found if version)


def number(value: Any, digits: int = 3) -> str:
    """With as many digits as mean something, and no exponent."""
    if value is None:
        return "–"
    if isinstance(value, int) or value >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    decimals = max(0, digits - len(str(int(value)))) if value >= 1 else digits
    return f"{value:.{decimals}f}"
