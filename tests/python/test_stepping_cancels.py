"""Cancels and timeouts reach handlers that a server steps beside their tasks, and lose no message."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from conftest import Run
from stepping import new_loop, run_any, served

import sockline


def test_a_cancel_reaches_the_handler_and_loses_no_message(run_any: Run) -> None:
    cancels: list[Any] = []

    async def handler(connection: Any) -> None:
        while True:
            try:
                await connection.send(await connection.recv())
            except asyncio.CancelledError as cancel:
                cancels.append(cancel.args)
                task = asyncio.current_task()
                assert task is not None
                cancels.append(task.cancelling())
                task.uncancel()

    async def main() -> None:
        async with served(handler) as peer:
            assert await peer.ask("before") == "before"
            peer.task.cancel("why")
            assert await peer.ask("after") == "after"
            assert cancels == [("why",), 1]
            # The message comes before the cancel is heard of, or after.
            await peer.client.send("between")
            peer.task.cancel()
            assert await peer.client.recv() == "between"
            for number in range(50):
                await peer.client.send(str(number))
                if number % 2:
                    await asyncio.sleep(0)
                peer.task.cancel()
                assert await peer.client.recv() == str(number)
            with contextlib.suppress(sockline.ConnectionClosed):
                await peer.connection.close()

    run_any(main())


def test_a_cancel_without_a_catch_ends_the_handler(run_any: Run) -> None:
    async def handler(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    async def main() -> None:
        async with served(handler) as peer:
            await peer.ask("x")
            peer.task.cancel()
            await asyncio.wait([peer.task])
            assert peer.task.cancelled()
            await peer.client.wait_closed()
            assert peer.client.close_code == 1011

    run_any(main())


# What a handler does that has cancelled its own task while it handles a message, and how its task ends.
THEN: dict[str, tuple[Callable[[Any], Awaitable[Any]], str]] = {
    "wait for a message": (lambda connection: connection.recv(), "cancelled"),
    "wait for the loop": (lambda _: asyncio.sleep(0), "cancelled"),
    "wait for a while": (lambda _: asyncio.sleep(20), "cancelled"),
    "wait for another task": (lambda _: asyncio.create_task(asyncio.sleep(20)), "cancelled"),
    "wait for several": (lambda _: asyncio.gather(asyncio.sleep(20), asyncio.sleep(20)), "cancelled"),
    "wait for what is done": (lambda connection: connection.send("done"), "ends"),
}


@pytest.mark.parametrize("then", THEN)
def test_a_handler_can_cancel_itself(run_any: Run, then: str) -> None:
    act, expected = THEN[then]
    children: list[asyncio.Task[Any]] = []
    outcomes: list[str] = []

    async def handler(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)
            if message != "cancel":
                continue
            task = asyncio.current_task()
            assert task is not None
            task.cancel("itself")
            awaitable = act(connection)
            if isinstance(awaitable, asyncio.Task):
                children.append(awaitable)
            try:
                await awaitable
                outcomes.append("ends")
            except asyncio.CancelledError:
                outcomes.append("cancelled")
                assert task.cancelling() == 1
                task.uncancel()
            else:
                with pytest.raises(asyncio.CancelledError):  # it comes with the next wait
                    await asyncio.sleep(0)
                task.uncancel()

    async def main() -> None:
        async with served(handler) as peer:
            for _ in range(2):
                assert await peer.ask("before") == "before"
                assert await peer.ask("cancel") == "cancel"
                while expected == "ends" and not await peer.client.recv() == "done":
                    pass
            assert await peer.ask("after") == "after"
        assert outcomes == [expected] * 2
        assert all(child.cancelled() for child in children)

    run_any(main())


def test_a_handler_that_cancels_itself_and_returns_is_cancelled(run_any: Run) -> None:
    async def main() -> None:
        inner: list[str] = []

        async def handler(connection: Any) -> None:
            await connection.recv()
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            try:
                await connection.wait_closed()
            except asyncio.CancelledError:
                inner.append("cancelled")
                raise

        async with served(handler) as peer:
            await peer.client.send("x")
            await asyncio.wait([peer.task])
            assert peer.task.cancelled() and inner == ["cancelled"]

    run_any(main())


def test_a_cancel_just_before_the_end_counts(run_any: Run) -> None:
    async def handler(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()  # and nothing is waited for after it

    async def main() -> None:
        async with served(handler) as peer:
            await peer.ask("x")
            await peer.client.close()
            await asyncio.wait([peer.task])
            assert peer.task.cancelled()

    run_any(main())


def test_timeouts_are_kept(run_any: Run) -> None:
    async def handler(connection: Any) -> None:
        for seconds in (0, 0.01):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(seconds):
                    await connection.recv()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(connection.recv(), seconds)
        await connection.send("late")
        async with asyncio.timeout(20):
            await connection.send(await connection.recv())
            await connection.send(await asyncio.wait_for(connection.recv(), 20))
        task = asyncio.current_task()
        assert task is not None and task.cancelling() == 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):  # it expires in the middle of messages
                async for message in connection:
                    await connection.send(message)
        await connection.send("over")

    async def main() -> None:
        async with served(handler) as peer:
            assert await peer.client.recv() == "late"
            assert await peer.ask("a") == "a"
            assert await peer.ask("b") == "b"
            answer = None
            while answer != "over":
                answer = await peer.ask("c")
            assert answer == "over"

    run_any(main())


def test_groups_cancel_a_handler_that_receives(run_any: Run) -> None:
    async def fail(after: asyncio.Event) -> None:
        await after.wait()
        raise ValueError("a child's")

    async def handler(connection: Any) -> None:
        event = asyncio.Event()
        await connection.recv()
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail(event))
                async for message in connection:
                    await connection.send(message)
                    if message == "fail":
                        event.set()
        assert isinstance(caught.value.exceptions[0], ValueError)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(0, number)) for number in range(3)]
            await connection.send(await connection.recv())
        await connection.send(str([task.result() for task in tasks]))

    async def main() -> None:
        async with served(handler) as peer:
            await peer.client.send("begin")
            assert await peer.ask("x") == "x"
            assert await peer.ask("fail") == "fail"
            assert await peer.ask("y") == "y"
            assert await peer.client.recv() == "[0, 1, 2]"

    run_any(main())
