"""Socket.IO: servers and clients in the shape of ``python-socketio``, on sockline's engine.

``from sockline import socketio`` in place of ``import socketio``. A server listens itself
(``await sio.listen(host, port)``), which is fastest, or is an application of ASGI, of WSGI, or of aiohttp.
"""

from . import exceptions, packet
from ._cluster import Answers, SocketInfo
from ._engine import EnginePacket
from ._options import ConnectionStateRecovery
from .asgi import ASGIApp
from .async_client import AsyncClient
from .async_namespace import AsyncClientNamespace, AsyncNamespace
from .async_redis_manager import AsyncRedisManager
from .async_server import AsyncServer
from .async_simple_client import AsyncSimpleClient
from .client import Client
from .middleware import Middleware, WSGIApp
from .namespace import ClientNamespace, Namespace
from .pubsub_manager import (
    AsyncAioPikaManager,
    AsyncManager,
    KafkaManager,
    KombuManager,
    Manager,
    PubSubManager,
    ZmqManager,
)
from .redis_manager import RedisManager
from .server import Listener, Server
from .simple_client import SimpleClient
from .tornado import get_tornado_handler

__all__ = [
    "ASGIApp",
    "Answers",
    "AsyncAioPikaManager",
    "AsyncClient",
    "AsyncClientNamespace",
    "AsyncManager",
    "AsyncNamespace",
    "AsyncRedisManager",
    "AsyncServer",
    "AsyncSimpleClient",
    "Client",
    "ClientNamespace",
    "ConnectionStateRecovery",
    "EnginePacket",
    "KafkaManager",
    "KombuManager",
    "Listener",
    "Manager",
    "Middleware",
    "Namespace",
    "PubSubManager",
    "RedisManager",
    "Server",
    "SimpleClient",
    "SocketInfo",
    "WSGIApp",
    "ZmqManager",
    "exceptions",
    "get_tornado_handler",
    "packet",
]
