"""Packages of PyPI that are made for `websockets`, with `sockline` in its place: rows of docs/programs.md."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
from collections.abc import AsyncIterator, Coroutine
from types import ModuleType
from typing import Any

import msgpack
import pytest
import websockets
from redirecting import redirected

import sockline

WAIT = 20


def taken(name: str) -> Any:
    """A package that has found `sockline` where it looked for `websockets`."""
    with redirected():
        return importlib.import_module(name)


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, WAIT))


@contextlib.asynccontextmanager
async def foreign_server(handler: Any, **options: Any) -> AsyncIterator[int]:
    """A server of the real `websockets`."""
    async with websockets.serve(handler, "127.0.0.1", 0, **options) as server:
        yield list(server.sockets)[0].getsockname()[1]


# gql, by the protocol graphql-transport-ws


async def graphql(connection: Any) -> None:
    """https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md"""
    async for text in connection:
        message = json.loads(text)
        if message["type"] == "connection_init":
            await connection.send('{"type":"connection_ack"}')
        elif message["type"] == "subscribe":
            many = 3 if message["payload"]["query"].startswith("subscription") else 1
            for number in range(many):
                payload = {"data": {"number": number, "greeting": connection.request.headers["Greeting"]}}
                await connection.send(json.dumps({"type": "next", "id": message["id"], "payload": payload}))
            await connection.send(json.dumps({"type": "complete", "id": message["id"]}))


def test_gql() -> None:
    gql, transports = taken("gql"), taken("gql.transport.websockets")

    async def main() -> None:
        async with foreign_server(graphql, subprotocols=["graphql-transport-ws"]) as port:
            transport = transports.WebsocketsTransport(f"ws://127.0.0.1:{port}/graphql", headers={"Greeting": "hello"})
            async with gql.Client(transport=transport) as session:
                assert isinstance(transport.adapter.websocket, sockline.ClientConnection)
                assert await session.execute(gql.gql("{ number }")) == {"number": 0, "greeting": "hello"}
                heard = [data["number"] async for data in session.subscribe(gql.gql("subscription { number }"))]
                assert heard == [0, 1, 2]
            transport = transports.WebsocketsTransport("ws://127.0.0.1:1/graphql")
            with pytest.raises(taken("gql.transport.exceptions").TransportConnectionFailed):
                await gql.Client(transport=transport).connect_async()

    run(main())


# ocpp, which is given connections


@pytest.mark.parametrize("stations", [websockets, sockline], ids=["ours-serves", "ours-connects"])
def test_ocpp(stations: ModuleType) -> None:
    central = sockline if stations is websockets else websockets
    v201, routing = importlib.import_module("ocpp.v201"), importlib.import_module("ocpp.routing")
    call, result = v201.call, v201.call_result

    class Central(v201.ChargePoint):  # type: ignore[misc, name-defined]
        @routing.on("BootNotification")  # type: ignore[untyped-decorator]
        def boot(self, charging_station: Any, reason: str, **more: Any) -> Any:
            return result.BootNotification(current_time="2026-01-01T00:00:00Z", interval=10, status="Accepted")

    async def serve(connection: Any) -> None:
        assert connection.subprotocol == "ocpp2.0.1"
        with contextlib.suppress(central.ConnectionClosedOK):
            await Central(connection.request.path.strip("/"), connection).start()

    async def main() -> None:
        async with central.serve(serve, "127.0.0.1", 0, subprotocols=["ocpp2.0.1"]) as server:
            uri = f"ws://127.0.0.1:{list(server.sockets)[0].getsockname()[1]}/CP_1"
            async with stations.connect(uri, subprotocols=["ocpp2.0.1"]) as connection:
                station = v201.ChargePoint("CP_1", connection)
                listening = asyncio.create_task(station.start())
                asked = call.BootNotification(charging_station={"model": "M", "vendorName": "V"}, reason="PowerUp")
                answer = await station.call(asked)
                assert (answer.status, answer.interval) == ("Accepted", 10)
                listening.cancel()

    run(main())


# simpleobsws: OBS Studio, in MessagePack


async def studio(connection: Any) -> None:
    """https://github.com/obsproject/obs-websocket/blob/master/docs/generated/protocol.md"""
    await connection.send(msgpack.packb({"op": 0, "d": {"obsWebSocketVersion": "5.0.0", "rpcVersion": 1}}))
    assert msgpack.unpackb(await connection.recv())["op"] == 1
    await connection.send(msgpack.packb({"op": 2, "d": {"negotiatedRpcVersion": 1}}))
    async for data in connection:
        asked = msgpack.unpackb(data)["d"]
        answer = {"requestStatus": {"result": True, "code": 100}, "responseData": {"asked": asked["requestType"]}}
        await connection.send(msgpack.packb({"op": 7, "d": {**answer, **asked}}))
        event = {"eventType": "Noticed", "eventIntent": 1, "eventData": {"what": "a call"}}
        await connection.send(msgpack.packb({"op": 5, "d": event}))


def test_simpleobsws() -> None:
    obs = taken("simpleobsws")

    async def main() -> None:
        async with foreign_server(studio, subprotocols=["obswebsocket.msgpack"]) as port:
            client = obs.WebSocketClient(url=f"ws://127.0.0.1:{port}")
            noticed = asyncio.get_running_loop().create_future()

            async def notice(data: Any) -> None:
                noticed.set_result(data)

            client.register_event_callback(notice, "Noticed")
            assert await client.connect() and await client.wait_until_identified()
            assert isinstance(client.ws, sockline.ClientConnection)
            response = await client.call(obs.Request("GetVersion"))
            assert response.ok() and response.responseData == {"asked": "GetVersion"}
            assert await noticed == {"what": "a call"}
            assert await client.disconnect()

    run(main())


# samsungtvws: a television


def test_samsungtvws() -> None:
    remotes = taken("samsungtvws.async_remote")
    commands = taken("samsungtvws.remote")
    pressed: asyncio.Queue[Any] = asyncio.Queue()

    async def television(connection: Any) -> None:
        await connection.send(json.dumps({"event": "ms.channel.connect", "data": {"token": "12345", "clients": []}}))
        async for text in connection:
            await pressed.put((connection.request.path.partition("?")[0], json.loads(text)))

    async def main() -> None:
        async with foreign_server(television) as port:
            remote = remotes.SamsungTVWSAsyncRemote(host="127.0.0.1", port=port, key_press_delay=0)
            await remote.start_listening()
            assert isinstance(remote.connection, sockline.ClientConnection) and remote.is_alive()
            await remote.send_command(commands.SendRemoteKey.click("KEY_MUTE"))
            path, command = await pressed.get()
            assert path == "/api/v2/channels/samsung.remote.control"
            assert command["params"]["DataOfCmd"] == "KEY_MUTE"
            await remote.close()
            assert not remote.is_alive()

    run(main())


# pycrdt-websocket: documents that several edit


@pytest.mark.parametrize("editors", [websockets, sockline], ids=["ours-serves", "ours-connects"])
def test_pycrdt_websocket(editors: ModuleType) -> None:
    central = sockline if editors is websockets else websockets
    pycrdt, rooms = importlib.import_module("pycrdt"), importlib.import_module("pycrdt.websocket")

    class Channel(pycrdt.Channel):  # type: ignore[misc, name-defined]
        """What its documentation has the reader write for each kind of connection."""

        def __init__(self, connection: Any) -> None:
            self.connection = connection

        @property
        def path(self) -> str:
            path: str = self.connection.request.path
            return path

        async def __anext__(self) -> bytes:
            return bytes(await self.recv())

        async def send(self, message: bytes) -> None:
            await self.connection.send(message)

        async def recv(self) -> bytes:
            try:
                return bytes(await self.connection.recv())
            except (websockets.ConnectionClosed, sockline.ConnectionClosed):
                raise StopAsyncIteration from None

    @contextlib.asynccontextmanager
    async def editing(uri: str) -> AsyncIterator[Any]:
        document = pycrdt.Doc()
        async with editors.connect(uri) as connection, pycrdt.Provider(document, Channel(connection)):
            yield document.get("text", type=pycrdt.Text)

    async def main() -> None:
        async with rooms.WebsocketServer() as server:

            async def serve(connection: Any) -> None:
                await server.serve(Channel(connection))

            async with central.serve(serve, "127.0.0.1", 0) as listening:
                uri = f"ws://127.0.0.1:{list(listening.sockets)[0].getsockname()[1]}/room"
                async with editing(uri) as one, editing(uri) as other:
                    changed = asyncio.Event()
                    subscription = other.observe(lambda event: changed.set())
                    one += "hello"
                    await changed.wait()
                    assert str(other) == "hello"
                    other.unobserve(subscription)

    run(main())
