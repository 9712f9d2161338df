"""Echoes with threads, without asyncio; asks itself. echo_threads.py [MESSAGE]"""

import sys
import threading

from sockline.sync.client import connect
from sockline.sync.server import ServerConnection, serve


def echo(ws: ServerConnection) -> None:
    for message in ws:
        ws.send(message)


with serve(echo, "localhost", 0) as server:
    threading.Thread(target=server.serve_forever).start()
    host, port = server.socket.getsockname()
    with connect(f"ws://{host}:{port}") as ws:
        ws.send(" ".join(sys.argv[1:]) or "hello")
        print(ws.recv(timeout=10))
