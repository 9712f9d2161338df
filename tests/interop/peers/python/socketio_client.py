"""What a Socket.IO client of Python's and its server do, one scenario after the other: socketio_client.py URL [TRANSPORTS]

TRANSPORTS: polling, websocket or upgrade, which is the default. $SOCKETIO names the package, $PARSER msgpack its
serializer; with $CLIENT threads it is the client for programs with threads. It prints `ok NAME` for each scenario, and ends
with the first that fails.
"""

import asyncio
import functools
import importlib
import os
import sys
import traceback
from collections.abc import Callable

socketio = importlib.import_module(os.environ.get("SOCKETIO", "socketio"))
THREADS = os.environ.get("CLIENT") == "threads"

PATIENCE = 10.0  # seconds, for any single event
URL = sys.argv[1]
WAY = {"polling": ["polling"], "websocket": ["websocket"]}.get(sys.argv[2] if len(sys.argv) > 2 else "", None)
SERIALIZER = {"serializer": "msgpack"} if os.environ.get("PARSER") == "msgpack" else {}

opened: list = []


class Threaded:
    """The client for programs with threads, for coroutines: they wait for its methods, its handlers wait for them."""

    def __init__(self, **options: object) -> None:
        self._io = socketio.Client(**options)
        self._loop = asyncio.get_running_loop()
        self.reason = self._io.reason
        self.get_sid = self._io.get_sid

    def on(self, event: str, handler: Callable | None = None, namespace: str | None = None) -> Callable | None:
        if handler is None:
            return lambda handler: self.on(event, handler, namespace)
        self._io.on(event, lambda *values: asyncio.run_coroutine_threadsafe(handler(*values), self._loop).result(), namespace)
        return None

    def __getattr__(self, name: str) -> Callable:
        return functools.partial(asyncio.to_thread, getattr(self._io, name))


class Client:
    """A client, and its events, which are awaited."""

    def __init__(self) -> None:
        make = Threaded if THREADS else socketio.AsyncClient
        self.io = make(reconnection=False, **SERIALIZER)
        self.events: asyncio.Queue = asyncio.Queue()
        self.io.on("*", self._event)
        self.io.on("*", self._namespaced, namespace="*")
        self.io.on("disconnect", self._disconnected)

    async def _event(self, name: str, *values: object) -> None:
        await self.events.put((name, list(values)))

    async def _namespaced(self, name: str, namespace: str, *values: object) -> None:
        await self.events.put((name, list(values)))

    async def _disconnected(self, reason: str) -> None:
        await self.events.put(("disconnect", [reason]))

    async def next(self, wanted: str) -> list:
        async with asyncio.timeout(PATIENCE):
            name, values = await self.events.get()
        assert name == wanted, f"{name}{values}, not {wanted}"
        return values

    async def ask(self, name: str, *values: object, namespace: str | None = None) -> object:
        data = values[0] if len(values) == 1 else tuple(values)
        return await self.io.call(name, data if values else None, namespace=namespace, timeout=PATIENCE)


async def connect(url: str = URL, **options: object) -> Client:
    client = Client()
    opened.append(client)
    await client.io.connect(url, transports=WAY, wait_timeout=PATIENCE, **options)
    return client


async def an_event_is_acknowledged_with_its_arguments() -> None:
    client = await connect()
    for value in (1, -2.5, "κόσμε €😀\u2028\0\"\\", True, [1], {"a": {"b": [None]}}, "x" * 20_000):
        assert await client.ask("echo", value) == value, value
    assert list(await client.ask("echo", 1, "two", [3])) == [1, "two", [3]]  # type: ignore[call-overload]


async def binary_values_go_both_ways() -> None:
    client = await connect()
    value = [bytes(range(256)), {"deep": [b"x" * 5000, "text", b""]}]
    assert await client.ask("echo", value) == value
    await client.io.emit("bounce", ("a", b"y" * 70_000, {"b": b"123"}))
    assert await client.next("bounced") == ["a", b"y" * 70_000, {"b": b"123"}]


async def events_keep_their_order() -> None:
    client = await connect()
    values = [bytes(i) if i % 4 == 0 else i for i in range(12)]  # this package reads 16 packets of an answer at most
    for value in values:
        await client.io.emit("bounce", value)
    bounced = [await client.next("bounced") for _ in values]
    if THREADS:  # which have no order
        bounced.sort(key=lambda event: event[0] if isinstance(event[0], int) else len(event[0]))
    assert bounced == [[value] for value in values]


async def the_server_asks_and_the_client_answers() -> None:
    client = await connect()

    @client.io.on("question")
    async def question(*values: object) -> str:
        return "-".join(map(str, values))

    await client.io.emit("ask", ("a", 1))
    assert await client.next("answer") == ["a-1"]


async def an_answer_that_does_not_come_times_out() -> None:
    client = await connect()
    try:
        await client.io.call("nobody hears this", timeout=0.05)
    except socketio.exceptions.TimeoutError:
        return
    raise AssertionError("an answer came")


async def rooms_are_joined_reached_and_left() -> None:
    one, two = await connect(), await connect()
    await one.ask("join", "python")
    await two.ask("join", "python")
    assert await one.ask("rooms") == ["python"]
    assert await one.ask("members", "python") == 2
    await one.io.emit("say", ("python", "hello"))
    assert await two.next("said") == ["hello"]
    await two.ask("leave", "python")
    assert await two.ask("rooms") == []
    await one.io.emit("say", ("python", "nobody"))
    await one.io.emit("bounce", "end")
    assert await one.next("bounced") == ["end"]
    await two.io.emit("bounce", "end")
    assert await two.next("bounced") == ["end"]


async def what_the_client_says_of_itself_is_known() -> None:
    client = await connect(f"{URL}?who=me", auth={"token": "abc", "deep": [1]})
    assert await client.ask("who") == {"auth": {"token": "abc", "deep": [1]}, "who": "me"}


async def namespaces_share_a_connection_and_nothing_else() -> None:
    client = await connect(namespaces=["/", "/dynamic-7"])
    assert client.io.get_sid("/") != client.io.get_sid("/dynamic-7")
    await client.ask("join", "same")
    assert await client.ask("rooms", namespace="/dynamic-7") == []
    await client.io.emit("bounce", "here", namespace="/dynamic-7")
    assert await client.next("bounced") == ["here"]


async def a_namespace_that_is_not_there_is_refused() -> None:
    client = Client()
    refused: asyncio.Queue = asyncio.Queue()

    @client.io.on("connect_error", namespace="/nowhere")
    async def connect_error(data: object) -> None:
        await refused.put(data)

    try:
        await client.io.connect(URL, transports=WAY, namespaces=["/nowhere"], wait_timeout=PATIENCE)
    except socketio.exceptions.ConnectionError:
        assert "Invalid namespace" in str(await asyncio.wait_for(refused.get(), PATIENCE))
        return
    raise AssertionError("it was connected")


async def a_middleware_refuses_with_its_data() -> None:
    client = Client()
    refused: asyncio.Queue = asyncio.Queue()

    @client.io.on("connect_error", namespace="/admin")
    async def connect_error(data: object) -> None:
        await refused.put(data)

    try:
        await client.io.connect(URL, transports=WAY, namespaces=["/admin"], auth={"token": "no"}, wait_timeout=PATIENCE)
    except socketio.exceptions.ConnectionError:
        assert await asyncio.wait_for(refused.get(), PATIENCE) == {"message": "not allowed", "data": {"code": 7}}
        return
    raise AssertionError("it was connected")


async def the_server_disconnects_the_client() -> None:
    client = await connect()
    await client.io.emit("kick", False)
    assert await client.next("disconnect") == [client.io.reason.SERVER_DISCONNECT]


SCENARIOS: list[Callable] = [
    an_event_is_acknowledged_with_its_arguments,
    binary_values_go_both_ways,
    events_keep_their_order,
    the_server_asks_and_the_client_answers,
    an_answer_that_does_not_come_times_out,
    rooms_are_joined_reached_and_left,
    what_the_client_says_of_itself_is_known,
    namespaces_share_a_connection_and_nothing_else,
    a_namespace_that_is_not_there_is_refused,
    a_middleware_refuses_with_its_data,
    the_server_disconnects_the_client,
]


async def main() -> int:
    for scenario in SCENARIOS:
        name = scenario.__name__.replace("_", " ")
        try:
            await scenario()
        except Exception:
            print(f"{name}: {traceback.format_exc()}", file=sys.stderr)
            return 1
        for client in opened:
            await client.io.disconnect()
        opened.clear()
        print(f"ok {name}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
