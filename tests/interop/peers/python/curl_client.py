"""libcurl as a client of an echo server: python curl_client.py URL SCENARIO

The scenarios are in ../README.md. libcurl knows no extensions, and doesn't tell the version of TLS.
"""

import json
import os
import struct
import sys
from typing import Any

import curl_cffi
from curl_cffi import CurlWsFlag
from fixtures import FRAGMENT, FRAGMENTED_TEXT, MAX_SIZE, PADDING, SIZES, pattern

TIMEOUT = 120.0  # seconds, for any single message


class Failure(Exception):
    """The server did not do what the scenario expects."""


class Client:
    def __init__(self, url: str) -> None:
        session = curl_cffi.Session(verify=os.environ.get("TLS_AUTHORITY", True), trust_env=False)
        self.ws = session.ws_connect(url, timeout=TIMEOUT, max_message_size=MAX_SIZE)

    def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self.ws.send(message.encode(), CurlWsFlag.TEXT)
        else:
            self.ws.send(message, CurlWsFlag.BINARY)

    def expect(self, wanted: str | bytes) -> None:
        data, flags = self.ws.recv(timeout=TIMEOUT)
        if flags & CurlWsFlag.CLOSE:
            raise Failure(f"closed with {data!r}, not a message")
        reply = data.decode() if flags & CurlWsFlag.TEXT else data
        if reply != wanted:
            raise Failure(f"wanted {len(wanted)} of {type(wanted)}, got {len(reply)} of {type(reply)}, or others")

    def expect_echo(self, message: str | bytes) -> None:
        self.send(message)
        self.expect(message)

    def send_fragments(self, payload: bytes, flag: CurlWsFlag) -> None:
        """One message in fragments, an empty one among them and a ping between."""
        for start in range(0, len(payload), FRAGMENT):
            self.ws.send(payload[start : start + FRAGMENT], flag | CurlWsFlag.CONT)
            if start == 5 * FRAGMENT:
                self.ws.send(b"", flag | CurlWsFlag.CONT)
                self.ws.send(b"between", CurlWsFlag.PING)
        self.ws.send(b"", flag)

    def expect_close(self, code: int) -> None:
        """The close frame that comes."""
        data, flags = self.ws.recv(timeout=TIMEOUT)
        if not flags & CurlWsFlag.CLOSE or data[:2] != struct.pack("!H", code):
            raise Failure(f"got {data!r} with {flags}, not a close frame with {code}")

    def finish(self, code: int = 1000) -> None:
        self.ws.send(struct.pack("!H", code) + b"finished", CurlWsFlag.CLOSE)
        self.expect_close(code)


def connection(client: Client) -> dict[str, Any]:
    client.send(PADDING)
    data, _flags = client.ws.recv(timeout=TIMEOUT)
    client.finish()
    return {"server": json.loads(data)}


def echo(client: Client) -> None:
    for message in ["hello", "", "κόσμε €😀\0", pattern(64), b""]:
        client.expect_echo(message)
    client.finish()


def sizes(client: Client) -> None:
    for size in SIZES:
        client.expect_echo(pattern(size))
        client.expect_echo("x" * size)
    client.finish()


def fragments(client: Client) -> None:
    client.send_fragments(FRAGMENTED_TEXT.encode(), CurlWsFlag.TEXT)
    client.expect(FRAGMENTED_TEXT)
    client.send_fragments(pattern(100_000), CurlWsFlag.BINARY)
    client.expect(pattern(100_000))
    client.finish()


SCENARIOS = {
    "connection": connection,
    "echo": echo,
    "sizes": sizes,
    "fragments": fragments,
    "close": lambda client: client.finish(4001),
    "server-close": lambda client: client.expect_close(1000),
}


def main() -> int:
    url, scenario = (sys.argv[1:] + ["", ""])[:2]
    if scenario not in SCENARIOS:
        names = ", ".join(SCENARIOS)
        print(f"usage: python curl_client.py URL SCENARIO, which is one of {names}", file=sys.stderr)
        return 2
    try:
        result = SCENARIOS[scenario](Client(url))
    except Exception as error:
        print(f"curl {scenario}: {error or type(error).__name__}", file=sys.stderr)
        return 1
    print(json.dumps({"peer": "curl", "scenario": scenario, **(result or {})}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
