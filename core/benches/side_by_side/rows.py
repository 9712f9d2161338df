"""Which servers there are for each kind of case, those that are compared with each other side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable

from servers import (
    BEAST_CLIENT,
    BEAST_SERVER,
    BIN,
    C_CLIENT,
    C_CLUSTER,
    C_IO_CLIENT,
    C_SERVER,
    CERTIFICATE,
    KEY,
    LWS,
    NODE_PEER,
    OURS,
    OURS_VENV,
    PEERS,
    PYTHON_PEER,
    ROOT,
    VENV,
    Row,
    build_beast_client,
    build_beast_server,
    build_c,
    build_c_client,
    build_c_cluster,
    build_c_io_client,
    build_lws,
    build_node,
    build_ours_python,
    build_python,
)

NODE, PYTHON, OURS_PYTHON = "node", str(VENV / "bin/python"), str(OURS_VENV / "bin/python")
ON_UVLOOP = (OURS_PYTHON, str(OURS / "on_uvloop.py"))
NODE_WS = (NODE, str(NODE_PEER / "echo_server.js"))
WEBSOCKETS = (PYTHON, str(PYTHON_PEER / "websockets_echo.py"))
TOKIO_TUNGSTENITE = (str(BIN / "tokio_tungstenite_echo"),)
NATIVE_PEERS = ("tokio_tungstenite", "libwebsockets", "beast", "fastwebsockets")
RUST_EXAMPLE = ROOT / "target/release/examples/echo_server"
C_EXAMPLE = ROOT / "examples/c/build/echo_server"
NODE_EXAMPLE = ROOT / "examples/node/echo_server.js"
PYTHON_EXAMPLE = ROOT / "examples/python/echo_server.py"
ADDON = ROOT / "examples/node/node_modules"

SOCKLINE_RUST = Row("sockline_rust", "sockline from Rust", (str(RUST_EXAMPLE),), RUST_EXAMPLE)
SOCKLINE_C = Row("sockline_c", "sockline from C", (str(C_EXAMPLE),), C_EXAMPLE)
SOCKLINE_NODE = Row("sockline_node", "sockline from Node", (NODE, str(NODE_EXAMPLE)), ADDON)
SOCKLINE_PYTHON = Row(
    "sockline_python", "sockline from Python, callbacks", (OURS_PYTHON, str(PYTHON_EXAMPLE)), PYTHON_EXAMPLE
)
RAW_WS = Row("raw_ws", "minimal WebSocket echo by hand", (str(BIN / "raw_ws"),), BIN, always=True)
FASTWEBSOCKETS = Row("fastwebsockets", "fastwebsockets 0.10 on hyper", (str(BIN / "fastwebsockets_echo"),), BIN)
LIBWEBSOCKETS = Row("libwebsockets", "libwebsockets in C", (str(LWS),), PEERS, build=build_lws)
BEAST = Row("beast", "Boost.Beast in C++", (str(BEAST_SERVER),), PEERS, build=build_beast_server)
WS = Row("node_ws", "npm ws with bufferutil", NODE_WS, PEERS, build=build_node)
PICOWS = Row("picows", "picows on uvloop", (PYTHON, str(PYTHON_PEER / "picows_echo.py")), PEERS, build=build_python)


def now_and_then(row: Row) -> Row:
    """In every second round only: no limit depends on it."""
    return replace(row, every=2)


def echo_rows() -> list[Row]:
    coroutine = (*ON_UVLOOP, str(PYTHON_EXAMPLE))
    aiohttp = (PYTHON, str(PYTHON_PEER / "aiohttp_echo.py"))
    return [
        Row("raw_tcp", "bare TCP echo on mio: the floor", (str(BIN / "raw_tcp"),), BIN, raw=True, always=True),
        SOCKLINE_RUST,
        SOCKLINE_C,
        RAW_WS,
        Row("tokio_tungstenite", "tokio-tungstenite 0.30", TOKIO_TUNGSTENITE, BIN, every=2),
        now_and_then(FASTWEBSOCKETS),
        now_and_then(LIBWEBSOCKETS),
        now_and_then(BEAST),
        WS,
        SOCKLINE_NODE,
        SOCKLINE_PYTHON,
        PICOWS,
        Row("sockline_coroutine", "sockline from Python, coroutines on uvloop", coroutine, PYTHON_EXAMPLE,
            ("--coroutine",), build=build_ours_python),
        Row("aiohttp", "aiohttp on uvloop", aiohttp, PEERS, every=2, build=build_python),
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
    return [replace(row, always=row.name == "raw_topic") for row in topic_rows() if row.name in names]


def connect_rows() -> list[Row]:
    """Connections that come and go."""
    return [
        replace(SOCKLINE_RUST, always=True),
        SOCKLINE_C,
        RAW_WS,
        FASTWEBSOCKETS,
        LIBWEBSOCKETS,
        BEAST,
        WS,
        SOCKLINE_NODE,
        PICOWS,
        SOCKLINE_PYTHON,
    ]


def loops_rows() -> list[Row]:
    """Several loops on one port, all on the server's core."""
    command = (str(C_SERVER),)
    return [
        Row("sockline_c", "sockline from C, one loop", command, OURS, ("loops", "1"), always=True, build=build_c),
        Row("sockline_c_two_loops", "sockline from C, two loops", command, OURS, ("loops", "2"), build=build_c),
    ]


def ping_rows() -> list[Row]:
    """One message at a time, for the round trip: with a thread that looks for input before it sleeps, and without."""
    command = (str(C_SERVER),)
    return [
        Row("raw_tcp", "bare TCP echo on mio: the floor", (str(BIN / "raw_tcp"),), BIN, raw=True),
        Row("sockline_c", "sockline from C", command, OURS, ("busy", "0"), always=True, build=build_c),
        Row("sockline_c_busy", "sockline from C, busy_poll of 100 µs", command, OURS, ("busy", "100"), build=build_c),
    ]


def client_rows() -> list[Row]:
    """Clients: they get connections, pipeline and size as further arguments."""
    tungstenite, fast = BIN / "tokio_tungstenite_client", BIN / "fastwebsockets_client"
    ws, undici = NODE_PEER / "ws_client.js", NODE_PEER / "undici_client.js"
    ours = (OURS_PYTHON, str(OURS / "client.py"))
    picows, websockets, aiohttp = (
        (PYTHON, str(PYTHON_PEER / f"{name}_client.py")) for name in ("picows", "websockets", "aiohttp")
    )
    return [
        Row("sockline_c", "sockline from C", (str(C_CLIENT),), OURS, always=True, build=build_c_client),
        Row("tokio_tungstenite", "tokio-tungstenite, fed and flushed", (str(tungstenite),), BIN),
        Row("beast", "Boost.Beast in C++", (str(BEAST_CLIENT),), PEERS, build=build_beast_client),
        Row("fastwebsockets", "fastwebsockets on hyper", (str(fast),), BIN, every=2),
        Row("sockline_node", "sockline from Node", (NODE, str(OURS / "client.js")), ADDON),
        Row("node_ws", "npm ws with bufferutil", (NODE, str(ws)), PEERS, build=build_node),
        Row("undici", "npm undici", (NODE, str(undici)), PEERS, every=2, build=build_node),
        Row("sockline_python", "sockline from Python, callbacks", ours, OURS, build=build_ours_python),
        Row("picows", "picows on uvloop", picows, PEERS, build=build_python),
        Row("sockline_coroutine", "sockline from Python, coroutines on uvloop", ours, OURS, ("coroutine",),
            build=build_ours_python),
        Row("websockets", "websockets on uvloop", websockets, PEERS, every=2, build=build_python),
        Row("aiohttp", "aiohttp on uvloop", aiohttp, PEERS, every=2, build=build_python),
    ]  # fmt: skip


def io_client_rows() -> list[Row]:
    """Clients of Socket.IO. In Python the same program is run on either package."""
    program = OURS / "io_client.py"
    ours, other = (OURS_PYTHON, str(program)), (PYTHON, str(program))
    node, peer = OURS / "io_client.js", NODE_PEER / "socket_io_client.js"
    called = ("python-socketio", "call")
    return [
        Row("sockline_c", "sockline from C", (str(C_IO_CLIENT),), OURS, always=True, build=build_c_io_client),
        Row("sockline_node", "sockline from Node", (NODE, str(node)), ADDON),
        Row("socket_io_client", "npm socket.io-client with bufferutil", (NODE, str(peer)), PEERS, build=build_node),
        Row("sockline_python", "sockline from Python, callbacks", ours, OURS, ("sockline",), build=build_ours_python),
        Row("python_socketio_client", "python-socketio, callbacks", other, OURS, ("python-socketio",),
            build=build_python),
        Row("sockline_coroutine", "sockline from Python, call()", ours, OURS, ("sockline", "call"),
            build=build_ours_python),
        Row("python_socketio_client_coroutine", "python-socketio, call()", other, OURS, called, build=build_python),
    ]  # fmt: skip


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
    about = "tokio-tungstenite over tokio-rustls"
    return [
        *ours("tls", arguments=files),
        Row("tokio_rustls", f"{about} with ring", TOKIO_TUNGSTENITE, BIN, (*files, "ring")),
        Row("tokio_rustls_aws", f"{about} with aws-lc-rs", TOKIO_TUNGSTENITE, BIN, (*files, "aws-lc-rs"), every=2),
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
    node_peer, python_peer = NODE_PEER / "io_echo_server.js", (PYTHON, str(PYTHON_PEER / "socketio_echo.py"))
    return [
        Row("sockline_rust", "sockline from Rust", (str(rust_example),), rust_example, always=True),
        Row("sockline_c", "sockline from C", (str(c_example),), c_example),
        Row("socketioxide", "socketioxide 0.18 on axum", (str(BIN / "socketioxide_echo"),), BIN),
        Row("sockline_node", "sockline from Node", (NODE, str(node_example)), ADDON),
        Row("socket_io", "npm socket.io with bufferutil", (NODE, str(node_peer)), PEERS, build=build_node),
        Row("sockline_python", "sockline from Python, plain handlers", (*ON_UVLOOP, str(python_example)),
            python_example, build=build_ours_python),
        Row("python_socketio", "python-socketio on aiohttp", python_peer, PEERS, build=build_python),
        Row("python_socketio_uvicorn", "python-socketio on uvicorn", python_peer, PEERS, ("uvicorn",),
            build=build_python),
    ]  # fmt: skip


def io_event_rows() -> list[Row]:
    """With those whose handlers are coroutine functions, for events that are acknowledged."""
    ours, peer = (OURS_PYTHON, str(OURS / "io_server.py")), (PYTHON, str(PYTHON_PEER / "socketio_echo.py"))
    return [
        *io_rows(),
        Row("sockline_coroutine", "sockline from Python, coroutine handlers", ours, OURS, build=build_ours_python),
        Row("python_socketio_coroutine", "python-socketio on aiohttp, coroutine handlers", peer, PEERS,
            ("coroutine",), build=build_python),
        Row("python_socketio_uvicorn_coroutine", "python-socketio on uvicorn, coroutine handlers", peer, PEERS,
            ("uvicorn", "coroutine"), build=build_python),
    ]  # fmt: skip


def cluster_rows() -> list[Row]:
    """Nodes of clusters, which all do the same; the others are compared with the official ones."""
    rust, node, peer = BIN / "sockline_cluster", OURS / "cluster.js", NODE_PEER / "cluster.js"
    return [
        Row("sockline_rust", "sockline from Rust", (str(rust),), BIN),
        Row("sockline_c", "sockline from C", (str(C_CLUSTER),), OURS, build=build_c_cluster),
        Row("sockline_node", "sockline from Node", (NODE, str(node)), ADDON),
        Row("socket_io", "npm socket.io with its adapters, bufferutil", (NODE, str(peer)), PEERS, always=True,
            build=build_node),
    ]  # fmt: skip


def ours(mode: str, suffix: str = "", always: bool = True, arguments: tuple[str, ...] = ()) -> list[Row]:
    """sockline in each language, by the benchmark's own servers. The others are compared with that in Rust."""
    rust, node, python = BIN / "sockline_server", OURS / "server.js", OURS / "server.py"
    after = (mode, *arguments)
    return [
        Row(f"sockline_rust{suffix}", "sockline from Rust", (str(rust),), BIN, after, always=always),
        Row(f"sockline_c{suffix}", "sockline from C", (str(C_SERVER),), OURS, after, build=build_c),
        Row(f"sockline_node{suffix}", "sockline from Node", (NODE, str(node)), ADDON, after),
        Row(f"sockline_python{suffix}", "sockline from Python", (OURS_PYTHON, str(python)), OURS, after),
    ]


ROWS: dict[str, Callable[[], list[Row]]] = {
    "echo": echo_rows,
    "latency-native": native_latency_rows,
    "latency-node": node_latency_rows,
    "latency-python": python_latency_rows,
    "loops": loops_rows,
    "ping": ping_rows,
    "connect": connect_rows,
    "client": client_rows,
    "deflate": deflate_rows,
    "tls": tls_rows,
    "tls-connect": tls_rows,
    "topic": topic_rows,
    "growth": growth_rows,
    "growth-topic": growth_topic_rows,
    "io": io_event_rows,
    "io-room": io_rows,
    "io-polling": io_rows,
    "io-idle": io_rows,
    "io-client": io_client_rows,
    "cluster": cluster_rows,
}
