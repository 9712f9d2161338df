"""The chat's server: chat_server.py PORT [REDIS]. On one port: Socket.IO for the page, plain WebSockets at /ws, the page's files,
and a ticker that the page "three ways" compares polling, long-polling and push with. What is said on one side reaches both; with
the URL of a Redis, such as redis://localhost, also those at other servers of the chat.
"""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import sockline
from sockline import socketio

from ticker import Ticker, now_ms, wait_seconds

EXAMPLES = Path(__file__).resolve().parent.parent
WEB = EXAMPLES / "web"
CLIENT = EXAMPLES / "node/node_modules/socket.io-client/dist"  # the browsers' bundles, by npm
ECHO_MARK = " (from server)"


class Chat:
    """Who is there, and what is said."""

    def __init__(self, redis: str | None) -> None:
        self.is_alone = redis is None
        self.sio = socketio.AsyncServer(
            serve_client=CLIENT,
            namespaces=["/", "/ticker"],
            connection_state_recovery=True,  # whoever was cut off misses nothing
            client_manager=socketio.AsyncRedisManager(redis) if redis is not None else None,
        )
        self.sio.on("connect", self.greet)
        self.sio.on("chat message", self.hear_event)
        self.sio.on("*", self.ignore)
        self.sio.on_server_side_emit("chat message", self.hear_server)
        self.ticker = Ticker()

    async def greet(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        """Who gives no name with a message has the one that was given when connecting."""
        name = auth.get("name") if isinstance(auth, dict) else None
        await self.sio.save_session(sid, {"name": name if isinstance(name, str) and name else "Anonymous"})

    async def hear_event(self, sid: str, *arguments: Any) -> None:
        """A text and, perhaps, a name. The others get it as it is, and the sender so marked."""
        text, name, *_ = *arguments, None, None
        if not isinstance(text, str):
            self.ignore()
            return
        if not isinstance(name, str) or not name:
            name = (await self.sio.get_session(sid))["name"]
        await self.hear(name, text)
        await self.sio.emit("chat message", (text, name), skip_sid=sid)
        await self.sio.emit("chat message", (text + ECHO_MARK, name), to=sid)

    def ignore(self, *_: Any) -> None:
        print("a message that is no chat message was ignored", file=sys.stderr)

    async def hear_plain(self, connection: sockline.ServerConnection) -> None:
        try:
            async for message in connection:
                if (said := read(message)) is None:
                    self.ignore()
                    continue
                name, text = said
                await self.hear(name, text)
                await self.sio.emit("chat message", (text, name))
        except sockline.ConnectionClosedError as error:
            print(f"a connection was lost: {error}", file=sys.stderr)

    async def hear(self, name: str, text: str) -> None:
        """One of this server's clients has said it: those with plain WebSockets are told, here and at the other servers."""
        print(f"{name}: {text}", flush=True)
        self.tell_plain(name, text)
        if not self.is_alone:
            await self.sio.server_side_emit("chat message", (text, name))

    async def hear_server(self, text: str, name: str) -> None:
        """Another server says what one of its clients has said; it tells those with Socket.IO itself."""
        self.tell_plain(name, text)

    def tell_plain(self, name: str, text: str) -> None:
        """Tells those with plain WebSockets."""
        sockline.broadcast(self.server.connections, json.dumps({"name": name, "text": text}, ensure_ascii=False))

    def answer(self, connection: sockline.ServerConnection, request: sockline.Request) -> sockline.Response | None:
        """GET /ticker is the latest news; WebSockets are at /ws only; the rest are files."""
        path = request.path.partition("?")[0]
        if path == "/ticker":
            headers = sockline.Headers({"Content-Type": "application/json", "Cache-Control": "no-store"})
            body = json.dumps({**self.ticker.news(), "now": now_ms()}).encode()
            return sockline.Response(200, "OK", headers, body)
        if path != "/ws" and "Upgrade" in request.headers:
            return connection.respond(404, "the chat is at /ws\n")
        return None

    async def tick(self) -> None:
        """Makes news for ever."""
        while True:
            await asyncio.sleep(wait_seconds())
            self.ticker.advance()
            # Other servers have news of their own.
            await self.sio.emit("tick", self.ticker.news(), namespace="/ticker", ignore_queue=True)

    async def serve(self, port: int) -> None:
        options: dict[str, Any] = {"process_request": self.answer, "static_folder": WEB, "socketio": self.sio}
        async with sockline.serve(self.hear_plain, port=port, **options) as self.server:
            bound = self.server.sockets[0].getsockname()[1]
            print(f"chatting at http://localhost:{bound}/ and ws://localhost:{bound}/ws", flush=True)
            ticking = asyncio.create_task(self.tick())
            await signalled()
            ticking.cancel()
            await self.sio.shutdown()


def read(message: sockline.Data) -> tuple[str, str] | None:
    """Name and text of the JSON text {"name", "text"}."""
    if not isinstance(message, str):
        return None
    try:
        fields = json.loads(message)
    except ValueError:
        return None
    match fields:
        case {"name": str(name), "text": str(text)}:
            return name, text
    return None


async def signalled() -> None:
    """Waits for Ctrl-C, or to be told to end."""
    came = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, came.set)
    await came.wait()


def redis_url(text: str) -> str:
    if "://" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no URL, such as redis://localhost")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("redis", nargs="?", type=redis_url)
    arguments = parser.parse_args()
    try:
        asyncio.run(Chat(arguments.redis).serve(arguments.port))
    except OSError as error:
        sys.exit(f"chat_server: {error}")


if __name__ == "__main__":
    main()
