"""Events that the engine hands to their handlers by itself: neither they nor their answers may differ from those that take the
way through Python, nor values from those of `json`."""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import enum
import json
import logging
import random
import traceback
from collections import namedtuple
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import websockets
from conftest import Run
from io_peers import WAIT, Recorder, our_io

from sockline import socketio

Frames = list[str | bytes]


class Raw:
    """A client that writes its packets by hand."""

    def __init__(self, ws: websockets.ClientConnection, namespace: str) -> None:
        self.ws = ws
        self.prefix = "" if namespace == "/" else f"{namespace},"

    async def frame(self) -> str | bytes:
        return await asyncio.wait_for(self.ws.recv(), WAIT)

    async def send(self, *arrays: str) -> None:
        """Events, the first of which is number 0."""
        for number, array in enumerate(arrays):
            await self.ws.send(f"42{self.prefix}{number}{array}")

    async def ask(self, *arrays: str) -> Frames:
        """What comes before the answer to one more event, whose handler is :func:`mark`'s."""
        await self.send(*arrays, '["mark"]')
        frames: Frames = []
        while (frame := await self.frame()) != f'43{self.prefix}{len(arrays)}["marked"]':
            frames.append(frame)
        return frames


@asynccontextmanager
async def raw_client(url: str, namespace: str = "/") -> AsyncIterator[Raw]:
    target = f"ws{url.removeprefix('http')}/socket.io/?EIO=4&transport=websocket"
    async with websockets.connect(target, max_size=None) as ws:
        client = Raw(ws, namespace)
        assert str(await client.frame()).startswith("0{")
        await ws.send(f"40{client.prefix}")
        assert str(await client.frame()).startswith(f"40{client.prefix}{{")
        yield client


class Watched(socketio.AsyncServer):
    """Knows which events the engine has left to it."""

    reserved_events = [*socketio.AsyncServer.reserved_events, "reserved"]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.left: list[str] = []

        @self.event
        def mark(sid: str, *values: Any) -> str:
            return "marked"

    def _event(self, namespace: str, sid: str, data: list[Any], ack: Any) -> None:
        self.left.append(data[0])
        super()._event(namespace, sid, data, ack)


STRINGS = [
    '""', '"a"', '"a small string"', '"grüße 🎉"', '"\\u00e9\\n\\t\\"\\\\\\/\\b\\f\\r"', '"\\ud83c\\udf89"', '"\\ud800"', '"x\\udfff"', '"\\ufffd"',
    '"\ufffd"', '"\\u0000"', '"\x7f\u2028"', '"_placeholder"', f'"{"x" * 200}"', '"7"', '"0123456789012345678901234567890123456789"',
]  # fmt: skip
NUMBERS = [
    "0", "-0", "-0.0", "1", "-1", "123456789012345678", "-12345678901234567", "1234567890123456789", "9223372036854775807",
    "9223372036854775808", "18446744073709551616", "-9223372036854775809", "1" * 40, "0.1", "1.0", "-1.5e-7", "1e5", "1E+5", "5e-324",
    "2.2250738585072014e-308", "1.7976931348623157e308", "1e999", "-1e999", "0.30000000000000004", "123456789.123456789e-20", "1e-400",
    "9007199254740993.0", "100000000000000000000000.5",
]  # fmt: skip
WORDS = ["true", "false", "null"]


def text(dice: random.Random, depth: int) -> str:
    """Some JSON value."""
    kind = dice.randrange(8 if depth else 5)
    if kind < 2:
        return dice.choice(STRINGS)
    if kind < 4:
        return dice.choice(NUMBERS) if dice.random() < 0.5 else repr(dice.choice([dice.uniform(-1, 1), dice.gauss(0, 10.0 ** dice.randrange(-30, 30))]))
    if kind == 4:
        return dice.choice(WORDS)
    space = dice.choice(["", "", " ", "\n\t"])
    values = [text(dice, depth - 1) for _ in range(dice.randrange(5))]
    if kind == 5:
        return f"[{space}{f'{space},'.join(values)}{space}]"
    members = [f"{dice.choice(STRINGS)}{space}:{space}{value}" for value in values]
    return f"{{{space}{f',{space}'.join(members)}}}"


def texts() -> list[str]:
    dice = random.Random(42)
    nested = ["[" * depth + "]" * depth for depth in (30, 31, 32, 33, 34, 300)]
    objects = ['{"a":' * depth + "1" + "}" * depth for depth in (30, 31, 32, 33, 34, 300)]
    long = [f'"{"x" * length}"' for length in range(230, 260)] + [f"[{'1,' * 600}1]"]
    twice = ['{"a":1,"b":2,"a":3}', '{"a":1,"\\u0061":2}', '{"":{"":0},"":1}']
    return [*STRINGS, *NUMBERS, *WORDS, *nested, *objects, *long, *twice, *(text(dice, 4) for _ in range(1500))]


def exactly(value: Any) -> str:
    """Tells 1 from 1.0 and True, 0.0 from -0.0, and one order of members from another."""
    return ascii(value)


def test_values_are_those_of_json(run: Run) -> None:
    sio = Watched()
    got: list[Any] = []
    parsed: list[Any] = []

    def watched(parse: Any) -> Any:
        return lambda data: parsed.append(data) or parse(data)

    codec = sio._codec
    codec.loads, codec.exact_loads = watched(codec.loads), watched(codec.exact_loads)

    @sio.event
    def e(sid: str, *values: Any) -> None:
        got.append(values)

    async def main() -> None:
        async with our_io(sio) as url, raw_client(url) as client:
            all_texts = texts()
            assert await client.ask(*(f'["e",{one}]' for one in all_texts)) == [f"43{number}[]" for number in range(len(all_texts))]
            for one, values in zip(all_texts, got, strict=True):
                assert exactly(values) == exactly((json.loads(one),)), one
            assert not sio.left
            assert 0 < len(parsed) < len(all_texts) / 2, "most are the engine's own to read, not all"
            got.clear()
            await client.ask('["e"]', ' [ "e" , 1 , "two" , [ 3 ] ] ', f'["e",{",".join("12345678")}]')
            assert got == [(), (1, "two", [3]), (1, 2, 3, 4, 5, 6, 7, 8)]
            got.clear()
            await client.ask('["e",1,"\\ud800"]', f'["e",1,{2**64}]', '["e",[1],[1e999,2]]')
            assert got == [(1, "\ud800"), (1, 2**64), ([1], [float("inf"), 2])], "nothing twice where the engine gives up"

    run(main())


def test_a_handler_gets_the_sid_of_each_client(run: Run) -> None:
    """Also of more clients than there are places for strings that come again."""
    sio = Watched()

    @sio.event
    def e(sid: str) -> str:
        return sid

    async def main() -> None:
        async with our_io(sio) as url:
            target = f"ws{url.removeprefix('http')}/socket.io/?EIO=4&transport=websocket"
            connections = [await websockets.connect(target) for _ in range(300)]
            for _ in range(3):
                for ws in connections:
                    await ws.send("40" if _ == 0 else '420["e"]')
            for ws in connections:
                assert str(await ws.recv()).startswith("0{")
                sid = json.loads(str(await ws.recv())[2:])["sid"]
                assert [await ws.recv(), await ws.recv()] == [f'430["{sid}"]'] * 2
            assert not sio.left
            await asyncio.gather(*(ws.close() for ws in connections))

    run(main())


class Name(str):
    pass


class Number(enum.IntEnum):
    ONE = 1


class Point(namedtuple("Point", "x y")):
    pass


def deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


ROUND: list[Any] = [1, "a"]
ROUND.append(ROUND)
ANSWERS: list[Any] = [
    None, (), (None,), [], {}, (1, "two", [3, {"four": 4.5}]), "grüße 🎉", "".join(map(chr, range(300))), '"\\/', "\ud800", "x" * 2000,
    True, False, (True, False, None), 0, -1, 2**53, 2**63 - 1, -(2**63), 2**63, 2**64, -(2**63) - 1, 10**40, 0.0, -0.0, 0.1, 1.0, 1e15, 1e16, 1e17, 1e21,
    1e22, 1e-4, 1e-5, 1e-6, 1e-7, 5e-324, 1.7976931348623157e308, 123456789012345680.0, float("nan"), float("inf"), float("-inf"), [float("nan")],
    {"a": 1, "b": [2, (3, [])], "c": {"": None}}, {1: "a", None: "b", True: "c"}, {"\ud800": 1}, b"", b"\0\xff", (b"1", {"a": [b"2"]}, 3),
    bytearray(b"3"), memoryview(b"4"), Name("named"), {Name("named"): 1}, Number.ONE, [Number.ONE], Point(1, 2), [Point(1, 2)],
    datetime.date(2026, 11, 26), deep(30), deep(31), deep(32), deep(33), deep(200), {1, 2}, object(), ROUND, {"round": ROUND},
]  # fmt: skip


@pytest.mark.parametrize("is_coroutine", [False, True], ids=["function", "coroutine"])
def test_answers_are_those_that_python_would_have_sent(run: Run, is_coroutine: bool) -> None:
    dice = random.Random(42)
    floats = [dice.choice([dice.uniform(-1, 1), dice.gauss(0, 10.0 ** dice.randrange(-300, 300))]) for _ in range(2000)]
    answers = [*ANSWERS, *floats, *(json.loads(one) for one in texts())]

    async def sent_by(**options: Any) -> tuple[list[Any], list[str], int]:
        sio = Watched(**options)
        reported: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(ascii(context["exception"])[:60]))

        def give(sid: str, number: int) -> Any:
            return answers[number]

        async def give_later(sid: str, number: int) -> Any:
            return answers[number]

        sio.on("give", give_later if is_coroutine else give)
        async with our_io(sio) as url, raw_client(url) as client:
            frames = await client.ask(*(f'["give",{number}]' for number in range(len(answers))))
        return frames, reported, len(sio.left)

    async def main() -> None:
        direct, reported, left = await sent_by()
        through_python, reported_there, left_there = await sent_by(async_handlers=False)
        assert (left, left_there) == (0, len(answers) + 1)
        assert reported == reported_there
        assert len(reported) == 4, "what can't be sent"
        for one, other in zip(direct, through_python, strict=True):
            assert one == other

    run(main())


def test_what_is_not_usual_is_left_to_python(run: Run) -> None:
    sio = Watched(namespaces=["/", "/objects", "/others"])
    heard: list[Any] = []

    @sio.event
    def e(sid: str, *values: Any) -> None:
        heard.append(("e", *values))

    @sio.event
    def reserved(sid: str, *values: Any) -> None:
        heard.append("what only the server itself says")

    @sio.on("e\ufffd")
    def replaced(sid: str, *values: Any) -> None:
        heard.append("what stands for half a surrogate pair")

    @sio.on("*")
    def any_other(event: str, sid: str, *values: Any) -> str:
        heard.append(("*", event, *values))
        return "any"

    class Objects(socketio.AsyncNamespace):
        def on_e(self, sid: str, *values: Any) -> None:
            heard.append(("object", *values))

        def on_mark(self, sid: str) -> str:
            return "marked"

    sio.register_namespace(Objects("/objects"))

    async def main() -> None:
        async with our_io(sio) as url, raw_client(url) as client:

            async def left(*arrays: str) -> tuple[list[str], list[Any]]:
                sio.left.clear()
                heard.clear()
                await client.ask(*arrays)
                return [name for name in sio.left if name != "mark"], list(heard)

            assert await left('["e",1]') == ([], [("e", 1)])
            assert await left('["\\u0065",1]') == ([], [("e", 1)])
            assert await left('["other",1]') == (["other"], [("*", "other", 1)])
            assert await left('["reserved",1]') == (["reserved"], [])
            assert await left("[5,1]") == ([5], [("*", 5, 1)])
            for name, said in [('"\\ufffd"', "\ufffd"), ('"e\\ud800"', "e\ud800"), ('"\\udc00e"', "\udc00e")]:
                assert await left(f"[{name},1]") == ([said], [("*", said, 1)])
            sio.left.clear()
            heard.clear()
            await client.ws.send('452-["e",{"_placeholder":true,"num":1},[{"_placeholder":true,"num":0}]]')
            await client.ws.send(b"\0\1")
            await client.ws.send(b"")
            assert await client.ask() == []
            assert (sio.left, heard) == ([], [("e", b"", [b"\0\1"])])

            sio.on("other", lambda sid, value: heard.append(("new", value)))
            assert await left('["other",2]') == ([], [("new", 2)])
            del sio.handlers["/"]["other"]
            assert await left('["other",3]') == (["other"], [("*", "other", 3)])
            before, sio.handlers = sio.handlers, {"/": {"mark": lambda sid: "marked", "e": lambda sid: heard.append("replaced")}}
            assert await left('["e"]') == ([], ["replaced"])
            sio.handlers = before

            sio.async_handlers = False
            assert await left('["e",4]') == (["e"], [("e", 4)])
            sio.async_handlers = True
            assert await left('["e",5]') == ([], [("e", 5)])
            async with raw_client(url, "/objects") as other:
                sio.left.clear()
                heard.clear()
                assert await other.ask('["e",6]') == ["43/objects,0[]"]
                assert (sio.left, heard) == (["e", "mark"], [("object", 6)])

    run(main())


def test_a_logger_that_takes_lines_gets_one_for_each_event(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("test_socketio_direct")
    sio = Watched(logger=logger)

    @sio.event
    def e(sid: str, value: int) -> None:
        if value == 2:
            logger.setLevel(logging.INFO)
        if value == 4:
            logging.disable(logging.INFO)

    async def main() -> None:
        async with our_io(sio) as url, raw_client(url) as client:
            await client.ask(*(f'["e",{value}]' for value in range(8)))
            lines = [record.getMessage() for record in caplog.records]
            assert [line.split()[2] for line in lines if line.startswith("received")] == ['"e"'] * 2
            # The first one after a change has the logger asked, and so have those that it takes lines of.
            assert sio.left == ["e"] * 3

    logger.setLevel(logging.WARNING)
    try:
        run(main())
    finally:
        logging.disable(logging.NOTSET)


def test_with_json_of_the_applications_own_nothing_is_read_or_written_without_it(run: Run) -> None:
    class Module:
        calls: list[str] = []

        def dumps(self, value: Any, **options: Any) -> str:
            self.calls.append("dumps")
            return json.dumps(value, **options)

        def loads(self, text: str, **options: Any) -> Any:
            self.calls.append("loads")
            return json.loads(text, **options)

    sio = Watched(json=Module())

    @sio.event
    def e(sid: str, value: int) -> int:
        return value

    async def main() -> None:
        async with our_io(sio) as url, raw_client(url) as client:
            Module.calls.clear()
            assert await client.ask('["e",1]') == ["430[1]"]
            assert Module.calls == ["loads", "dumps"] * 2

    run(main())


def test_what_handlers_raise_is_reported_with_its_place(run: Run) -> None:
    sio = Watched()

    @sio.event
    def function(sid: str) -> None:
        raise ValueError("of the function")

    @sio.event
    async def coroutine(sid: str) -> None:
        raise ValueError("of the coroutine")

    @sio.event
    async def cancelled(sid: str) -> None:
        raise asyncio.CancelledError

    async def main() -> None:
        reported: list[BaseException] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
        async with our_io(sio) as url, raw_client(url) as client:
            names = ["function", "coroutine", "cancelled"]
            assert await client.ask(*(f'["{name}"]' for name in names), '["function",1]') == []
        assert [str(error) for error in reported][:2] == ["of the function", "of the coroutine"]
        assert isinstance(reported[2], TypeError)
        for error, name in zip(reported[:2], names):
            assert traceback.extract_tb(error.__traceback__)[-1].name == name
        assert not sio.left

    run(main())


def test_coroutines_have_a_task_and_a_context_of_their_own(run: Run) -> None:
    sio = Watched()
    variable = contextvars.ContextVar("variable", default=0)
    heard = Recorder()
    tasks: dict[int, Any] = {}

    @sio.event
    async def e(sid: str, number: int, waits: bool) -> Any:
        assert variable.get() == 0
        variable.set(number)
        task = tasks[number] = asyncio.current_task()
        assert task is not None
        if waits:
            async with asyncio.timeout(WAIT):
                await asyncio.sleep(0)
            assert asyncio.current_task() is task
        assert variable.get() == number
        return number

    @sio.event
    async def cancels(sid: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    @sio.event
    async def waits(sid: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel)
        try:
            await asyncio.sleep(WAIT)
        finally:
            heard.note("cancelled")

    async def main() -> None:
        async with our_io(sio) as url, raw_client(url) as client:
            await client.send(*(f'["e",{number},{json.dumps(number % 3 == 0)}]' for number in range(30)))
            frames = sorted([await client.frame() for _ in range(30)])
            assert frames == sorted(f"43{number}[{number}]" for number in range(30))
            waiting = [tasks[number] for number in range(0, 30, 3)]
            assert len(set(waiting)) == 10
            assert await client.ask('["cancels"]', '["e",1,false]', '["e",3,true]') == ["430[]", "431[1]"]
            assert await client.frame() == "432[3]"
            assert await client.ask('["waits"]') == []
            assert await heard.next() == ("cancelled",)
            assert asyncio.current_task() is not None
            assert not sio.left
            assert variable.get() == 0

    run(main())


def test_a_coroutine_gets_another_task_where_one_is_the_current_task(run: Run) -> None:
    sio = Watched()
    tasks: list[Any] = []

    @sio.event
    async def e(sid: str, value: int) -> int:
        tasks.append(asyncio.current_task())
        return value

    async def main() -> None:
        loop = asyncio.get_running_loop()
        reported: list[Any] = []
        loop.set_exception_handler(lambda _, context: reported.append(context))
        current = asyncio.create_task(asyncio.sleep(WAIT))
        sio.on("enter", lambda sid: asyncio._enter_task(loop, current))
        sio.on("leave", lambda sid: asyncio._leave_task(loop, current))
        async with our_io(sio) as url, aiohttp.ClientSession() as http:
            target = f"{url}/socket.io/?EIO=4&transport=polling"

            async def get() -> str:
                async with http.get(target) as answer:
                    return await answer.text()

            async def post(*packets: str) -> None:
                async with http.post(target, data="\x1e".join(packets)) as answer:
                    assert answer.status == 200

            target += f"&sid={json.loads((await get())[1:])['sid']}"
            await post("40")
            assert (await get()).startswith("40{")
            # The engine hands on what is in one request without a turn of asyncio's in between.
            await post('420["e",0]', '42["enter"]', '421["e",1]', '42["leave"]', '422["e",2]')
            answers = ""
            async with asyncio.timeout(WAIT):
                while "431" not in answers:
                    answers += await get() + "\x1e"
            assert answers.split("\x1e")[:-1] == ["430[0]", "432[2]", "431[1]"]
        first, last, second = tasks
        assert first is last and len({first, second, current}) == 3 and None not in tasks
        assert not sio.left and not reported
        current.cancel()

    run(main())
