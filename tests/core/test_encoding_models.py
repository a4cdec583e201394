"""Pydantic models are shown as their authors say, and secrets never."""

import base64
import contextlib
import dataclasses
import functools
import types
import typing

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
)
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    computed_field,
    field_serializer,
    model_serializer,
)

from longline.encoding import HIDDEN, encode


def shown(value: object) -> object:
    return orjson.loads(encode(value))


@dataclasses.dataclass
class Plain:
    x: object


class Pair(typing.NamedTuple):
    left: int
    right: object


class Masking(BaseModel):
    card: str = "4111"

    @field_serializer("card")
    def _mask(self, value: str) -> str:
        return "****"


class Annotated(BaseModel):
    cards: list[typing.Annotated[str, PlainSerializer(lambda _: "****")]] = ["4111"]
    left_out: str = Field("4111", exclude=True)


class Whole(BaseModel):
    card: str = "4111"

    @model_serializer
    def _mask(self) -> dict[str, str]:
        return {"card": "****"}


class Computed(BaseModel):
    a: int = 1

    @computed_field
    @property
    def double(self) -> int:
        return self.a * 2


class Aliased(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)
    a: int = Field(1, serialization_alias="the_a")


class Caching(BaseModel):
    a: int = 1

    @functools.cached_property
    def secret(self) -> str:
        return "4111"


class Dumping(BaseModel):
    card: str = "4111"

    def model_dump(self) -> dict[str, str]:  # type: ignore[override]
        return {"card": "****"}


class Free(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int = 1


class Numbers(RootModel[list[int]]):
    pass


class Animal(BaseModel):
    name: str


class Dog(Animal):
    trick: str


class Zoo(BaseModel):
    animals: list[Animal]
    last: BaseMessage | None = None
    anything: typing.Any = None


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Masking(), {"card": "****"}),
        (Annotated(), {"cards": ["****"]}),
        (Whole(), {"card": "****"}),
        (Computed(a=2), {"a": 2, "double": 4}),
        (Aliased(), {"the_a": 1}),
        (Dumping(), {"card": "****"}),
        (Free(a=2, b={3}), {"a": 2, "b": [3]}),
        (Numbers([1, 2]), [1, 2]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_model_is_shown_as_its_author_says_at_any_depth(model: BaseModel, expected: object) -> None:
    assert shown(model) == expected
    assert shown({"a": [model]}) == {"a": [expected]}
    if not isinstance(model, Dumping):  # pydantic itself does not ask a nested model's own model_dump
        assert shown(Zoo(animals=[], anything=model))["anything"] == expected
    assert shown(HumanMessage("hi", additional_kwargs={"m": model}))["additional_kwargs"] == {"m": expected}


def test_what_a_model_remembers_for_itself_is_not_shown() -> None:
    model = Caching()
    assert model.secret == "4111"
    assert shown(model) == {"a": 1}


def test_a_field_shows_what_it_holds_not_only_what_its_type_knows() -> None:
    zoo = Zoo(animals=[Dog(name="Rex", trick="roll")], last=AIMessage("hi", id="m"))
    assert shown(zoo)["animals"] == [{"name": "Rex", "trick": "roll"}]
    assert shown(zoo)["last"] == shown(AIMessage("hi", id="m"))


def test_a_field_of_another_type_than_declared_is_shown_without_a_warning() -> None:
    zoo = Zoo.model_construct(animals="none", last=5)
    assert shown(zoo) == {"animals": "none", "last": 5, "anything": None}


KEY = "sk-0123456789abcdef"
NAMES = st.sampled_from(["a", "b", "ü"])


class Keyring(BaseModel):
    key: SecretStr = SecretStr(KEY)
    raw: SecretBytes = SecretBytes(KEY.encode())
    pins: list[SecretStr] = [SecretStr(KEY)]


SECRETS = st.sampled_from(
    [SecretStr(KEY), SecretBytes(KEY.encode()), Secret[str](KEY), Keyring(), Masking(card=KEY), Plain(SecretStr(KEY))]
)
HOLDERS = st.recursive(
    SECRETS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=2),
        st.dictionaries(NAMES, inner, min_size=1, max_size=2),
        st.builds(Plain, inner),
        st.builds(lambda item: Pair(1, item), inner),
        st.builds(lambda item: Zoo(animals=[], anything=item), inner),
        st.builds(lambda item: HumanMessage("hi", additional_kwargs={"x": item}), inner),
        st.builds(lambda item: types.MappingProxyType({"x": item}), inner),
    ),
    max_leaves=5,
)


@given(HOLDERS)
def test_a_secret_is_hidden_however_deep_it_is(value: object) -> None:
    text = encode(value).decode()
    assert KEY not in text
    assert base64.b64encode(KEY.encode()).decode() not in text
    assert "**" in text


def test_a_secret_reads_as_three_stars() -> None:
    assert shown([SecretStr(KEY), SecretBytes(b"x"), Secret[int](5), Keyring()]) == [
        HIDDEN,
        HIDDEN,
        HIDDEN,
        {"key": HIDDEN, "raw": HIDDEN, "pins": [HIDDEN]},
    ]


def test_even_a_secret_as_a_key_is_not_shown() -> None:
    with contextlib.suppress(TypeError):
        assert KEY not in encode({SecretStr(KEY): 1}).decode()
