"""What a manager says of Redis, in the engine's terms."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from ..typing import PathLike

__all__ = ["Cluster", "cluster"]

SCHEMES = {
    "valkey": "redis",
    "valkeys": "rediss",
    "valkey+sentinel": "redis+sentinel",
    "valkey+cluster": "redis+cluster",
}

TLS_OPTIONS = {"ssl_ca_certs": "ca_file", "ssl_certfile": "certificate_file", "ssl_keyfile": "key_file"}
URL_OPTIONS = ("db", "username", "password")
SENTINEL_OPTIONS = {"sentinel_user": "sentinel_user", "sentinel_username": "sentinel_user", "sentinel_password": "sentinel_password"}
"""In the URL, which goes first."""
SENTINEL_KWARGS = {"username": "sentinel_user", "password": "sentinel_password", "ssl": "sentinel_tls"}
"""Of redis-py's ``sentinel_kwargs``."""
SECONDS = {"socket_timeout": "command_timeout", "health_check_interval": "ping_interval"}
AS_EVER: dict[str, tuple[Any, ...]] = {
    "socket_keepalive": (True, False, None),
    "retry_on_timeout": (True, False),
    "ssl": (True, False),
}
"""Options that change nothing here, with the values that they may have."""


class Cluster(NamedTuple):
    """What the engine wants to know. Seconds and bytes."""

    url: str
    mode: str
    key: str
    channel: str
    requests_timeout: float
    publish_on_specific_response_channel: bool
    subscription_mode: str
    stream_name: str
    stream_count: int
    max_len: int
    read_count: int
    session_key_prefix: str
    ca_file: PathLike | None
    certificate_file: PathLike | None
    key_file: PathLike | None
    insecure: bool
    command_timeout: float
    ping_interval: float
    max_queued: int
    sentinel_user: str | None
    sentinel_password: str | None
    sentinel_tls: bool


def cluster(url: str, channel: str, redis_options: Mapping[str, Any] | None, general: Mapping[str, Any]) -> Cluster:
    """With ``redis_options``, of which those in the URL go first, as in redis-py.

    Raises ``NotImplementedError`` for an option that means nothing to the engine, ``ValueError`` for a URL that is none.
    """
    scheme, rest = _scheme(url)
    rest, query = rest.split("?", 1) if "?" in rest else (rest, "")
    wanted = {**(redis_options or {}), **_query(query)}
    chosen = dict(general)
    in_query = {name: wanted.pop(name) for name in URL_OPTIONS if wanted.get(name) is not None}
    if "@" in rest:
        for name in URL_OPTIONS[1:]:
            in_query.pop(name, None)
    if scheme.endswith("+sentinel"):
        rest, database = _sentinels(rest, channel)
        in_query = {**in_query, **database}
    elif scheme in ("redis", "rediss"):
        rest, has_database = _one(rest)
        if has_database:
            in_query.pop("db", None)
    for name, value in sorted(wanted.items()):  # ssl_cert_reqs before ssl_check_hostname
        _take(name, value, chosen)
    pairs = [(name, str(value)) for name, value in in_query.items()]
    made = f"{scheme}:{rest}" + (f"?{urlencode(pairs, quote_via=quote)}" if pairs else "")
    return Cluster(url=made, **chosen)


def _scheme(url: str) -> tuple[str, str]:
    scheme, colon, rest = url.partition(":")
    if not colon:
        raise ValueError("the URL of Redis has no scheme; it begins with redis://")
    return SCHEMES.get(scheme.lower(), scheme.lower()), rest


def _query(query: str) -> dict[str, Any]:
    return {"username" if name == "user" else name: value for name, value in parse_qsl(query, keep_blank_values=True)}


def _one(rest: str) -> tuple[str, bool]:
    """Without a host it is this machine; says whether there is a database."""
    credentials, at, place = rest.removeprefix("//").rpartition("@")
    host, slash, path = place.partition("/")
    if not host or host.startswith(":"):
        host = "localhost" + host
    return f"//{credentials}{at}{host}{slash}{path}", bool(path.strip("/"))


def _sentinels(rest: str, channel: str) -> tuple[str, dict[str, str]]:
    """python-socketio has the database in front of the master's name, and the channel for a name if there is none."""
    hosts, _, path = rest.removeprefix("//").partition("/")
    parts = [part for part in path.split("/") if part]
    if parts and not parts[0].isdigit():
        parts = [parts[1] if len(parts) > 1 else "", parts[0]]
    database = {"db": parts[0]} if parts and parts[0] else {}
    return f"//{hosts}/{parts[1] if len(parts) > 1 else channel}", database


def _take(name: str, value: Any, chosen: dict[str, Any]) -> None:
    """One option of redis-py's."""
    if name in TLS_OPTIONS:
        chosen[TLS_OPTIONS[name]] = value if value is None else os.fspath(value)
    elif name in SECONDS:
        if value:
            chosen[SECONDS[name]] = float(value)
    elif name in SENTINEL_OPTIONS:
        chosen[SENTINEL_OPTIONS[name]] = value
    elif name == "sentinel_tls":
        chosen[name] = _is_true(value)
    elif name == "sentinel_kwargs":
        for given, meant in (value or {}).items():
            if given not in SENTINEL_KWARGS:
                raise NotImplementedError(f"{given!r} of sentinel_kwargs is not supported")
            chosen[SENTINEL_KWARGS[given]] = meant
    elif name == "ssl_cert_reqs":
        chosen["insecure"] = _trusts_anybody(value)
    elif name == "ssl_check_hostname" and _is_true(value):
        pass  # always, unless anybody is trusted
    elif name == "ssl_check_hostname" and chosen["insecure"]:
        pass
    elif value not in AS_EVER.get(name, ()):
        raise NotImplementedError(f"{name}={value!r} of redis_options is not supported")


def _trusts_anybody(value: Any) -> bool:
    if value in (None, "none", ssl.CERT_NONE):
        return True
    if value in ("required", ssl.CERT_REQUIRED):
        return False
    raise NotImplementedError(f"ssl_cert_reqs can be 'required' or 'none', not {value!r}")


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() in ("1", "true", "yes", "y"))
