"""sockline's servers for the cases that its example does not serve.

server.py PORT deflate | takeover | topic | tls CERTIFICATE KEY
"""

import signal
import sys

import sockline

TOPIC = "news"


def echo(ws: sockline.WebSocket, message: sockline.Data) -> None:
    ws.send(message)


def subscribe(ws: sockline.WebSocket) -> None:
    ws.subscribe(TOPIC)


def publish(ws: sockline.WebSocket, message: sockline.Data) -> None:
    ws.publish(TOPIC, message, include_self=True)


def serve(port: int, mode: str, *files: str) -> sockline.WebSocketServer:
    if mode == "topic":
        return sockline.WebSocketServer(port=port, backlog=4096, onopen=subscribe, onmessage=publish)
    if mode == "tls":
        tls = sockline.ServerTLS(*files)
        return sockline.WebSocketServer(port=port, backlog=4096, onmessage=echo, tls=tls)
    modes = {"deflate": sockline.Compression.server(), "takeover": sockline.Compression()}
    return sockline.WebSocketServer(port=port, backlog=4096, onmessage=echo, compression=modes[mode])


server = serve(int(sys.argv[1]), *sys.argv[2:])
print(f"listening at port {server.port}", flush=True)
signal.pause()  # the connections have a thread of their own
