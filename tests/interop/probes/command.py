"""The command line of the Python probes, and what they check with."""

import json
import os
import sys
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

import sockline

sys.path.append(str(Path(__file__).resolve().parent.parent / "peers/python"))

from fixtures import (  # noqa: E402
    CONNECTIONS,
    FRAGMENTED_TEXT,
    MAX_SIZE,
    PADDING,
    SIZES,
    allow_many_files,
    pattern,
)

__all__ = [
    "CONNECTIONS",
    "FRAGMENTED_TEXT",
    "LISTENERS",
    "MAX_SIZE",
    "PADDING",
    "SIZES",
    "SOON",
    "TIMEOUT",
    "Failure",
    "pattern",
]

TIMEOUT = 120.0  # seconds, for a whole scenario
SOON = 0.2  # seconds, until a peer that says nothing is given up
LISTENERS = 3  # of a broadcast

# What the environment asks for, as ../peers/README.md has it.
COMPRESSES = "PERMESSAGE_DEFLATE" in os.environ
PROXY = os.environ.get("PROXY")
ADAPTER = os.environ.get("ADAPTER")
AUTHORITY = os.environ.get("TLS_AUTHORITY")

Connection = sockline.WebSocket | sockline.ClientConnection | sockline.ServerConnection
Scenario = Callable[[str, str], dict[str, Any] | None]


class Failure(Exception):
    """The peer did not do what the scenario expects."""


def main(
    probe: str,
    scenarios: Container[str],
    run_scenario: Scenario,
    serve: Callable[[int, float | None], None],
) -> int:
    """Runs what the arguments name; `serve` gets the port and the patience in seconds, if one is given."""
    allow_many_files()
    match sys.argv[1:]:
        case ["server", port]:
            serve(int(port), None)
            return 0
        case ["server", port, patience]:
            serve(int(port), int(patience) / 1000)
            return 0
        case ["client", url, scenario] if scenario in scenarios:
            return report(probe, scenario, lambda: run_scenario(scenario, url))
    print("usage: PROBE server PORT [PATIENCE_MS] | PROBE client URL SCENARIO", file=sys.stderr)
    return 2


def report(probe: str, scenario: str, run: Callable[[], dict[str, Any] | None]) -> int:
    try:
        result = run()
    except Exception as error:
        print(f"{probe} {scenario}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"probe": probe, "scenario": scenario, **(result or {})}))
    return 0


def server_tls() -> sockline.ServerTLS | None:
    if "TLS_KEY" not in os.environ:
        return None
    return sockline.ServerTLS(Path(os.environ["TLS_CERTIFICATE"]), Path(os.environ["TLS_KEY"]))


def state(ws: Connection) -> dict[str, str]:
    """What was agreed on for a connection."""
    return {"extensions": ws.extensions, "tls": ws.tls_info.version if ws.tls_info else ""}


def reply(ws: Connection) -> str:
    """What a server answers at /connection."""
    return json.dumps({**state(ws), "padding": PADDING})


def expect(found: object, wanted: object) -> None:
    if found != wanted:
        raise Failure(f"wanted {describe(wanted)}, got {describe(found)}")


def describe(value: object) -> str:
    if isinstance(value, str) and len(value) > 100:
        return f"{len(value)} characters of text"
    if isinstance(value, bytes) and len(value) > 100:
        return f"{len(value)} bytes"
    return repr(value)
