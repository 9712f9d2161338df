"""A client under test on picows with uvloop: picows_client.py PORT CONNECTIONS PIPELINE SIZE

On each connection PIPELINE messages of SIZE bytes are in flight, whose echoes are compared whole.
"""

import asyncio

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from under_test import connections, fail, payload_of, pipeline, port


class Client(WSListener):
    def __init__(self, index: int) -> None:
        self.payload = payload_of(index)

    def on_ws_connected(self, transport: WSTransport) -> None:
        for _ in range(pipeline):
            transport.send(WSMsgType.BINARY, self.payload)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.BINARY or frame.get_payload_as_bytes() != self.payload:
            fail("an echo differs from its message")
        transport.send(WSMsgType.BINARY, self.payload)


async def talk(index: int) -> None:
    transport, _ = await ws_connect(lambda: Client(index), f"ws://127.0.0.1:{port}/")
    await transport.wait_disconnected()
    fail("the connection was closed")


async def main() -> None:
    await asyncio.gather(*(talk(index) for index in range(connections)))


uvloop.run(main())
