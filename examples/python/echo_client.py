"""Sends COUNT messages of SIZE bytes, checks the echoes and prints the rate: echo_client.py URL COUNT SIZE"""

import argparse
import asyncio
import sys
import time

import sockline

IN_FLIGHT = 64
"""At most so many messages are on their way at once."""


async def run(url: str, count: int, size: int) -> float:
    """Returns how many seconds it took."""
    payload = bytes(index % 256 for index in range(256)) * (size // 256) + bytes(range(size % 256))
    async with sockline.connect(url, max_size=64 * 2**20, max_queue=IN_FLIGHT) as connection:
        start = time.perf_counter()
        for _ in range(min(count, IN_FLIGHT)):
            await connection.send(payload)
        for received in range(count):
            if await connection.recv() != payload:
                raise ValueError("an echo differs from what was sent")
            if received + IN_FLIGHT < count:
                await connection.send(payload)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("count", type=int)
    parser.add_argument("size", type=int)
    options = parser.parse_args()
    try:
        seconds = asyncio.run(run(options.url, options.count, options.size))
    except (OSError, ValueError, sockline.WebSocketException) as error:
        sys.exit(f"echo_client: {error}")
    rate = options.count / seconds
    print(f"{options.count} messages of {options.size} bytes in {seconds:.3f} s: {rate:.0f} messages/s")


if __name__ == "__main__":
    main()
