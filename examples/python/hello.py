"""The first connection: says hello, prints what comes back, closes. hello.py URL"""

import asyncio
import sys

import sockline


async def hello(url: str) -> None:
    async with sockline.connect(url) as ws:
        await ws.send("hello")
        print(await ws.recv())


if len(sys.argv) != 2:
    sys.exit("usage: hello.py URL")
asyncio.run(hello(sys.argv[1]))
