"""Prints what a feed_server publishes, and comes back when the connection is lost: feed_client.py URL FILTER [CA]

FILTER is a topic, or several of them with + and # as in MQTT; CA a file with the authority to trust for wss://.
"""

import argparse
import sys
import threading
from pathlib import Path

import sockline


def lost(ws: sockline.WebSocket, event: sockline.Reconnecting) -> None:
    print(f"lost ({event.error or 'closed'}); attempt {event.attempt} in {event.delay:.1f} s", file=sys.stderr)


def run(url: str, topics: str, tls: sockline.ClientTLS | None) -> str | None:
    """Returns what went wrong, if anything did."""
    failures: list[str] = []
    closed = threading.Event()

    def subscribe(ws: sockline.WebSocket) -> None:
        """A connection knows nothing of the one before it: the filter is sent again."""
        ws.send(topics)

    def ended(ws: sockline.WebSocket, code: int, reason: str, was_clean: bool) -> None:
        if reason:
            failures.append(f"closed with {code}: {reason}")
        closed.set()

    sockline.WebSocket(
        url,
        tls=tls,
        reconnect=sockline.Reconnect(base_delay=0.5),
        onopen=subscribe,
        onreconnected=subscribe,
        onmessage=lambda ws, message: print(message, flush=True),
        onreconnecting=lost,
        onerror=lambda ws, error: failures.append(str(error)),
        onclose=ended,
    )
    closed.wait()
    return failures[0] if failures else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("filter")
    parser.add_argument("ca", type=Path, nargs="?")
    options = parser.parse_args()
    try:
        tls = options.ca and sockline.ClientTLS(ca=options.ca, platform_roots=False)
        failure = run(options.url, options.filter, tls)
    except (OSError, sockline.SocklineError) as error:
        sys.exit(f"feed_client: {error}")
    except KeyboardInterrupt:
        return
    if failure:
        sys.exit(f"feed_client: {failure}")


if __name__ == "__main__":
    main()
