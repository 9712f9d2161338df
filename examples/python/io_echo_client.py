"""Socket.IO: sends COUNT events `msg`, checks the answers and prints the rate: io_echo_client.py URL COUNT"""

import argparse
import asyncio
import sys
import time
from typing import Any

from sockline import socketio

IN_FLIGHT = 16
"""At most so many events are on their way at once."""


async def run(url: str, count: int) -> float:
    """Returns how many seconds it took."""
    sio = socketio.AsyncClient(reconnection=False)
    await sio.connect(url, wait_timeout=10)
    start = time.perf_counter()
    numbers = iter(range(count))

    async def ask() -> None:
        for number in numbers:
            text = f"message number {number}"
            answer: Any = await sio.call("msg", text)
            if answer != text:
                raise ValueError("an answer differs from what was sent")

    await asyncio.gather(*(ask() for _ in range(IN_FLIGHT)))
    took = time.perf_counter() - start
    await sio.disconnect()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    if options.count < 0:
        parser.error("COUNT can't be negative")
    try:
        took = asyncio.run(run(options.url, options.count))
    except KeyboardInterrupt:
        return
    except (OSError, ValueError, socketio.exceptions.SocketIOError) as error:
        sys.exit(f"io_echo_client: {error}")
    print(f"{options.count} events in {took:.3f} s: {options.count / max(took, 1e-9):.0f} events/s")


if __name__ == "__main__":
    main()
