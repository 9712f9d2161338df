"""Publishes lines to topics, over TLS if it is given a certificate: feed_server.py PORT [CERTIFICATES KEY]

Each line of its input is a topic, a blank and a message. A client sends the filter of the topics that it wants. At the
end of the input the server drains: its clients leave one after the other, and nothing is lost.
"""

import argparse
import sys
import threading
from pathlib import Path

import sockline


def subscribe(ws: sockline.WebSocket, message: sockline.Data) -> None:
    """A filter is answered with "subscribed", or by closing with what is wrong with it."""
    try:
        ws.subscribe(message if isinstance(message, str) else message.decode())
    except (sockline.SocklineError, UnicodeDecodeError) as error:
        ws.close(1008, str(error)[:40])
    else:
        ws.send("subscribed")


def serve(port: int, tls: sockline.ServerTLS | None) -> None:
    closed = threading.Event()
    server = sockline.WebSocketServer(port=port, tls=tls, onmessage=subscribe, onclosed=lambda server: closed.set())
    print(f"feeding at {'wss' if tls else 'ws'}://localhost:{server.port}", flush=True)
    for line in sys.stdin:  # the connections have a thread of their own
        topic, _, message = line.rstrip("\n").partition(" ")
        try:
            server.publish(topic, message)
        except sockline.SocklineError as error:
            print(f"feed_server: {error}", file=sys.stderr)
    server.drain(2)
    closed.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("certificates", type=Path, nargs="?")
    parser.add_argument("key", type=Path, nargs="?")
    options = parser.parse_args()
    if (options.certificates is None) != (options.key is None):
        parser.error("a certificate needs its key")
    try:
        tls = options.key and sockline.ServerTLS(options.certificates, options.key)
        serve(options.port, tls)
    except (OSError, sockline.SocklineError) as error:
        sys.exit(f"feed_server: {error}")


if __name__ == "__main__":
    main()
