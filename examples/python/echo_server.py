"""Sends every message back: echo_server.py PORT [--coroutine]

With callbacks, or by a coroutine for each connection, which is slower and often easier to write.
"""

import argparse
import asyncio
import signal
import sys

import sockline

MAX_SIZE = 64 * 2**20


def echo(ws: sockline.WebSocket, message: sockline.Data) -> None:
    ws.send(message)


async def echo_coroutine(connection: sockline.ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


def serve_callbacks(port: int) -> None:
    server = sockline.WebSocketServer(port=port, onmessage=echo, max_size=MAX_SIZE, hard_limit=None, compression=True)
    print(f"echoing at ws://localhost:{server.port}", flush=True)
    signal.pause()  # the connections have a thread of their own


async def serve_coroutines(port: int) -> None:
    async with sockline.serve(echo_coroutine, port=port, max_size=MAX_SIZE) as server:
        print(f"echoing at ws://localhost:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--coroutine", action="store_true", help="serve by coroutines")
    options = parser.parse_args()
    try:
        if options.coroutine:
            asyncio.run(serve_coroutines(options.port))
        else:
            serve_callbacks(options.port)
    except KeyboardInterrupt:
        pass
    except OSError as error:
        sys.exit(f"echo_server: {error}")


if __name__ == "__main__":
    main()
