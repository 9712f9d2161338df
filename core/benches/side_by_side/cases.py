"""Which cases there are, but for clusters (`clusters.py`), and how the load generator measures them."""

from __future__ import annotations

import growth
import latency
import servers
from report import Case, IdleCase

CASES = [
    Case("echo64-d1", 64, 64, 1),
    Case("echo64-d16", 64, 64, 16),
    Case("echo16k-d1", 16384, 64, 1),
    Case("echo16k-d16", 16384, 64, 16),
    Case("echo16k-c16d4", 16384, 16, 4),
    Case("echo1m-c4d1", 1 << 20, 4, 1),
    Case("loops64-d1", 64, 64, 1, "loops"),
    Case("loops64-d16", 64, 64, 16, "loops"),
    Case("echo64-ping", 64, 1, 1, "ping"),
    Case("client64-c16d8", 64, 16, 8, "client"),
    Case("client64-c1d1", 64, 1, 1, "client"),
    Case("connect", 64, 64, 1, "connect", seconds=0.2),
    Case("deflate1k-d1", 1024, 64, 1, "deflate"),
    Case("deflate1k-d16", 1024, 64, 16, "deflate"),
    Case("deflate1k-c16d4", 1024, 16, 4, "deflate"),
    Case("tls64-d1", 64, 64, 1, "tls"),
    Case("tls64-d16", 64, 64, 16, "tls"),
    Case("tls16k-d1", 16384, 64, 1, "tls"),
    Case("tls-connect", 64, 64, 1, "tls-connect", seconds=0.25),
    Case("topic1000", 64, 1000, 1, "topic", seconds=0.3),
    Case("io64-d1", 64, 64, 1, "io"),
    Case("io64-d16", 64, 64, 16, "io"),
    Case("io-room1000", 64, 1000, 1, "io-room", seconds=0.4),
    Case("io-polling", 64, 64, 1, "io-polling", seconds=0.25),
    Case("io-client64-c16d8", 64, 16, 8, "io-client"),
    *(Case(kind, 64, 64, 1, kind) for kind in latency.KINDS),
    *growth.CASES,
]
IDLE_CASES = [
    IdleCase("idle", 64, 10_000),
    IdleCase("deflate1k-idle", 1024, 1_000, "deflate"),
    IdleCase("deflate-idle", 1024, 10_000, "deflate", echo=False),
    IdleCase("tls-idle", 64, 10_000, "tls"),
    IdleCase("io-idle", 64, 10_000, "io-idle"),
]
# What the load generator does, where it is not the closed loop of `echo`.
LOAD_MODES = {"connect": "connect", "tls-connect": "connect", "io-polling": "polling"}
# How it talks to the servers of a kind.
LOAD_OPTIONS = {
    "echo": [],
    "loops": [],
    "ping": [],
    "connect": [],
    "deflate": ["--deflate", "1"],
    "tls": ["--tls", str(servers.CERTIFICATE)],
    "tls-connect": ["--tls", str(servers.CERTIFICATE)],
    "topic": ["--topic", "1"],
    "growth": [],
    "growth-topic": ["--topic", "1"],
    "io": ["--io", "1"],
    "io-room": ["--io", "1", "--topic", "1"],
    "io-polling": [],
    **{kind: [] for kind in latency.KINDS},
    "io-idle": ["--io", "1"],
}
