"""Sends each line of its input to the chat, and prints what is said there: chat_client.py URL NAME"""

import argparse
import asyncio
import collections
import json
import sys
import threading

import sockline


class Chat:
    def __init__(self, connection: sockline.ClientConnection, name: str) -> None:
        self.connection = connection
        self.name = name
        self.unconfirmed: collections.deque[str] = collections.deque()
        """What was sent and has not come back yet, oldest first."""
        self.all_back = asyncio.Event()

    async def send_lines(self, lines: asyncio.Queue[str | None]) -> None:
        """Returns at the end of the input, when all has come back."""
        while (line := await lines.get()) is not None:
            if line:
                self.unconfirmed.append(line)
                self.all_back.clear()
                await self.connection.send(json.dumps({"name": self.name, "text": line}, ensure_ascii=False))
        if self.unconfirmed:
            await self.all_back.wait()

    async def print_messages(self) -> None:
        """Returns when the connection is closed."""
        async for message in self.connection:
            fields = json.loads(message)
            print(f"{fields['name']}: {fields['text']}", flush=True)
            if self.unconfirmed and (fields["name"], fields["text"]) == (self.name, self.unconfirmed[0]):
                self.unconfirmed.popleft()
                if not self.unconfirmed:
                    self.all_back.set()


def read_input() -> asyncio.Queue[str | None]:
    """The lines of the standard input, and None at its end. A thread reads them: a terminal or a file can't be awaited."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line.rstrip("\n"))
        loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    return lines


async def run(url: str, name: str) -> None:
    async with sockline.connect(url) as connection:
        chat = Chat(connection, name)
        sending = asyncio.create_task(chat.send_lines(read_input()))
        printing = asyncio.create_task(chat.print_messages())
        await asyncio.wait([sending, printing], return_when=asyncio.FIRST_COMPLETED)
        await connection.close()
        sending.cancel()
        await printing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("name")
    options = parser.parse_args()
    try:
        asyncio.run(run(options.url, options.name))
    except KeyboardInterrupt:
        pass
    except (OSError, sockline.WebSocketException) as error:
        sys.exit(f"chat_client: {error}")


if __name__ == "__main__":
    main()
