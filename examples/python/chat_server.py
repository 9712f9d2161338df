"""Sends every chat message to everybody, and serves the page: chat_server.py PORT"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

import sockline

WEB = Path(__file__).resolve().parent.parent / "web"


def is_chat_message(message: sockline.Data) -> bool:
    """Whether it is text JSON {"name", "text"}."""
    if not isinstance(message, str):
        return False
    try:
        fields = json.loads(message)
    except ValueError:
        return False
    return isinstance(fields, dict) and all(isinstance(fields.get(key), str) for key in ("name", "text"))


async def chat(connection: sockline.ServerConnection) -> None:
    try:
        async for message in connection:
            if is_chat_message(message):
                sockline.broadcast(connection.server.connections, message)
            else:
                print("a message that is no chat message was ignored", file=sys.stderr)
    except sockline.ConnectionClosedError as error:
        print(f"a connection was lost: {error}", file=sys.stderr)


def only_at_ws(connection: sockline.ServerConnection, request: sockline.Request) -> sockline.Response | None:
    if request.path.partition("?")[0] == "/ws":
        return None
    return connection.respond(404, "the chat is at /ws\n")


async def serve(port: int) -> None:
    async with sockline.serve(chat, port=port, process_request=only_at_ws, static_folder=WEB) as server:
        bound = server.sockets[0].getsockname()[1]
        print(f"chatting at ws://localhost:{bound}/ws; the page is at http://localhost:{bound}/", flush=True)
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    try:
        asyncio.run(serve(parser.parse_args().port))
    except KeyboardInterrupt:
        pass
    except OSError as error:
        sys.exit(f"chat_server: {error}")


if __name__ == "__main__":
    main()
