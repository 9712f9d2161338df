"""Packets of an application's own class."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import logging
import threading
import zlib
from datetime import UTC, date, datetime
from typing import Any

import msgpack
import pytest
import socketio as foreign
from conftest import Run
from io_peers import TRANSPORTS, WAIT, Recorder, foreign_client, foreign_io, our_io, until
from socketio.packet import Packet as ForeignPacket
from test_socketio_client import connected
from test_socketio_threads import connected as thread_client
from test_socketio_threads import serving

from sockline import socketio
from sockline.socketio.exceptions import ConnectionError, ConnectionRefusedError
from sockline.socketio.msgpack_packet import MsgPackPacket
from sockline.socketio.packet import BINARY_EVENT, EVENT, Packet


class Shouting(ForeignPacket):
    """The default's messages, with a mark of its own: attachments are messages of their own."""

    def encode(self) -> Any:
        encoded = super().encode()
        return ["!" + encoded[0], *encoded[1:]] if isinstance(encoded, list) else "!" + encoded

    def decode(self, encoded_packet: Any) -> int:
        assert encoded_packet[0] == "!"
        return super().decode(encoded_packet[1:])  # type: ignore[no-any-return]


class Mixed(Packet):
    """One message: text if it has no id, else binary. Text that is JSON as a whole python-engineio would read itself."""

    uses_binary_events = False

    def encode(self) -> Any:
        text = json.dumps(self.to_dict(), default=lambda data: {"$": base64.b64encode(data).decode()})
        return "=" + text if self.id is None else zlib.compress(text.encode())

    def decode(self, encoded_packet: Any) -> None:
        text = encoded_packet[1:] if isinstance(encoded_packet, str) else zlib.decompress(encoded_packet)
        read = json.loads(text, object_hook=lambda value: base64.b64decode(value["$"]) if "$" in value else value)
        self.packet_type, self.data, self.namespace, self.id = read["type"], read["data"], read["nsp"], read.get("id")


def to_ext(value: Any) -> msgpack.ExtType:
    return msgpack.ExtType(1, value.isoformat().encode())


Dated = MsgPackPacket.configure(to_ext, lambda code, data: datetime.fromisoformat(data.decode()))
"""Binary messages, with values that JSON does not have."""

CLASSES = pytest.mark.parametrize("serializer", [Shouting, Mixed, Dated], ids=lambda made: made.__name__)

VALUES = [1, "grüße", {"a": [b"binary", {"b": b""}]}, None, b"more"]
DATE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def serving_class(kind: str, serializer: Any, recorder: Recorder) -> Any:
    options: Any = {"serializer": serializer, "namespaces": "*"}
    sio: Any = foreign.AsyncServer(async_mode="aiohttp", **options) if kind == "foreign" else socketio.AsyncServer(**options)

    for namespace in ("/", "/chat"):

        async def connect(sid: str, environ: Any, auth: Any, namespace: str = namespace) -> None:
            recorder.note("connect", namespace, auth)
            if auth == {"who": "nobody"}:
                raise ConnectionRefusedError("nobody")

        async def echo(sid: str, *values: Any) -> Any:
            return values

        async def ask_me(sid: str, *values: Any, namespace: str = namespace) -> None:
            def answered(*answer: Any) -> None:
                recorder.note("answered", *answer)

            await sio.emit("question", values, to=sid, namespace=namespace, callback=answered)

        async def tell_all(sid: str, *values: Any, namespace: str = namespace) -> None:
            await sio.emit("told", values, namespace=namespace)

        sio.on("connect", connect, namespace)
        sio.on("echo", echo, namespace)
        sio.on("ask me", ask_me, namespace)
        sio.on("tell all", tell_all, namespace)
    return sio


@CLASSES
@TRANSPORTS
@pytest.mark.parametrize("sides", ["ours-foreign", "foreign-ours", "ours-ours"])
def test_both_sides_speak_it(run: Run, serializer: Any, transports: Any, sides: str) -> None:
    of_server, of_client = sides.split("-")
    recorder = Recorder()
    sio = serving_class(of_server, serializer, recorder)
    values: list[Any] = [*VALUES, DATE] if serializer is Dated else VALUES

    async def main() -> None:
        options: Any = {"serializer": serializer, "transports": transports, "auth": {"who": "me"}, "namespaces": ["/", "/chat"]}
        peer = foreign_client if of_client == "foreign" else connected
        async with our_io(sio) if of_server == "ours" else foreign_io(sio) as url, peer(url, **options) as client:
            client.on("question", lambda *values: values, namespace="/chat")
            assert {(await recorder.next())[1:] == (name, {"who": "me"}) for name in ("/", "/chat")}
            for namespace in ("/", "/chat"):
                assert await client.call("echo", tuple(values), namespace=namespace, timeout=WAIT) == tuple(values)
                assert await client.call("echo", timeout=WAIT, namespace=namespace) is None
                await client.emit("tell all", tuple(values), namespace=namespace)
                assert await client.recorder.next() == ("told", *values)
            await client.emit("ask me", tuple(values), namespace="/chat")
            assert await recorder.next() == ("answered", *values)

    run(main())


@CLASSES
def test_refusals_are_told(run: Run, serializer: Any) -> None:
    sio = serving_class("ours", serializer, Recorder())

    async def main() -> None:
        async with our_io(sio) as url:
            client = socketio.AsyncClient(serializer=serializer, reconnection=False)
            refusals = Recorder()
            client.on("connect_error", lambda data: refusals.note(data))
            with pytest.raises(ConnectionError):
                await client.connect(url, auth={"who": "nobody"}, wait_timeout=WAIT)
            assert (await refusals.next())[0]["message"] == "nobody"
            await client.shutdown()

    run(main())


@pytest.mark.parametrize("serializer", [Shouting, Mixed], ids=lambda made: made.__name__)
def test_threads_send_at_once(serializer: Any) -> None:
    """Each encodes on its own; nobody waits for another one who waits for the interpreter."""
    sio = socketio.Server(serializer=serializer)
    sio.on("echo", lambda sid, *values: values)
    with serving(sio) as url, thread_client(socketio.Client, url, client={"serializer": serializer}) as client:
        sio.on("still there", lambda sid: None)
        failures: list[Any] = []

        def work(number: int) -> None:
            for at in range(50):
                sio.emit("numbered", (number, at))
                if client.call("echo", (number, at, b"x"), timeout=WAIT) != (number, at, b"x"):
                    failures.append((number, at))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        heard: dict[int, list[int]] = {}
        for _ in range(200):
            _, number, at = client.heard.get(timeout=WAIT)
            heard.setdefault(number, []).append(at)
        assert all(sorted(numbers) == list(range(50)) for numbers in heard.values())


def test_what_a_thread_sends_keeps_its_order() -> None:
    sio = socketio.Server(serializer=Mixed)
    heard: list[int] = []
    is_over = threading.Event()
    sio.async_handlers = False
    sio.on("number", lambda sid, number: heard.append(number))
    sio.on("over", lambda sid: is_over.set())
    with serving(sio) as url, thread_client(socketio.Client, url, client={"serializer": Mixed}) as client:
        sio.on("still there", lambda sid: None)
        for number in range(300):
            client.emit("number", number)
        client.emit("over")
        assert is_over.wait(WAIT)
    assert heard == list(range(300))


class Failing(Packet):
    """Can't do what its data, or the message, asks it not to do."""

    def encode(self) -> Any:
        if "unwritable" in str(self.data):
            raise LookupError("no word for it")
        if "nothing" in str(self.data):
            return []
        if "number" in str(self.data):
            return 7
        return super().encode()

    def decode(self, encoded_packet: Any) -> int | None:
        if "unreadable" in encoded_packet:
            raise LookupError("no sense in it")
        count = super().decode(encoded_packet)
        if "odd" in encoded_packet:
            self.data = {"not": "a list"}
        if "strange" in encoded_packet:
            self.packet_type = 17
        if "negative" in encoded_packet:
            self.id = -1
        return count


@pytest.mark.parametrize(("word", "error"), [("unwritable", LookupError), ("nothing", ValueError), ("number", TypeError)])
def test_who_sends_what_can_not_be_encoded_is_told(run: Run, word: str, error: Any) -> None:
    sio = socketio.AsyncServer(serializer=Failing)
    recorder = Recorder()
    sio.on("echo", lambda sid, *values: values)
    sio.on("disconnect", lambda sid, reason: recorder.note(reason))

    async def main() -> None:
        async with our_io(sio) as url, connected(url, serializer=Failing) as client:
            with pytest.raises(error):
                await client.emit("echo", word)
            with pytest.raises(error):
                await client.call("echo", word, timeout=WAIT)
            for to in (None, client.get_sid()):
                with pytest.raises(error):
                    await sio.emit("event", word, to=to)
            with pytest.raises(error):
                await sio.call("event", word, to=client.get_sid(), timeout=WAIT)
            assert await client.call("echo", "still there", timeout=WAIT) == "still there"
            assert recorder.is_empty() and client.connected

    run(main())


@pytest.mark.parametrize("word", ["unreadable", "odd", "strange", "negative"])
def test_a_client_that_is_not_understood_is_the_only_one_to_go(run: Run, word: str) -> None:
    logger, records = logging.Logger("server"), Records()
    logger.addHandler(records)
    sio = socketio.AsyncServer(serializer=Failing, logger=logger)
    recorder = Recorder()
    sio.on("echo", lambda sid, value: value)
    sio.on("disconnect", lambda sid, reason: recorder.note(sid))

    async def main() -> None:
        async with our_io(sio) as url, connected(url, serializer=Failing) as other:
            async with connected(url, serializer=Failing, reconnection=False) as client:
                sid = client.get_sid()
                await client.emit("event", word, callback=lambda: None)
                assert await recorder.next() == (sid,)
                await until(lambda: not client.connected)
            assert await other.call("echo", 1, timeout=WAIT) == 1

    run(main())
    # Of an unknown type the engine itself takes notice.
    assert any("could not decode a packet, which ends the connection" in line for line in records.lines) == (word != "strange")


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            self.lines.append(record.getMessage())


def test_a_server_that_is_not_understood_is_left(run: Run) -> None:
    logger, records = logging.Logger("client"), Records()
    logger.addHandler(records)
    sio = socketio.AsyncServer(serializer=Failing)

    async def main() -> None:
        async with our_io(sio) as url, connected(url, serializer=Failing, logger=logger, reconnection=False) as client:
            await sio.emit("event", "unreadable")
            assert await client.recorder.next() == ("disconnect", "transport error")
            assert not client.connected

    run(main())
    assert records.lines == [
        "the serializer could not decode a packet, which ends the connection: LookupError: no sense in it"
    ]


class Mute(Packet):
    """Can't answer who connects."""

    def encode(self) -> Any:
        if "sid" in str(self.data):
            raise LookupError("no word for it")
        return super().encode()


def test_who_can_not_be_told_of_its_connection_does_not_wait_for_it(run: Run) -> None:
    logger, records = logging.Logger("server"), Records()
    logger.addHandler(records)

    async def main() -> None:
        async with our_io(socketio.AsyncServer(serializer=Mute, logger=logger)) as url:
            client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
            lost = Recorder()
            client._lost_before = client._lost  # type: ignore[attr-defined]
            client._lost = lambda *told: (lost.note("lost"), client._lost_before(*told))  # type: ignore
            attempt = asyncio.create_task(client.connect(url, wait_timeout=WAIT))
            assert await lost.next() == ("lost",)
            attempt.cancel()
            await client.shutdown()

    run(main())
    assert any("could not encode a packet" in line for line in records.lines)


def test_too_many_attachments_are_refused(run: Run) -> None:
    sio = socketio.AsyncServer(serializer=Shouting, max_attachments=2)
    recorder = Recorder()
    sio.on("disconnect", lambda sid, reason: recorder.note("gone"))
    sio.on("event", lambda sid, *values: recorder.note(*values))

    async def main() -> None:
        async with our_io(sio) as url, connected(url, serializer=Shouting, reconnection=False) as client:
            await client.emit("event", (b"1", b"2"))
            assert await recorder.next() == (b"1", b"2")
            await client.emit("event", (b"1", b"2", b"3"))
            assert await recorder.next() == ("gone",)

    run(main())


def test_nothing_is_kept_of_what_was_said(run: Run) -> None:
    sio = socketio.AsyncServer(serializer=Mixed)
    sio.on("echo", lambda sid, *values: values)

    async def main() -> None:
        async with our_io(sio) as url, connected(url, serializer=Mixed) as client:
            for number in range(50):
                assert await client.call("echo", (number, b"x"), timeout=WAIT) == (number, b"x")
                await sio.emit("event", number)
                assert await client.recorder.next() == ("event", number)
            packets = [sio._codec.packets, client._codec.packets]
            gc.collect()
            for side in packets:
                assert len(side.kept) <= 2 and len(side.gone) <= 2

    run(main())


def test_the_base_class_is_the_default() -> None:
    for chosen in ("default", Packet):
        assert socketio.AsyncServer(serializer=chosen)._codec.packets is None


PACKETS: list[dict[str, Any]] = [
    {},
    {"packet_type": 0, "data": {"a": 1}, "namespace": "/chat"},
    {"packet_type": 1, "namespace": "/chat"},
    {"data": ["a", 1, None, {"b": "ü"}], "id": 12},
    {"packet_type": 3, "data": [], "id": 0, "namespace": "/"},
    {"data": ["a", b"1", {"b": [b"2"]}], "namespace": "/chat", "id": 3},
    {"packet_type": 3, "data": [b"1"], "id": 3},
    {"packet_type": 4, "data": {"message": "no"}, "namespace": "/chat"},
    {"data": ["a"], "binary": True},
]


@pytest.mark.parametrize("arguments", PACKETS, ids=str)
def test_packets_are_those_of_python_socketio(arguments: dict[str, Any]) -> None:
    theirs, ours = ForeignPacket(**arguments), Packet(**arguments)
    assert vars(ours) == vars(theirs)
    encoded = theirs.encode()
    assert ours.encode() == encoded
    assert ours.to_dict() == theirs._to_dict()
    first, *attachments = encoded if isinstance(encoded, list) else [encoded]
    read = [kind(encoded_packet=first) for kind in (ForeignPacket, Packet)]
    for attachment in attachments:
        assert read[0].add_attachment(attachment) == read[1].add_attachment(attachment)
    assert vars(read[0]) == vars(read[1])


@pytest.mark.parametrize("text", ["4/chat?a=b,{}", "51-/chat,12[1]", "2/chat", "3" + "1" * 100 + "[]", "2"])
def test_packets_are_read_as_by_python_socketio(text: str) -> None:
    assert vars(Packet(encoded_packet=text)) == vars(ForeignPacket(encoded_packet=text))


@pytest.mark.parametrize("text", ["x", "", "2[", "5" + "1" * 11 + "-[]", "2" + "1" * 101 + "[]"])
def test_what_is_no_packet_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Packet().decode(text)


def test_attachments_are_counted() -> None:
    packet = Packet(encoded_packet='51-["a",{"_placeholder":true,"num":0}]')
    assert packet.packet_type == BINARY_EVENT and packet.attachment_count == 1
    assert packet.add_attachment(b"x") and packet.data == ["a", b"x"]
    with pytest.raises(ValueError):
        packet.add_attachment(b"y")
    with pytest.raises(ValueError):
        Packet(1, data=b"x")
    assert Packet(EVENT, ["a", b"x"], binary=False).packet_type == EVENT


def test_msgpack_is_that_of_python_socketio() -> None:
    from socketio.msgpack_packet import MsgPackPacket as Foreign

    for arguments in ({"data": ["a", b"x"], "id": 3, "namespace": "/"}, {"packet_type": 1, "namespace": "/chat"}):
        assert MsgPackPacket(**arguments).encode() == Foreign(**arguments).encode()
        encoded = Foreign(**arguments).encode()
        assert MsgPackPacket(encoded_packet=encoded).to_dict() == Foreign(encoded_packet=encoded)._to_dict()
    with pytest.raises(TypeError):
        MsgPackPacket(data=[date(2026, 1, 2)]).encode()
    assert Dated(encoded_packet=Dated(data=[DATE], namespace="/").encode()).data == [DATE]
