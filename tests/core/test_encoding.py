"""Values become the JSON that the LangGraph Server API shows."""

import collections
import dataclasses
import datetime
import decimal
import enum
import ipaddress
import math
import pathlib
import re
import types
import typing
import uuid
import zoneinfo

import orjson
import pytest
from langchain_core.documents import Document
from langchain_core.messages import (
    HumanMessage,
)
from langgraph.types import Interrupt
from pydantic import (
    BaseModel,
)

from longline.encoding import encode


def shown(value: object) -> object:
    return orjson.loads(encode(value))


class Letter(enum.Enum):
    A = "a"


class Point(BaseModel):
    a: int = 1
    d: datetime.datetime = datetime.datetime(2020, 1, 1)  # as recorded


@dataclasses.dataclass
class Plain:
    x: object = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    x: object = 1
    _hidden: int = 2


class Pair(typing.NamedTuple):
    left: int
    right: object


GOLDEN = (
    '{"v":{"dt":"2020-01-02T03:04:05.000678","dtz":"2020-01-02T00:00:00+00:00","date":"2020-01-02","time":"01:02:00",'
    '"td":90.0,"uuid":"00000000-0000-0000-0000-000000000001","dec":1.5,"bytes":"AP9hYmM=","set":[1],"fset":[2],'
    '"tuple":[1,2],"nan":null,"inf":null,"pyd":{"a":1,"d":"2020-01-01T00:00:00"},"dc":{"x":1},"enum":"a","path":"/x/y",'
    '"ip":"10.0.0.1","intkey":{"1":"a"},"emoji":"zażółć 🚀","doc":{"id":null,"metadata":{"m":1},"page_content":"p",'
    '"type":"Document"},"msg":{"content":"hi","additional_kwargs":{},"response_metadata":{},"type":"human","name":null,'
    '"id":"m1"}}}'
)


def test_every_type_is_shown_as_recorded_from_the_reference() -> None:
    utc = datetime.UTC
    values = {
        "dt": datetime.datetime(2020, 1, 2, 3, 4, 5, 678),  # as recorded
        "dtz": datetime.datetime(2020, 1, 2, tzinfo=utc),
        "date": datetime.date(2020, 1, 2),
        "time": datetime.time(1, 2),
        "td": datetime.timedelta(seconds=90),
        "uuid": uuid.UUID(int=1),
        "dec": decimal.Decimal("1.50"),
        "bytes": b"\x00\xffabc",
        "set": {1},
        "fset": frozenset([2]),
        "tuple": (1, 2),
        "nan": math.nan,
        "inf": math.inf,
        "pyd": Point(),
        "dc": Plain(),
        "enum": Letter.A,
        "path": pathlib.Path("/x/y"),
        "ip": ipaddress.ip_address("10.0.0.1"),
        "intkey": {1: "a"},
        "emoji": "zażółć 🚀",
        "doc": Document(page_content="p", metadata={"m": 1}),
        "msg": HumanMessage("hi", id="m1"),
    }
    assert encode({"v": values}).decode() == GOLDEN


def _stable(value: object) -> str:
    """A test id without addresses: every process that collects must find the same ones."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (decimal.Decimal(3), 3),
        (decimal.Decimal("-3.25"), -3.25),
        (decimal.Decimal("1E+2"), 100.0),
        (decimal.Decimal(2) ** 100, float(2**100)),
        (decimal.Decimal("NaN"), None),
        (decimal.Decimal("Infinity"), None),
        (datetime.timedelta(days=1, microseconds=5), 86400.000005),
        (bytearray(b"abc"), "YWJj"),
        (memoryview(b"abc"), "YWJj"),
        (Slotted(), {"x": 1, "_hidden": 2}),
        (Pair(1, {2}), {"left": 1, "right": [2]}),
        (types.MappingProxyType({"a": {1}}), {"a": [1]}),
        (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (collections.deque([1, 2]), [1, 2]),
        (range(3), [0, 1, 2]),
        ({"a": 1}.keys(), ["a"]),
        (ValueError("boom"), {"error": "ValueError", "message": "boom"}),
        (re.compile("a+b"), "a+b"),
        (re.compile(""), ""),
        (ipaddress.ip_network("10.0.0.0/30"), "10.0.0.0/30"),
        (zoneinfo.ZoneInfo("UTC"), "UTC"),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        (Plain, "tests.core.test_encoding.Plain"),
        (Interrupt(value={1}, id="i"), {"value": [1], "id": "i"}),
        ({1.5: 1, None: 2, True: 3, uuid.UUID(int=1): 4, Letter.A: 5, datetime.date(2020, 1, 1): 6},
         {"1.5": 1, "null": 2, "true": 3, str(uuid.UUID(int=1)): 4, "a": 5, "2020-01-01": 6}),
        (2**63 - 1, 2**63 - 1),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
    ],
    ids=_stable,
)  # fmt: skip
def test_values_have_their_json_form(value: object, expected: object) -> None:
    found = shown({"v": value})["v"]
    if isinstance(value, type):
        assert str(found).endswith("test_encoding.Plain")
    elif isinstance(expected, dict):
        assert {key: item for key, item in found.items() if key in expected} == expected
    else:
        assert found == expected
        assert type(found) is type(expected)


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, 10**30, object(), lambda: 1, (n for n in [1])], ids=_stable)
def test_what_has_no_json_form_is_a_type_error_at_any_depth(value: object) -> None:
    for nested in (value, [value], {"a": {"b": (value,)}}, Plain(value), Pair(1, value)):
        with pytest.raises(TypeError):
            encode(nested)


def test_other_libraries_values_are_asked_for_their_own_form() -> None:
    class Frame:
        def to_dict(self) -> dict[str, object]:
            return {"rows": {1}}

    class Array:
        def tolist(self) -> list[object]:
            return [1, b"a"]

    class Old:
        def dict(self) -> dict[str, object]:
            return {"old": True}

    class Alike:
        def model_dump(self) -> dict[str, object]:
            return {"new": True}

    assert shown([Frame(), Array(), Old(), Alike()]) == [{"rows": [1]}, [1, "YQ=="], {"old": True}, {"new": True}]
