"""What each program in the documentation of python-socketio needs, and what it has to show."""

from __future__ import annotations

import itertools
from typing import Any

from documentation_runs import Entry

CLIENT = "sio = socketio.Client(reconnection=False)\n"
ASYNC_CLIENT = "sio = socketio.AsyncClient(reconnection=False)\n"
SIMPLE = "sio = socketio.SimpleClient()\n"
ASYNC_SIMPLE = "sio = socketio.AsyncSimpleClient()\n"
CONNECT, AWAIT_CONNECT = "sio.connect(url)\n", "await sio.connect(url)\n"
BYE, AWAIT_BYE = "sio.disconnect()\n", "await sio.disconnect()\n"
TALK, AWAIT_TALK = "sio.connect(url)\nsio.wait()\n", "await sio.connect(url)\nawait sio.wait()\n"
CHAT, AWAIT_CHAT = "sio.connect(url, namespaces=['/chat'])\nsio.wait()\n", "await sio.connect(url, namespaces=['/chat'])\nawait sio.wait()\n"
# A client of python-socketio that disconnects at once loses what it has just emitted.
HEARD, AWAIT_HEARD = "it_is_heard.wait()\n", "await asyncio.to_thread(it_is_heard.wait)\n"
STAYS = {"stays": True}
LOCAL = (("'http://localhost:5000'", "url"),)
SERVER = "sio = socketio.Server(async_mode='threading', async_handlers=False)\n"
ASYNC_SERVER = "sio = socketio.AsyncServer(async_mode='asgi', async_handlers=False)\n"
NAMES = "authenticate_user = lambda environ: 'ann'\n"
PRINTS = ("pass", "print('an event', *[one for one in (locals().get('event'), locals().get('data')) if one])")


def acting(prologue: str, shows: tuple[str, ...], epilogue: str = "", edits: Any = ()) -> Entry:
    """A client that does something, at a server that lets it."""
    return Entry(shows, prologue, edits, epilogue, more=STAYS)


def serving(shows: tuple[str, ...], says: tuple[tuple[Any, ...], ...] = (), prologue: str = SERVER, edits: Any = (), epilogue: str = "", **more: Any) -> Entry:
    return Entry(shows, prologue, edits, epilogue, more={"says": says, **more})


def trusting(prologue: str, epilogue: str, edits: Any = ()) -> Entry:
    """A client of a server with TLS, which wants a certificate where an example has one."""
    return Entry(("disconnect",), prologue, (("'https://example.com'", "url"), *edits), epilogue, more={"stays": True, "tls": True})


IMPORTS = "import requests\nimport aiohttp\nimport ssl\n"
GREETED = ("I received a message!",)
EVENT = (("my_event", {"a": 1}),)
FILES = {"gets": ("/", "/static/style.css", "/static/socket.io.js", "/unknown")}
SAID = ("my message {'foo': 'bar'}",)
RECEIVED = ("hey",)
WENT = ("disconnect",)

CLIENTS = {
    "client: Creating a Client Instance": acting("", ("disconnect",), edits=(("# ... connect to a server and use the client", "sio.connect(url)"), ("async with", "await asyncio.sleep(0)\nasync with"), ("AsyncSimpleClient() as sio:\n    sio.connect", "AsyncSimpleClient() as sio:\n    await sio.connect"))),
    "client: Creating a Client Instance (2)": acting("", WENT, AWAIT_CONNECT + AWAIT_BYE),
    "client: Connecting to a Server": acting(SIMPLE, WENT, BYE, LOCAL),
    "client: Connecting to a Server (2)": acting(ASYNC_SIMPLE, WENT, AWAIT_BYE, LOCAL),
    "client: Connecting to a Server (3)": acting(SIMPLE, WENT, BYE, LOCAL),
    "client: Connecting to a Server (4)": acting(SIMPLE + CONNECT, ("my sid is <sid>",), BYE),
    "client: Connecting to a Server (5)": acting(SIMPLE + "sio.connect(url, transports=['websocket'])\n", ("my transport is websocket",), BYE),
    "client: Emitting Events": acting(SIMPLE + CONNECT, SAID, HEARD + BYE),
    "client: Emitting Events (2)": acting(ASYNC_SIMPLE + AWAIT_CONNECT, SAID, AWAIT_HEARD + AWAIT_BYE),
    "client: Receiving Events": acting(SIMPLE + CONNECT, ("""received event: "message" with arguments ['hey']""",), BYE),
    "client: Receiving Events (2)": acting(ASYNC_SIMPLE + AWAIT_CONNECT, ("""received event: "message" with arguments ['hey']""",), AWAIT_BYE),
    "client: Receiving Events (3)": acting(SIMPLE + CONNECT + "sio.receive()\n", ("timed out",), BYE, (("timeout=5", "timeout=0.1"),)),
    "client: Receiving Events (4)": acting(ASYNC_SIMPLE + AWAIT_CONNECT, ("received event: ['message', 'hey']",), AWAIT_BYE),
    "client: Disconnecting from the Server": acting(SIMPLE + CONNECT, WENT),
    "client: Disconnecting from the Server (2)": acting(ASYNC_SIMPLE + AWAIT_CONNECT, WENT),
    "client: Creating a Client Instance (3)": acting("", WENT, AWAIT_CONNECT + AWAIT_BYE),
    "client: Defining Event Handlers": Entry(GREETED, CLIENT, epilogue=TALK),
    "client: Defining Event Handlers (2)": Entry(GREETED, ASYNC_CLIENT, epilogue=AWAIT_TALK),
    "client: Catch-All Event and Namespace Handlers": Entry(("my_event",), CLIENT, (("sid, data):\n     pass", "data=None):\n     print(event)"),), TALK),
    "client: Catch-All Event and Namespace Handlers (2)": Entry(("my_event",), ASYNC_CLIENT, (("sid, data):\n    pass", "data=None):\n    print(event)"),), AWAIT_TALK),
    "client: Catch-All Event and Namespace Handlers (3)": Entry(("/chat",), CLIENT, (("sid, data):\n    pass", "data):\n    print(namespace)"),), CHAT),
    "client: Catch-All Event and Namespace Handlers (4)": Entry(("my_event /chat",), CLIENT, (("sid, data):\n    pass", "data=None):\n    print(event, namespace)"),), CHAT),
    "client: Connect, Connect Error and Disconnect Event Handlers": Entry(("I'm connected!", "I'm disconnected! reason: server disconnect"), CLIENT, epilogue=TALK),
    "client: Connect, Connect Error and Disconnect Event Handlers (2)": Entry(("the server disconnected the client",), CLIENT, epilogue=TALK),
    "client: Connecting to a Server (6)": acting(CLIENT, WENT, BYE, LOCAL),
    "client: Connecting to a Server (7)": acting(ASYNC_CLIENT, WENT, AWAIT_BYE, LOCAL),
    "client: Connecting to a Server (8)": acting(CLIENT + CONNECT, ("my sid is <sid>",), BYE),
    "client: Connecting to a Server (9)": acting(CLIENT + "sio.connect(url, transports=['websocket'])\n", ("my transport is websocket",), BYE, (("sio.transport", "sio.transport()"),)),
    "client: Emitting Events (3)": acting(CLIENT + CONNECT, SAID, HEARD + BYE),
    "client: Emitting Events (4)": acting(ASYNC_CLIENT + AWAIT_CONNECT, SAID, AWAIT_HEARD + AWAIT_BYE),
    "client: Event Callbacks": Entry(("answer ('OK', 123)",), CLIENT, (("(sid, data)", "(data)"),), TALK),
    "client: Namespaces": acting(CLIENT, ("connect /chat",), BYE, LOCAL),
    "client: Namespaces (2)": Entry(("I'm connected to the /chat namespace!",), CLIENT, epilogue=CHAT),
    "client: Namespaces (3)": acting(CLIENT + "sio.connect(url, namespaces=['/chat'])\n", SAID, HEARD + BYE),
    "client: Class-Based Namespaces": Entry(("my_response {'n': 1}",), CLIENT, epilogue=CHAT),
    "client: Class-Based Namespaces (2)": Entry(("my_response {'n': 1}",), ASYNC_CLIENT, epilogue=AWAIT_CHAT),
    "client: Class-Based Namespaces (3)": Entry(("/chat",), CLIENT + "class MyCustomNamespace(socketio.ClientNamespace):\n    def on_my_event(self, namespace, data): print(namespace)\n", epilogue=CHAT),
    "client: Disconnecting from the Server (3)": acting(CLIENT + CONNECT, WENT),
    "client: Disconnecting from the Server (4)": acting(ASYNC_CLIENT + AWAIT_CONNECT, WENT),
    "client: Managing Background Tasks": Entry(("waited",), CLIENT + CONNECT, epilogue="print('waited')", more={"at_its_end": ("waited",)}),
    "client: Managing Background Tasks (2)": Entry(("waited",), ASYNC_CLIENT + AWAIT_CONNECT, epilogue="print('waited')", more={"at_its_end": ("waited",)}),
    "client: Managing Background Tasks (3)": acting(CLIENT, ("123",), "task.join()", (("pass", "print(my_argument)"),)),
    "client: Managing Background Tasks (4)": acting(ASYNC_CLIENT, ("123",), "await task", (("pass", "print(my_argument)"),)),
    "client: Managing Background Tasks (5)": acting(CLIENT, ("slept",), "print('slept')", (("2", "0.01"),)),
    "client: Managing Background Tasks (6)": acting(ASYNC_CLIENT, ("slept",), "print('slept')", (("2", "0.01"),)),
    "client: Debugging and Troubleshooting": acting("", ("disconnect",), AWAIT_CONNECT + AWAIT_BYE),
    "client: Debugging and Troubleshooting (2)": acting("", ("disconnect",), AWAIT_CONNECT + AWAIT_BYE),
    "intro: Client Examples": Entry(("connection established", "message received with  m", "disconnected from server"), edits=LOCAL),
    "intro: Client Examples (2)": Entry(("connection established", "message received with  m", "disconnected from server"), edits=(*LOCAL, ("asyncio.run(main())", "await main()"))),
    "client: TLS/SSL Support": trusting(SIMPLE, BYE),
    "client: TLS/SSL Support (3)": trusting(CLIENT, BYE),
    **{f"client: TLS/SSL Support ({number})": trusting(IMPORTS, BYE) for number in (5, 7, 9)},
    **{f"client: TLS/SSL Support ({number})": trusting(IMPORTS, AWAIT_BYE + "await http_session.close()\n") for number in (6, 8)},
    "async_client AsyncClient.connect": acting("", WENT, AWAIT_BYE, LOCAL),
    "client Client.connect": acting("", WENT, BYE, LOCAL),
    "base_client BaseClient.on": Entry(("Connected!", "Received message:  hey", "message response"), CLIENT, epilogue=TALK),
    "base_client BaseClient.event": Entry(("Received data:  {'n': 1}",), CLIENT, epilogue=TALK),
    "base_client BaseClient.event (2)": Entry(("Received data:  {'n': 1}",), CLIENT, epilogue=TALK),
    "base_client BaseClient.event (3)": Entry(("Received data:  {'n': 1}",), CLIENT, (("'/test'", "'/chat'"),), CHAT),
}

GREETS = "@sio.event\nasync def connect(sid, environ): await sio.emit('news', to=sid)\n"
ROOMS = (("ask", "begin_chat"), ("ask", "my_message", "hello"), ("ask", "exit_chat"), ("ask", "my_message", "again"))
IN_ROOM = "@sio.event\ndef begin_chat(sid): sio.enter_room(sid, 'chat_users')\n@sio.event\ndef exit_chat(sid): sio.leave_room(sid, 'chat_users')\n"
WSGI = "mywebapp = lambda environ, start: (start('200 OK', []), [b'mine'])[1]\n"
ASGI = "async def mywebapp(scope, receive, send):\n    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n    await send({'type': 'http.response.body', 'body': b'mine'})\n"
MINE = (("from mywebapp import app", "app = mywebapp"),)
HAS_MINE = {"gets": ("/", "/any")}

SERVERS = {
    "server: Creating a Server Instance": serving(("connected",), prologue="", edits=(("Server()", "Server(async_mode='threading')"),)),
    "server: Creating a Server Instance (2)": serving(("connected",), prologue="", edits=(("Server()", "Server(async_mode='asgi')"),)),
    "server: Running as a WSGI Application": serving(("connected",)),
    "server: Running as a WSGI Application (2)": serving(("200 mine",), prologue=SERVER + WSGI, edits=MINE, **HAS_MINE),
    "server: Running as an ASGI Application": serving(("connected",), prologue=ASYNC_SERVER),
    "server: Running as an ASGI Application (2)": serving(("200 mine",), prologue=ASYNC_SERVER + ASGI, edits=MINE, **HAS_MINE),
    **{f"server: Serving Static Files{suffix}": serving(("/static/style.css: 200" if suffix != " (2)" else "text/plain",), prologue=ASYNC_SERVER, epilogue="app = socketio.ASGIApp(sio, static_files=static_files)", **FILES) for suffix in ("", " (2)", " (3)", " (4)", " (5)")},
    "server: Serving Static Files (6)": serving(("/static/style.css: 200",), prologue="static_files = {'/static': './public'}\n", edits=(("Server()", "Server(async_mode='asgi')"), ("socketio.Server(async_mode='asgi')", "socketio.Server(async_mode='threading')")), **FILES),
    "server: Listening to Events": serving(("an event {'a': 1}",), (*EVENT, ("my custom event", {"b": 2})), edits=(PRINTS,)),
    "server: Listening to Events (2)": serving(("an event {'a': 1}",), EVENT, ASYNC_SERVER, (PRINTS,)),
    "server: Connect and Disconnect Events": serving(("connect  <sid>", "disconnect  <sid> client disconnect")),
    "server: Connect and Disconnect Events (2)": serving(("refused: authentication failed",)),
    "server: Connect and Disconnect Events (3)": serving(("the client disconnected",)),
    "server: Catch-All Event Handlers": serving(("my_event {'a': 1}",), EVENT, edits=(("pass", "print(event, data)"),)),
    "server: Catch-All Event Handlers (2)": serving(("my_event {'a': 1}",), EVENT, ASYNC_SERVER, (("pass", "print(event, data)"),)),
    "server: Emitting Events to Clients": serving(("ann hears my event {'data': 'foobar'}", "bob hears my event {'data': 'foobar'}"), after=True),
    "server: Emitting Events to Clients (2)": serving(("ann hears my event {'data': 'foobar'}",), after=True),
    "server: Acknowledging Events": serving(("answer ('OK', 123)",), (("ask", "my_event", {"a": 1}),)),
    "server: Requesting Client Acknowledgements": serving(("ann hears ask {'data': 'foobar'}", "the answer"), prologue="sio = socketio.Server(async_mode='threading')\n", after=True, edits=(("'my event'", "'ask'"),), epilogue="print('the answer', response)") ,
    "server: Requesting Client Acknowledgements (2)": serving(("callback invoked!",), after=True, edits=(("'my event'", "'ask'"), ("my_callback()", "my_callback(*values)"))),
    "server: Rooms": serving(("bob hears my reply hello", "ann hears my reply hello"), ROOMS, epilogue="@sio.event\ndef my_message(sid, data): sio.emit('my reply', data, room='chat_users', skip_sid=sid)\n"),
    "server: Rooms (2)": serving(("bob hears my reply hello", "ann hears my reply hello"), ROOMS, prologue=SERVER + IN_ROOM),
    "server: Decorator-Based Namespaces": serving(("an event {'b': 2}",), (("my custom event", {"b": 2}),), edits=(PRINTS,), namespace="/chat"),
    "server: Class-Based Namespaces": serving(("ann hears my_response {'a': 1}", "bob hears my_response {'a': 1}"), EVENT, namespace="/test"),
    "server: Class-Based Namespaces (2)": serving(("ann hears my_response {'a': 1}", "bob hears my_response {'a': 1}"), EVENT, ASYNC_SERVER, namespace="/test"),
    "server: Catch-All Namespaces": serving(("/any {'a': 1}",), EVENT, edits=(("pass", "print(namespace, data)"),), namespace="/any", prologue=SERVER.replace("async_handlers", "namespaces='*', async_handlers")),
    "server: Catch-All Namespaces (2)": serving(("/any {'a': 1}",), EVENT, SERVER.replace("async_handlers", "namespaces='*', async_handlers") + "class MyCustomNamespace(socketio.Namespace):\n    def on_my_event(self, namespace, sid, data): print(namespace, data)\n", namespace="/any"),
    "server: Catch-All Namespaces (3)": serving(("my_event /any {'a': 1}",), EVENT, SERVER.replace("async_handlers", "namespaces='*', async_handlers"), (("pass", "print(event, namespace, data)"),), namespace="/any"),
    **{f"server: User Sessions{suffix}": serving(("message from  ann",), (("message", "hi"),), server + NAMES) for suffix, server in zip(("", " (2)", " (3)", " (4)"), itertools.cycle((SERVER, ASYNC_SERVER)))},
    "server: Debugging and Troubleshooting": serving(("connected",), prologue="", edits=(("AsyncServer(", "AsyncServer(async_mode='asgi', "), ("socketio.Server(", "socketio.Server(async_mode='threading', "))),
    "server: Concurrency and Web Server Integration": serving(("connected",), prologue=""),
    "server: Gunicorn": serving(("connected",), prologue=""),
    "server: Gunicorn (2)": serving(("200 mine",), prologue=WSGI + "other_wsgi_app = mywebapp\n", **HAS_MINE),
    "server: Uvicorn (and other ASGI web servers)": serving(("connected",), prologue=""),
    "server: Uvicorn (and other ASGI web servers) (2)": serving(("200 mine",), prologue=ASGI + "other_asgi_app = mywebapp\n", **HAS_MINE),
    "async_server AsyncServer.session": serving(("received message from  ann",), (("message", "hi"),), ASYNC_SERVER + "eio = sio\n" + NAMES),
    "server Server.session": serving(("received message from  ann",), (("message", "hi"),), SERVER + NAMES),
    "base_server BaseServer.on": serving(("Connection request", "Received message:  hi"), (("message", "hi"),), SERVER + "socket_io, blacklisted = sio, []\n", namespace="/chat", edits=(("sio.send(sid, 'response')", "sio.send('response', to=sid, namespace='/chat')"),)),
    "base_server BaseServer.event": serving(("Received data:  {'a': 1}",), EVENT, edits=(("(data)", "(sid, data)"),)),
    "base_server BaseServer.event (2)": serving(("Received data:  {'a': 1}",), EVENT, edits=(("(data)", "(sid, data)"),)),
    "base_server BaseServer.event (3)": serving(("Received data:  {'a': 1}",), EVENT, edits=(("(data)", "(sid, data)"),), namespace="/test"),
    "intro: Server Examples (2)": serving(("/: 200 this is index.html", "connect  <sid>", "message  hi", "disconnect  <sid>"), (("chat_message", "hi"),), "", gets=("/", "/static/style.css")),
    "server: Monitoring and Administration": serving(("connected",), prologue="import os\nos.environ['ADMIN_PASSWORD'] = 'changeit'\n", edits=(("socketio.Server(", "socketio.Server(async_mode='threading', "),)),
    "server: Aiohttp": serving(("connected",), prologue="from aiohttp import web\n", epilogue="app = web.Application()\nsio.attach(app)\n"),
    "server: Aiohttp (2)": serving(("connected",), prologue="from aiohttp import web\nsio = socketio.AsyncServer(async_mode='aiohttp')\n"),
    "server: Redis (2)": serving(("ann hears news",), prologue="", edits=(("'redis://'", "redis_url"), ("AsyncServer(", "AsyncServer(async_mode='asgi', "), (" socketio.Server(", " socketio.Server(async_mode='threading', ")), epilogue=GREETS, over_redis=True),
    "async_redis_manager AsyncRedisManager": serving(("ann hears news",), prologue="", edits=(("'redis://hostname:port/0'", "redis_url"), ("AsyncServer(", "AsyncServer(async_mode='asgi', ")), epilogue="sio = server\n" + GREETS, over_redis=True),
    "redis_manager RedisManager": serving(("ann hears news",), prologue="", edits=(("'redis://hostname:port/0'", "redis_url"), ("socketio.Server(", "socketio.Server(async_mode='threading', ")), epilogue="sio = server\n" + GREETS.replace("async ", "").replace("await ", ""), over_redis=True),
    "server: Emitting from external processes": serving(("ann hears my event {'foo': 'bar'}", "bob hears my event {'foo': 'bar'}"), prologue="sio = socketio.AsyncServer(async_mode='asgi', client_manager=socketio.AsyncRedisManager(redis_url))\n@sio.event\nasync def connect(sid, environ): await sio.enter_room(sid, 'my room')\n", edits=(("'redis://'", "redis_url"),), after=True, over_redis=True),
    "asgi ASGIApp": serving(("/static/style.css: 200", "connected"), prologue="", edits=(("import uvicorn", ""), ("Server()", "Server(async_mode='asgi')"), ("uvicorn.run(app, host='127.0.0.1', port=5000)", "")), **FILES),
}
