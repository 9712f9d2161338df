"""Coroutines that begin without a task of their own behave as if they had one."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from conftest import Run

from sockline.socketio._running import Runners

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def started(runners: Runners, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns that is run as the engine does, from a callback of the loop's."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_soon(runners.run, coroutine, done.set_result)
    return await asyncio.wait_for(done, 20)


def in_a_loop(run: Run, main: Callable[[Runners], Coroutine[Any, Any, None]]) -> list[Any]:
    """Runs it, and gives the exceptions that were reported."""
    reported: list[Any] = []

    async def with_runners() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
        await main(Runners())

    run(with_runners())
    return reported


def test_what_does_not_wait_is_done_at_once(run: Run) -> None:
    async def main(runners: Runners) -> None:
        async def quick(value: int) -> int:
            return value

        results: list[int] = []

        def engine() -> None:
            for value in range(3):
                runners.run(quick(value), results.append)
            assert results == [0, 1, 2]

        asyncio.get_running_loop().call_soon(engine)
        await asyncio.sleep(0)
        assert results == [0, 1, 2]
        assert len(asyncio.all_tasks()) == 2  # this one and an idle one

    assert in_a_loop(run, main) == []


def test_the_current_task_stays_the_same(run: Run) -> None:
    async def main(runners: Runners) -> None:
        async def handler() -> set[Any]:
            tasks = {asyncio.current_task()}
            for _ in range(3):
                await asyncio.sleep(0)
                tasks.add(asyncio.current_task())
            await asyncio.sleep(0.001)
            tasks.add(asyncio.current_task())
            return tasks

        first, second = await asyncio.gather(started(runners, handler()), started(runners, handler()))
        assert len(first) == len(second) == 1 and first != second and None not in first | second
        assert asyncio.current_task() not in first | second

    assert in_a_loop(run, main) == []


def test_timeouts_expire_and_may_be_too_short_for_the_first_step(run: Run) -> None:
    async def main(runners: Runners) -> None:
        async def handler(seconds: float) -> str:
            try:
                async with asyncio.timeout(seconds):
                    await asyncio.sleep(20)
            except TimeoutError:
                await asyncio.sleep(0)
                task = asyncio.current_task()
                assert task is not None and task.cancelling() == 0
                return "in time"
            return "too late"

        for seconds in (0, 0.001, 0.01):
            assert await started(runners, handler(seconds)) == "in time"

    assert in_a_loop(run, main) == []


def test_contexts_are_separate(run: Run) -> None:
    async def main(runners: Runners) -> None:
        async def quick(name: str) -> str:
            before = variable.get()
            variable.set(name)
            return before

        async def slow(name: str) -> list[str]:
            seen = [variable.get()]
            variable.set(name)
            for _ in range(2):
                await asyncio.sleep(0)
                seen.append(variable.get())
            return seen

        assert [await started(runners, quick(name)) for name in "ab"] == ["unset", "unset"]
        both = await asyncio.gather(started(runners, slow("c")), started(runners, slow("d")))
        assert both == [["unset", "c", "c"], ["unset", "d", "d"]]
        assert variable.get() == "unset"

    assert in_a_loop(run, main) == []


def test_exceptions_are_reported_and_others_run_on(run: Run) -> None:
    async def main(runners: Runners) -> None:
        async def fail(waits: bool) -> None:
            if waits:
                await asyncio.sleep(0)
            raise RuntimeError(f"waits: {waits}")

        async def fine() -> str:
            return "fine"

        for waits in (False, True):
            asyncio.get_running_loop().call_soon(runners.run, fail(waits))
        await asyncio.sleep(0.01)
        assert await started(runners, fine()) == "fine"
        assert not runners._busy

    assert [str(error) for error in in_a_loop(run, main)] == ["waits: False", "waits: True"]


def test_cancelling_reaches_the_coroutine_and_no_other(run: Run) -> None:
    async def main(runners: Runners) -> None:
        cancelled: list[str] = []

        async def cancel_itself(waits: bool) -> None:
            task = asyncio.current_task()
            assert task is not None
            if waits:
                await asyncio.sleep(0)
            task.cancel()
            if waits:
                try:
                    await asyncio.sleep(20)
                except asyncio.CancelledError:
                    cancelled.append("later")
                    raise

        async def fine() -> str:
            await asyncio.sleep(0)
            return "fine"

        for waits in (False, True):
            asyncio.get_running_loop().call_soon(runners.run, cancel_itself(waits))
        await asyncio.sleep(0.01)
        assert cancelled == ["later"]
        assert await started(runners, fine()) == "fine"
        assert not runners._busy

    assert in_a_loop(run, main) == []


def test_tools_of_asyncio_work_within(run: Run) -> None:
    async def main(runners: Runners) -> None:
        async def handler() -> list[Any]:
            results: list[Any] = [await asyncio.wait_for(asyncio.sleep(0, "slept"), 20)]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(asyncio.sleep(0, value)) for value in range(3)]
            results += [task.result() for task in tasks]
            results += await asyncio.gather(asyncio.sleep(0, "a"), asyncio.sleep(0.001, "b"))
            lock = asyncio.Lock()
            async with lock:
                results.append(await asyncio.to_thread(lambda: "thread"))
            return results

        expected = ["slept", 0, 1, 2, "a", "b", "thread"]
        results = await asyncio.gather(*(started(runners, handler()) for _ in range(3)))
        assert results == [expected] * 3
        from_a_task = asyncio.get_running_loop().create_future()
        runners.run(handler(), from_a_task.set_result)
        assert await from_a_task == expected

    assert in_a_loop(run, main) == []


@pytest.mark.filterwarnings("error")
def test_a_loop_that_is_just_closed_says_nothing_of_idle_tasks(caplog: pytest.LogCaptureFixture) -> None:
    async def quick() -> None:
        pass

    loop = asyncio.new_event_loop()
    runners = Runners()
    loop.call_soon(runners.run, quick())
    loop.call_soon(loop.call_soon, loop.stop)
    loop.run_forever()
    loop.close()
    del runners, loop
    gc.collect()
    said = [record for record in caplog.records if record.name == "asyncio"]  # others' threads may log meanwhile
    assert said == []
