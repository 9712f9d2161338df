"""Handlers that a server steps beside their tasks, where their messages are, are as if their tasks had stepped them."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import logging
import subprocess
import sys
import threading
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from conftest import Run
from stepping import new_loop, run_any, served, until

import sockline

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")


def test_a_task_need_not_know_of_messages(run: Run) -> None:
    async def handler(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)
            if message == "something else":
                await asyncio.sleep(0)

    async def main() -> None:
        async with served(handler) as peer:
            waits_on = peer.task._fut_waiter
            assert waits_on is not None
            for _ in range(3):
                assert await peer.ask("x") == "x"
                assert peer.task._fut_waiter is waits_on
            await peer.ask("something else")
            await until(lambda: peer.task._fut_waiter not in (None, waits_on))

    run(main())


def test_the_current_task_is_the_handlers(run_any: Run) -> None:
    seen: list[Any] = []

    async def handler(connection: Any) -> None:
        async for message in connection:
            seen.append(asyncio.current_task())
            assert asyncio.current_task() in asyncio.all_tasks()
            if message == "pause":
                await asyncio.sleep(0)
                seen.append(asyncio.current_task())
            await connection.send(message)

    async def main() -> None:
        async with served(handler) as peer:
            for message in ("a", "b", "pause", "c"):
                assert await peer.ask(message) == message
            assert seen == [peer.task] * 5
            assert asyncio.current_task() is not peer.task
            peer.task.set_name("theirs")
            assert await peer.ask("d") == "d"
            assert seen[-1].get_name() == "theirs"

    run_any(main())


def test_what_is_shown_of_a_task_is_the_coroutine(run: Run) -> None:
    async def handler(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    async def main() -> None:
        async with served(handler) as peer:
            for _ in range(2):
                await peer.ask("x")
                assert "Server._handle()" in repr(peer.task)
                assert "_native.Waiter" in repr(peer.task)
                (frame,) = peer.task.get_stack()
                assert frame.f_code.co_name == "_handle"
                assert peer.task.get_coro().cr_await.cr_code is handler.__code__
        assert peer.task.done() and "Server._handle()" in repr(peer.task)

    run(main())


def test_contexts_are_those_of_the_tasks(run_any: Run) -> None:
    seen: list[tuple[str, str]] = []

    async def handler(connection: Any) -> None:
        name = await connection.recv()
        variable.set(name)
        async for message in connection:
            seen.append((name, variable.get()))
            if message == "pause":
                await asyncio.sleep(0)
                seen.append((name, variable.get()))
            await connection.send(message)

    async def main() -> None:
        async with served(handler) as first, served(handler) as second:
            await first.client.send("first")
            await second.client.send("second")
            for message in ("a", "pause", "b"):
                for peer in (first, second):
                    assert await peer.ask(message) == message
        assert variable.get() == "outside"

    run_any(main())
    assert sorted(seen) == [("first", "first")] * 4 + [("second", "second")] * 4


def test_between_messages_a_handler_waits_for_anything(run_any: Run) -> None:
    async def handler(connection: Any) -> None:
        loop = asyncio.get_running_loop()
        lock, queue = asyncio.Lock(), asyncio.Queue[str]()
        waits: list[Callable[[], Awaitable[Any]]] = [
            lambda: asyncio.sleep(0),
            lambda: asyncio.sleep(0.001),
            lambda: asyncio.create_task(asyncio.sleep(0)),
            lambda: asyncio.gather(asyncio.sleep(0), asyncio.sleep(0)),
            lambda: asyncio.to_thread(threading.get_ident),
            lambda: loop.run_in_executor(None, threading.get_ident),
            lambda: asyncio.shield(asyncio.sleep(0)),
            lambda: queue.get(),
        ]
        async for message in connection:
            async with lock:
                queue.put_nowait(message)
                await waits[int(message) % len(waits)]()
            await connection.send(message)

    async def main() -> None:
        async with served(handler) as peer:
            for number in range(24):
                assert await peer.ask(str(number)) == str(number)
            for number in range(100):
                await peer.client.send(str(number))
            for number in range(100):
                assert await peer.client.recv() == str(number)

    run_any(main())


def test_exceptions_are_logged_and_close_the_connection(run_any: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(connection: Any) -> None:
        async for _ in connection:
            raise ValueError("a handler's")

    async def main() -> None:
        async with served(handler) as peer:
            await peer.client.send("x")
            await peer.client.wait_closed()
            assert peer.client.close_code == 1011
            await asyncio.wait([peer.task])
            assert peer.task.exception() is None

    with caplog.at_level(logging.ERROR):
        run_any(main())
    assert "connection handler failed" in caplog.text and "a handler's" in caplog.text


@pytest.mark.parametrize("exception", [KeyboardInterrupt, SystemExit])
def test_what_is_for_the_whole_process_leaves_the_loop(
    new_loop: Callable[[], asyncio.AbstractEventLoop], exception: type[BaseException]
) -> None:
    tasks: list[Any] = []

    async def handler(connection: Any) -> None:
        async for _ in connection:
            tasks.append(asyncio.current_task())
            raise exception

    async def main() -> None:
        async with served(handler) as peer:
            await peer.client.send("x")
            await asyncio.sleep(20)

    with pytest.raises(exception), asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    assert isinstance(tasks[0].exception(), exception)


def test_others_may_receive_in_turn(run_any: Run) -> None:
    """The handler, a task of its own making, and a generator: each finds the connection as if it were alone."""

    async def handler(connection: Any) -> None:
        while True:
            await connection.send("itself " + await connection.recv())
            await connection.send("task " + await asyncio.create_task(connection.recv()))
            waiting = asyncio.create_task(connection.recv())
            await asyncio.sleep(0)
            with pytest.raises(sockline.ConcurrencyError):
                await connection.recv()
            await connection.send("first task " + await waiting)
            both = await asyncio.gather(connection.recv(), connection.recv(), return_exceptions=True)
            assert [type(result) for result in both] == [str, sockline.ConcurrencyError]
            parts = [part async for part in connection.recv_streaming()]
            await connection.send("parts " + "".join(parts))

    async def main() -> None:
        async with served(handler) as peer:
            for _ in range(3):
                assert await peer.ask("a") == "itself a"
                assert await peer.ask("b") == "task b"
                assert await peer.ask("c") == "first task c"
                await peer.client.send("d")
                assert await peer.ask("e") == "parts e"
            await peer.connection.close()

    run_any(main())


def test_awaitables_can_be_kept_and_used_once(run: Run) -> None:
    async def handler(connection: Any) -> None:
        first, second = connection.recv(), connection.recv()
        assert first is not second
        await connection.send("first " + await first)
        third = connection.recv()
        assert third is not first
        with pytest.raises(RuntimeError):
            await first
        await connection.send("second " + await second)
        with contextlib.suppress(RuntimeError):
            await second
        connection.recv()  # nobody awaits it
        await connection.send("third " + await third)

    async def main() -> None:
        async with served(handler) as peer:
            for name in ("first", "second", "third"):
                assert await peer.ask("x") == f"{name} x"

    run(main())


def test_a_handler_may_step_an_awaitable_by_hand(run: Run) -> None:
    async def handler(connection: Any) -> None:
        await connection.send(await connection.recv())
        receive = connection.recv()
        waiter = receive.send(None)
        woken = asyncio.get_running_loop().create_future()
        waiter.add_done_callback(woken.set_result)
        assert await woken is waiter
        with pytest.raises(StopIteration) as done:
            receive.send(None)
        await connection.send(done.value.value)
        await connection.send(await connection.recv())

    async def main() -> None:
        async with served(handler) as peer:
            for message in ("a", "b", "c"):
                assert await peer.ask(message) == message

    run(main())


def test_a_handler_that_waits_for_another_connection_is_stepped_there(run_any: Run) -> None:
    async def last(connection: Any) -> None:
        async for message in connection:
            await connection.send(f"last {message}")

    async def main() -> None:
        async with sockline.serve(last, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]

            async def relay(connection: Any) -> None:
                async with sockline.connect(f"ws://127.0.0.1:{port}", proxy=None) as further:
                    async for message in connection:
                        await further.send(message)
                        await connection.send(f"relayed {await further.recv()}")

            async with served(relay) as peer:
                for number in range(20):
                    assert await peer.ask(str(number)) == f"relayed last {number}"
                assert not peer.task.done()

    run_any(main())


def test_connections_of_other_loops_are_refused(run: Run) -> None:
    async def main() -> None:
        async with sockline.serve(lambda connection: connection.wait_closed(), "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            others: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            over = threading.Event()

            async def hold() -> None:
                async with sockline.connect(f"ws://127.0.0.1:{port}", proxy=None) as other:
                    others.get_loop().call_soon_threadsafe(others.set_result, other)
                    await asyncio.to_thread(over.wait)

            thread = threading.Thread(target=asyncio.run, args=(hold(),))
            thread.start()
            other = await others

            async def handler(connection: Any) -> None:
                async for message in connection:
                    with pytest.raises(RuntimeError, match="different loop"):
                        await other.recv()
                    await connection.send(message)

            async with served(handler) as peer:
                for _ in range(3):
                    assert await peer.ask("x") == "x"
            over.set()
            await asyncio.to_thread(thread.join)

    run(main())


def test_a_flood_lets_others_run_and_does_not_recurse(run_any: Run) -> None:
    """The handler never waits for anything but messages, of which there are always some."""
    count, payload = 10_000, b"x" * 1000

    async def handler(connection: Any) -> None:
        received = 0
        async for _ in connection:
            received += 1
            if received == count:
                await connection.send("all")

    async def main() -> None:
        ticks = 0

        def tick() -> None:
            nonlocal ticks, handle
            ticks += 1
            handle = asyncio.get_running_loop().call_soon(tick)

        async with served(handler) as peer:
            frame = bytes([0x82, 0xFE]) + len(payload).to_bytes(2) + bytes(4) + payload
            peer.client.transport.write(frame * count)
            handle = asyncio.get_running_loop().call_soon(tick)
            assert await peer.client.recv() == "all"
            handle.cancel()
        assert ticks > 5

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        run_any(main())
    finally:
        sys.setrecursionlimit(limit)


def test_what_the_handler_holds_goes_with_it(run: Run) -> None:
    class Held:
        pass

    async def main() -> None:
        held: list[weakref.ref[Held]] = []

        async def handler(connection: Any) -> None:
            local = Held()
            held.append(weakref.ref(local))
            async for message in connection:
                await connection.send(message)

        async with served(handler) as peer:
            await peer.ask("x")
            assert held[0]() is not None
            connection, task = weakref.ref(peer.connection), weakref.ref(peer.task)
        assert held[0]() is None  # without the collector
        del peer
        await asyncio.sleep(0)
        gc.collect()
        assert connection() is None and task() is None

    run(main())


def test_the_interpreter_ends_in_silence() -> None:
    program = """
import asyncio, sockline
async def echo(connection):
    async for message in connection:
        await connection.send(message)
async def main():
    server = await sockline.serve(echo, "127.0.0.1", 0)
    async with sockline.connect("ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1]) as client:
        for _ in range(3):
            await client.send("x")
            await client.recv()
        return server, client, server.handler_tasks
living = asyncio.run(main())
"""
    ran = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, timeout=30)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
