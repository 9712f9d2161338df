"""Socket.IO: acknowledges `msg` with its argument, and sends `bc` to all: io_echo_server.py PORT"""

import argparse
import asyncio
import sys
from typing import Any

from sockline import socketio

ROOM = "room"

sio = socketio.AsyncServer(cors_allowed_origins="*")


@sio.event
async def connect(sid: str, environ: dict[str, Any]) -> None:
    await sio.enter_room(sid, ROOM)


@sio.event
def msg(sid: str, *values: Any) -> Any:
    return values


@sio.event
async def bc(sid: str, *values: Any) -> None:
    await sio.emit("bc", values, room=ROOM)


async def serve(port: int) -> None:
    async with sio.listen(port=port) as listener:
        print(f"echoing at http://localhost:{listener.sockets[0].getsockname()[1]}", flush=True)
        await listener.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    try:
        asyncio.run(serve(parser.parse_args().port))
    except KeyboardInterrupt:
        pass
    except OSError as error:
        sys.exit(f"io_echo_server: {error}")


if __name__ == "__main__":
    main()
