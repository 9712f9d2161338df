"""Where the programs are that the interop tests start."""

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
EXAMPLES = CHECKOUT / "examples"
PEERS = HERE / "peers"
PYTHON = CHECKOUT / ".venv/bin/python"
PEERS_PYTHON = CHECKOUT / ".tools/peers/bin/python"

# sockline in each language and face, on either side of a connection.
PROBES = {
    "c": [CHECKOUT / "target/interop/probe"],
    "python": [PYTHON, HERE / "probes/probe.py"],
    "python_callbacks": [PYTHON, HERE / "probes/probe_callbacks.py"],
    "node": ["node", HERE / "probes/probe.js"],
    "node_worker": ["node", HERE / "probes/in_worker.js", HERE / "probes/probe.js"],
}
# What a face has no public way to do as a server.
LACKING = {"python": {"stall", "kill"}, "python_callbacks": {"stall"}}

FOREIGN_SERVERS = {
    "ws": ["node", PEERS / "node/ws_server.js", "0"],
    "websockets": [PEERS_PYTHON, PEERS / "python/websockets_server.py", "0"],
}
FOREIGN_CLIENTS = {
    "ws": ["node", PEERS / "node/ws_client.js"],
    "websockets": [PEERS_PYTHON, PEERS / "python/websockets_client.py"],
    "chromium": ["node", PEERS / "node/chromium_client.js"],
    "lws": [CHECKOUT / "target/interop/lws_client"],
    "java": ["java", "-cp", CHECKOUT / "target/interop/java", "JavaClient"],
    "curl": [PEERS_PYTHON, PEERS / "python/curl_client.py"],
}


NODE_PACKAGE = CHECKOUT / "bindings/node"
PYTHON_PACKAGE = "SOCKETIO=sockline.socketio"
# The servers of Socket.IO, for which the scenarios of the clients below are written.
SOCKETIO_SERVERS = {
    "socket.io": ["node", PEERS / "node/socketio_server.js", "0"],
    "c": [CHECKOUT / "target/interop/socketio_server", "0"],
    "c_embedded": [CHECKOUT / "target/interop/socketio_server", "0", "embedded"],
    "python-socketio": [PEERS_PYTHON, PEERS / "python/socketio_server.py", "0"],
    "python": ["env", PYTHON_PACKAGE, PYTHON, PEERS / "python/socketio_server.py", "0"],
    "python_threads": ["env", PYTHON_PACKAGE, PYTHON, PEERS / "python/socketio_threads_server.py", "0"],
    "node": ["env", f"SOCKETIO={NODE_PACKAGE}/socket.io.mjs", "node", PEERS / "node/socketio_server.js", "0"],
}
SOCKETIO_CLIENTS = {
    "socket.io-client": ["node", PEERS / "node/socketio_client.js"],
    "python-socketio": [PEERS_PYTHON, PEERS / "python/socketio_client.py"],
    "python-socketio_threads": ["env", "CLIENT=threads", PEERS_PYTHON, PEERS / "python/socketio_client.py"],
    "c": [CHECKOUT / "target/interop/socketio_client"],
    "python": ["env", PYTHON_PACKAGE, PYTHON, PEERS / "python/socketio_client.py"],
    "python_threads": ["env", PYTHON_PACKAGE, "CLIENT=threads", PYTHON, PEERS / "python/socketio_client.py"],
    "socket.io-client@2": ["node", PEERS / "node/socketio_v2_client.js"],
    "node": ["env", f"SOCKETIO_CLIENT={NODE_PACKAGE}/socket.io-client.mjs", "node", PEERS / "node/socketio_client.js"],
}
SOCKETIO_V2_PAGE = ["node", PEERS / "node/socketio_v2_page.js"]
# Servers of others that do what the examples io_echo_server do.
SOCKETIO_ECHO_SERVERS = {
    "socket.io": ["node", PEERS / "node/socketio_echo_server.js", "0"],
    "python-socketio": [PEERS_PYTHON, PEERS / "python/socketio_echo_server.py", "0"],
}
NODE_REDIS = {
    "REDIS_ADAPTER": "redis-adapter",
    "REDIS_STREAMS_ADAPTER": "redis-streams-adapter",
    "REDIS_EMITTER": "redis-emitter",
}
# Those that can be one of a cluster.
CLUSTER_SERVERS = {
    "socket.io": SOCKETIO_SERVERS["socket.io"],
    "c": SOCKETIO_SERVERS["c"],
    "node": ["env", *(f"{name}={NODE_PACKAGE}/{file}.mjs" for name, file in NODE_REDIS.items()), *SOCKETIO_SERVERS["node"]],
    "python": SOCKETIO_SERVERS["python"],
}
CLUSTER_CLIENT = ["node", PEERS / "node/cluster_client.js"]
FORWARDING_CLIENT = ["node", PEERS / "node/forwarding_client.js"]


def socketio_server(name: str, parser: str = "json", *, recovery: bool = False) -> list[str | Path]:
    """A server of the above, that also takes clients of version 2, but for python-socketio, which has no recovery either."""
    return [*SOCKETIO_SERVERS[name], *_arguments(name, parser, recovery=recovery, options={"allowEIO3": True})]


def cluster_server(name: str, parser: str = "json", *, recovery: bool = False) -> list[str | Path]:
    """One of those that can be one of a cluster."""
    return [*CLUSTER_SERVERS[name], *_arguments(name, parser, recovery=recovery, options={})]


def _arguments(name: str, parser: str, *, recovery: bool, options: dict[str, object]) -> list[str]:
    """What such a server is told: words, or the options of the official one, which has further ones."""
    if name in ("c", "c_embedded") or name.startswith("python"):
        return [*(["msgpack"] if parser == "msgpack" else []), *(["recovery"] if recovery else [])]
    parsers = {} if parser == "json" else {"parser": parser}
    return [json.dumps({**options, **parsers, **({"connectionStateRecovery": {}} if recovery else {})})]


def example(language: str, program: str) -> list[str | Path]:
    """An example program, as a user calls it."""
    match language:
        case "c" | "cpp":
            return [EXAMPLES / language / "build" / program]
        case "python":
            return [PYTHON, EXAMPLES / "python" / f"{program}.py"]
        case "node":
            return ["node", EXAMPLES / "node" / f"{program}.js"]
        case "rust":
            return [CHECKOUT / "target/release/examples" / program]
    raise ValueError(f"there are no examples in {language}")
