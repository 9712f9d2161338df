"""Events between Python's objects and JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from sockline.socketio._codec import Codec, arguments, restore


class Module:
    """As an application gives one."""

    def __init__(self) -> None:
        self.dumped: list[Any] = []

    def dumps(self, value: Any, **options: Any) -> str:
        self.dumped.append(value)
        return json.dumps(value, **options)

    def loads(self, text: str, **options: Any) -> Any:
        return json.loads(text, **options)


@pytest.mark.parametrize("module", [None, Module()], ids=["orjson", "module"])
def test_binary_values_become_attachments_in_their_order(module: Any) -> None:
    codec = Codec(module)
    text, attachments = codec.encode(["e", b"1", {"a": [bytearray(b"2"), {"b": memoryview(b"3")}]}, (b"4",)])
    assert attachments == [b"1", b"2", b"3", b"4"]
    data = codec.loads(text)
    assert data[1] == {"_placeholder": True, "num": 0}
    restore(data, attachments)
    assert data == ["e", b"1", {"a": [b"2", {"b": b"3"}]}, [b"4"]]


def test_what_orjson_refuses_is_written_all_the_same() -> None:
    codec = Codec(None)
    assert codec.encode([{2: "a", None: "b", True: "c"}]) == (b'[{"2":"a","null":"b","true":"c"}]', [])
    assert codec.encode([10**30, b"x"]) == (b'[1' + b"0" * 30 + b',{"_placeholder":true,"num":0}]', [b"x"])
    assert codec.encode(["\ud800"]) == (b'["\\ud800"]', [])
    with pytest.raises(TypeError, match="object is not JSON serializable|Object of type"):
        codec.encode([object()])


def test_huge_integers_and_lone_surrogates_are_read_exactly() -> None:
    codec = Codec(None)
    assert codec.exact_loads(b"[123456789012345678901234567890]") == [123456789012345678901234567890]
    assert codec.exact_loads(b'["\\ud800"]') == ["\ud800"]
    assert math.isnan(codec.exact_loads(b"[NaN]")[0])


def test_placeholders_that_point_nowhere_stay() -> None:
    data: list[Any] = ["e", {"_placeholder": True, "num": 1}, {"_placeholder": True, "num": -1}, {"_placeholder": 1, "num": 0}]
    restore(data, [b"x"])
    assert data[1:] == [{"_placeholder": True, "num": 1}, {"_placeholder": True, "num": -1}, {"_placeholder": 1, "num": 0}]


def test_depth_is_no_recursion() -> None:
    data: list[Any] = [{"_placeholder": True, "num": 0}]
    for _ in range(100_000):
        data = [data]
    restore(data, [b"x"])
    while isinstance(data, list):
        data = data[0]
    assert data == b"x"  # type: ignore[comparison-overlap]


def test_tuples_are_several_arguments() -> None:
    assert arguments((1, [2])) == [1, [2]]
    assert arguments([1, 2]) == [[1, 2]]
    assert arguments(None) == []
    assert arguments(0) == [0]
