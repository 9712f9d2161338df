"""Files of web applications, by python-engineio's mapping: the longest beginning of the path that it has says which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["StaticFiles", "find_file"]

StaticFiles = Mapping[str, str | Mapping[str, str]]

_TYPES = {
    "css": "text/css",
    "gif": "image/gif",
    "html": "text/html",
    "jpg": "image/jpeg",
    "js": "application/javascript",
    "json": "application/json",
    "png": "image/png",
    "txt": "text/plain",
}


def find_file(path: str, files: StaticFiles) -> tuple[Path, str] | None:
    """The file for a path, and its media type; ``None`` if there is none."""
    for key, rest in _beginnings(path):
        if key in files:
            found = None if "../" in rest else _file(files[key], rest, files.get(""))
            return found if found is not None and found[0].is_file() else None
    return None


def _beginnings(path: str) -> Iterator[tuple[str, str]]:
    """What may be in the mapping, and what follows it in the path."""
    yield path, ""
    rest = ""
    while "/" in path:
        path, _, last = path.rpartition("/")
        rest = f"/{last}{rest}"
        yield path, rest
        yield f"{path}/", rest


def _file(place: str | Mapping[str, str], rest: str, index: Any) -> tuple[Path, str]:
    name, media_type = _named(place)
    name += rest.removeprefix("/") if name.endswith("/") else rest
    if name.endswith("/"):
        index_name, index_type = _named("index.html" if index is None else index)
        name += index_name
        media_type = index_type or media_type
    return Path(name), media_type or _TYPES.get(name.rsplit(".")[-1], "application/octet-stream")


def _named(place: str | Mapping[str, str]) -> tuple[str, str | None]:
    if isinstance(place, str):
        return place, None
    return place["filename"], place.get("content_type")
