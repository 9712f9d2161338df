"""What the clients under test share: PORT CONNECTIONS PIPELINE SIZE on the command line."""

import os
import sys
from typing import NoReturn

port, connections, pipeline, size = map(int, sys.argv[1:5])


def payload_of(index: int) -> bytes:
    """Of its own for each connection, so that an echo of another's is noticed."""
    return bytes((index + place) % 256 for place in range(size))


def fail(why: str) -> NoReturn:
    """Ends the process, wherever this is called."""
    print(f"{sys.argv[0]}: {why}", file=sys.stderr, flush=True)
    os._exit(1)
