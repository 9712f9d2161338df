"""What servers can that python-socketio's can't: asking who may begin a session, and saying how an event is sent."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from conftest import Run
from io_peers import WAIT, echo_server, our_io
from test_socketio_threads import serving

from sockline import socketio

POLLING = "/socket.io/?EIO=4&transport=polling"


async def get(url: str, **options: Any) -> tuple[int, str, str | None]:
    """Status, body and coding."""
    async with aiohttp.ClientSession(auto_decompress=True) as session:
        async with session.get(url, timeout=aiohttp.ClientTimeout(WAIT), **options) as response:
            return response.status, await response.text(), response.headers.get("Content-Encoding")


@asynccontextmanager
async def polling(url: str) -> AsyncIterator[str]:
    """Where a client polls that is connected to the main namespace, and has heard so."""
    session = url + POLLING + "&sid=" + json.loads((await get(url + POLLING))[1][1:])["sid"]
    async with aiohttp.ClientSession() as poster:
        await (await poster.post(session, data="40")).read()
        assert (await get(session))[1].startswith("40{")
        yield session
        await (await poster.post(session, data="1")).read()


def judge(environ: dict[str, Any]) -> Any:
    """What the request's header says."""
    said = environ.get("HTTP_SAY", "nothing")
    if said == "raise":
        raise ValueError("said so")
    return {"yes": True, "no": False, "nothing": None}.get(said, said)


async def judge_later(environ: dict[str, Any]) -> Any:
    await asyncio.sleep(0.01)
    return judge(environ)


REFUSED = '{"code":4,"message":"Forbidden"}'
VERDICTS = {"no": REFUSED, "nothing": REFUSED, "raise": REFUSED, "a reason": '{"code":4,"message":"a reason"}'}


@pytest.mark.parametrize("allow_request", [judge, judge_later])
def test_requests_are_judged_now_or_later(run: Run, allow_request: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        reported: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
        async with our_io(echo_server(allow_request=allow_request, cors_allowed_origins="*")) as url:
            for said, body in VERDICTS.items():
                assert (await get(url + POLLING, headers={"Say": said}))[:2] == (403, body)
            assert (await get(url + POLLING, headers={"Say": "yes"}))[0] == 200
            client = socketio.AsyncClient()
            await client.connect(url, headers={"Say": "yes"})
            assert await client.call("echo", 1) == 1
            await client.disconnect()
        assert [type(error) for error in reported] == [ValueError]

    run(main())


def test_threads_judge_requests(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda told: raised.append(told.exc_type))

    async def main(url: str) -> None:
        for said, body in VERDICTS.items():
            assert (await get(url + POLLING, headers={"Say": said}))[:2] == (403, body)
        assert (await get(url + POLLING, headers={"Say": "yes"}))[0] == 200

    with serving(socketio.Server(allow_request=judge)) as url:
        run(main(url))
    assert raised == [ValueError]


def test_pages_of_other_origins_are_refused_before(run: Run) -> None:
    async def main() -> None:
        async with our_io(echo_server(allow_request=lambda environ: True)) as url:
            assert (await get(url + POLLING, headers={"Origin": "http://elsewhere"}))[0] == 403

    run(main())


@pytest.mark.parametrize("whom", ["one", "all"])
def test_volatile_events_are_dropped_for_who_does_not_wait(run: Run, whom: str) -> None:
    sio = echo_server()

    async def main() -> None:
        async with our_io(sio) as url, polling(url) as session:
            (client,) = [sid for sid, _ in sio.manager.get_participants("/", None)]
            to = client if whom == "one" else None
            await sio.emit("dropped", to=to, volatile=True)
            await sio.emit("kept", to=to)
            assert (await get(session))[1] == '42["kept"]'

    run(main())


@pytest.mark.parametrize("whom", ["one", "all"])
def test_events_may_be_left_uncompressed(run: Run, whom: str) -> None:
    sio = echo_server()

    async def main() -> None:
        async with our_io(sio) as url, polling(url) as session:
            (client,) = [sid for sid, _ in sio.manager.get_participants("/", None)]
            for compress, coding in ((True, "gzip"), (False, None)):
                await sio.emit("long", "x" * 2000, to=client if whom == "one" else None, compress=compress)
                _, body, coded = await get(session, headers={"Accept-Encoding": "gzip"})
                assert len(body) > 2000 and coded == coding

    run(main())


def test_namespaces_hand_on_how_an_event_is_sent(run: Run) -> None:
    sio, room = echo_server(), socketio.AsyncNamespace("/")
    sio.register_namespace(room)

    async def main() -> None:
        async with our_io(sio) as url, polling(url) as session:
            await room.emit("dropped", volatile=True)
            await room.emit("long", "x" * 2000, compress=False)
            _, body, coded = await get(session, headers={"Accept-Encoding": "gzip"})
            assert body.startswith('42["long"') and coded is None

    run(main())
