"""Blocks of python-socketio's documentation that do not run here, and why."""

from __future__ import annotations

SHELL = "a command of a shell"
REFUSED = "refused, as docs/compat/python-socketio.md says: several processes are connected over Redis"
NOT_INSTALLED = "for a server that is not installed here"

SKIPPED = {
    **dict.fromkeys(
        [
            *("client: Installation", "client: Installation (2)", "server: Installation", "server: Redis", "server: Kombu", "server: Kombu (2)"),
            *("server: Kafka", "server: AioPika", "server: Gunicorn (3)", "server: Gevent (5)", "server: Gevent (7)", "server: Eventlet (3)"),
            *("server: Uvicorn (and other ASGI web servers) (3)", "server: Uvicorn (and other ASGI web servers) (4)"),
        ],
        SHELL,
    ),
    **dict.fromkeys(
        [
            *("async_aiopika_manager AsyncAioPikaManager", "kafka_manager KafkaManager", "kombu_manager KombuManager", "zmq_manager ZmqManager"),
            *("zmq_manager ZmqManager (2)", "server: Kombu (3)", "server: Kafka (2)", "server: AioPika (2)"),
        ],
        REFUSED,
    ),
    **dict.fromkeys(
        [
            *(f"server: Gevent{suffix}" for suffix in ("", " (2)", " (3)", " (4)", " (6)")),
            *("server: Tornado", "server: Tornado (2)", "server: Tornado (3)", "server: Eventlet", "server: Eventlet (2)"),
            *("intro: Server Examples", "middleware WSGIApp"),
        ],
        NOT_INSTALLED,
    ),
    "server: Aiohttp (3)": "it runs until there is a signal, which only a main thread gets; the others of aiohttp run without it",
    **dict.fromkeys(
        ["client: TLS/SSL Support (2)", "client: TLS/SSL Support (4)"],
        "aiohttp reads whom it trusts when it is imported, so no host of a test's has its trust by default",
    ),
    "client: TLS/SSL Support (10)": "its `ssl.Purpose.CLIENT_AUTH` is for servers, which no client takes; of a context of `ssl` the engine can't read the key",
}
