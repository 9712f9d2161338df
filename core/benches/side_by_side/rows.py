"""Which servers there are for each kind of case, those that are compared with each other side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable

from servers import (
    BIN,
    C_CLUSTER,
    C_SERVER,
    CERTIFICATE,
    KEY,
    LWS,
    NODE_PEER,
    OURS,
    PEERS,
    PYTHON_PEER,
    ROOT,
    VENV,
    Row,
    build_c,
    build_c_cluster,
    build_lws,
    build_node,
    build_python,
)

NODE, PYTHON, OURS_PYTHON = "node", str(VENV / "bin/python"), str(ROOT / ".venv/bin/python")
NODE_WS = (NODE, str(NODE_PEER / "echo_server.js"))
WEBSOCKETS = (PYTHON, str(PYTHON_PEER / "websockets_echo.py"))
TOKIO_TUNGSTENITE = (str(BIN / "tokio_tungstenite_echo"),)
NATIVE_PEERS = ("tokio_tungstenite", "libwebsockets", "beast", "fastwebsockets")


def echo_rows() -> list[Row]:
    rust_example = ROOT / "target/release/examples/echo_server"
    c_example = ROOT / "examples/c/build/echo_server"
    node_example = ROOT / "examples/node/echo_server.js"
    python_example = ROOT / "examples/python/echo_server.py"
    python_command = (OURS_PYTHON, str(python_example))
    return [
        Row("raw_tcp", "bare TCP echo on mio: the floor", (str(BIN / "raw_tcp"),), BIN, raw=True, always=True),
        Row("sockline_rust", "sockline from Rust", (str(rust_example),), rust_example),
        Row("sockline_c", "sockline from C", (str(c_example),), c_example),
        Row("raw_ws", "minimal WebSocket echo by hand", (str(BIN / "raw_ws"),), BIN, always=True),
        Row("tokio_tungstenite", "tokio-tungstenite 0.30", TOKIO_TUNGSTENITE, BIN, every=2),
        Row("libwebsockets", "libwebsockets in C", (str(LWS),), PEERS, every=2, build=build_lws),
        Row("node_ws", "npm ws with bufferutil", NODE_WS, PEERS, build=build_node),
        Row("sockline_node", "sockline from Node", (NODE, str(node_example)), node_example),
        Row("sockline_python", "sockline from Python, callbacks", python_command, python_example),
        Row("picows", "picows on uvloop", (PYTHON, str(PYTHON_PEER / "picows_echo.py")), PEERS, build=build_python),
        Row("sockline_coroutine", "sockline from Python, coroutines", python_command, python_example, ("--coroutine",)),
        Row("websockets", "websockets on uvloop", WEBSOCKETS, PEERS, every=2, build=build_python),
    ]  # fmt: skip


def latency_rows(*names: str) -> list[Row]:
    """Of the echo's, those with these names, in every round: each needs its million of messages."""
    chosen = (row for row in echo_rows() if row.name in names)
    return [replace(row, always=row.name.startswith("sockline"), every=1) for row in chosen]


def native_latency_rows() -> list[Row]:
    return latency_rows("sockline_rust", "sockline_c", *NATIVE_PEERS)


def node_latency_rows() -> list[Row]:
    return latency_rows("sockline_node", "node_ws")


def python_latency_rows() -> list[Row]:
    """Without `websockets`, which would need a minute for its million, and is not the best."""
    return latency_rows("sockline_python", "sockline_coroutine", "picows", "aiohttp")


def growth_rows() -> list[Row]:
    names = ("raw_tcp", "sockline_c", "sockline_node", "sockline_python")
    return [row for row in echo_rows() if row.name in names]


def growth_topic_rows() -> list[Row]:
    names = ("raw_topic", "sockline_c", "sockline_node", "sockline_python")
    return [row for row in topic_rows() if row.name in names]


def deflate_rows() -> list[Row]:
    return [
        *ours("deflate"),
        *ours("takeover", "_takeover", always=False),
        Row("libwebsockets", "libwebsockets with its extension", (str(LWS),), PEERS, ("deflate",), build=build_lws),
        Row("node_ws", "npm ws, perMessageDeflate", NODE_WS, PEERS, ("deflate",), build=build_node),
        Row("websockets", "websockets, compression", WEBSOCKETS, PEERS, ("deflate",), build=build_python),
    ]


def tls_rows() -> list[Row]:
    files = (str(CERTIFICATE), str(KEY))
    return [
        *ours("tls", arguments=files),
        Row("tokio_rustls", "tokio-tungstenite over tokio-rustls", TOKIO_TUNGSTENITE, BIN, files),
        Row("node_ws", "npm ws on https", NODE_WS, PEERS, ("tls", *files), build=build_node),
    ]


def topic_rows() -> list[Row]:
    return [
        Row("raw_topic", "bare TCP on mio, a send for each", (str(BIN / "raw_topic"),), BIN, raw=True),
        *ours("topic"),
        Row("node_ws", "npm ws, a loop over its clients", NODE_WS, PEERS, ("topic",), build=build_node),
    ]


def io_rows() -> list[Row]:
    """Servers that all do what the examples `io_echo_server` do."""
    rust_example = ROOT / "target/release/examples/io_echo_server"
    c_example = ROOT / "examples/c/build/io_echo_server"
    node_example = ROOT / "examples/node/io_echo_server.js"
    python_example = ROOT / "examples/python/io_echo_server.py"
    node_peer, python_peer = NODE_PEER / "io_echo_server.js", PYTHON_PEER / "socketio_echo.py"
    addon = ROOT / "examples/node/node_modules"
    return [
        Row("sockline_rust", "sockline from Rust", (str(rust_example),), rust_example, always=True),
        Row("sockline_c", "sockline from C", (str(c_example),), c_example),
        Row("socketioxide", "socketioxide 0.18 on axum", (str(BIN / "socketioxide_echo"),), BIN),
        Row("sockline_node", "sockline from Node", (NODE, str(node_example)), addon),
        Row("socket_io", "npm socket.io with bufferutil", (NODE, str(node_peer)), PEERS, build=build_node),
        Row("sockline_python", "sockline from Python", (OURS_PYTHON, str(python_example)), python_example),
        Row("python_socketio", "python-socketio on aiohttp", (PYTHON, str(python_peer)), PEERS, build=build_python),
        Row("python_socketio_uvicorn", "python-socketio on uvicorn", (PYTHON, str(python_peer)), PEERS, ("uvicorn",),
            build=build_python),
    ]  # fmt: skip


def cluster_rows() -> list[Row]:
    """Nodes of clusters, which all do the same; the others are compared with the official ones."""
    rust, node, peer = BIN / "sockline_cluster", OURS / "cluster.js", NODE_PEER / "cluster.js"
    addon = ROOT / "examples/node/node_modules"
    return [
        Row("sockline_rust", "sockline from Rust", (str(rust),), BIN),
        Row("sockline_c", "sockline from C", (str(C_CLUSTER),), OURS, build=build_c_cluster),
        Row("sockline_node", "sockline from Node", (NODE, str(node)), addon),
        Row("socket_io", "npm socket.io with its adapters, bufferutil", (NODE, str(peer)), PEERS, always=True,
            build=build_node),
    ]  # fmt: skip


def ours(mode: str, suffix: str = "", always: bool = True, arguments: tuple[str, ...] = ()) -> list[Row]:
    """sockline in each language, by the benchmark's own servers. The others are compared with that in Rust."""
    rust, node, python = BIN / "sockline_server", OURS / "server.js", OURS / "server.py"
    after = (mode, *arguments)
    addon = ROOT / "examples/node/node_modules"
    return [
        Row(f"sockline_rust{suffix}", "sockline from Rust", (str(rust),), BIN, after, always=always),
        Row(f"sockline_c{suffix}", "sockline from C", (str(C_SERVER),), OURS, after, build=build_c),
        Row(f"sockline_node{suffix}", "sockline from Node", (NODE, str(node)), addon, after),
        Row(f"sockline_python{suffix}", "sockline from Python", (OURS_PYTHON, str(python)), OURS, after),
    ]


ROWS: dict[str, Callable[[], list[Row]]] = {
    "echo": echo_rows,
    "latency-native": native_latency_rows,
    "latency-node": node_latency_rows,
    "latency-python": python_latency_rows,
    "deflate": deflate_rows,
    "tls": tls_rows,
    "topic": topic_rows,
    "growth": growth_rows,
    "growth-topic": growth_topic_rows,
    "io": io_rows,
    "io-room": io_rows,
    "io-polling": io_rows,
    "cluster": cluster_rows,
}
