"""Encryption at rest: what a cipher does, and the seal that every stored value passes through."""

import asyncio
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import orjson

from longline.errors import EncryptionError, SettingsError
from longline.models.json import JsonBytes, JsonObject, JsonValue
from longline.threads import on_loop

T = TypeVar("T")

_MARK: Final = b"\x00longline-sealed-1\x00"
"""In front of what a cipher made of bytes: what was stored before there was one is read as it is."""
_WHOLE: Final = "__value__"
_BLOCKED_SECONDS: Final = 30.0
_SAMPLE: Final[JsonObject] = {"owner": "ann", "text": "sample", "number": 1, "nothing": None, "list": [{"a": True}]}


@dataclass(frozen=True, slots=True)
class Place:
    """What a value is: the kind of thing that it belongs to, and its name there."""

    model: str
    field: str

    def __str__(self) -> str:
        return f"{self.model}.{self.field}"


_SAMPLE_PLACE: Final = Place("thread", "metadata")
_SAMPLE_BLOB: Final = Place("checkpoint", "checkpoint")


class Cipher(Protocol):
    """Turns what is stored into what nobody else can read, and back. A value may come back at another place than it was
    encrypted for. Any exception means that it cannot be done."""

    async def encrypt_json(self, place: Place, value: JsonObject) -> JsonObject:
        """The object with the same keys and other values. What stays as it is can be searched for."""
        ...

    async def decrypt_json(self, place: Place, value: JsonObject) -> JsonObject:
        """The object as it was; one that was never encrypted as it is."""
        ...

    async def encrypt_blob(self, place: Place, data: bytes) -> bytes:
        """Other bytes."""
        ...

    async def decrypt_blob(self, place: Place, data: bytes) -> bytes:
        """The bytes as they were."""
        ...


class Seal:
    """A cipher with everything round it: its errors, its rules, and values that are not objects. Made on the event loop
    on which the cipher is to work."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher
        self._loop = asyncio.get_running_loop()

    async def close(self, place: Place, value: JsonObject) -> JsonObject:
        """Encrypt an object. Raises EncryptionError."""
        if not value:
            return value
        closed = await _tried(self._cipher.encrypt_json(place, value), "encrypt", place)
        if not isinstance(closed, dict) or closed.keys() != value.keys():
            raise EncryptionError("encrypt", str(place), "the handler added or removed keys")
        try:
            orjson.dumps(closed)
        except TypeError as error:
            raise EncryptionError("encrypt", str(place), "the handler returned something that is no JSON") from error
        return closed

    async def open(self, place: Place, value: JsonObject) -> JsonObject:
        """Decrypt an object. Raises EncryptionError."""
        if not value:
            return value
        opened = await _tried(self._cipher.decrypt_json(place, value), "decrypt", place)
        if not isinstance(opened, dict):
            raise EncryptionError("decrypt", str(place), "the handler returned no object")
        if opened.keys() != value.keys():
            raise EncryptionError("decrypt", str(place), "the handler added or removed keys")
        return opened

    async def close_text(self, place: Place, text: JsonBytes) -> JsonBytes:
        """Encrypt encoded JSON. Raises EncryptionError."""
        value: JsonValue = orjson.loads(text)
        whole = value if isinstance(value, dict) and value.keys() != {_WHOLE} else {_WHOLE: value}
        return orjson.dumps(await self.close(place, whole))

    async def open_text(self, place: Place, text: JsonBytes) -> JsonBytes:
        """Decrypt encoded JSON. Raises EncryptionError."""
        value: JsonValue = orjson.loads(text)
        if not isinstance(value, dict):
            return text
        opened = await self.open(place, value)
        return orjson.dumps(opened[_WHOLE] if opened.keys() == {_WHOLE} else opened)

    async def close_blob(self, place: Place, data: bytes) -> bytes:
        """Encrypt bytes. Raises EncryptionError."""
        closed = await _tried(self._cipher.encrypt_blob(place, data), "encrypt", place)
        if not isinstance(closed, bytes):
            raise EncryptionError("encrypt", str(place), "the handler returned no bytes")
        return _MARK + closed

    async def open_blob(self, place: Place, data: bytes) -> bytes:
        """Decrypt bytes; those that were never encrypted as they are. Raises EncryptionError."""
        if not data.startswith(_MARK):
            return data
        opened = await _tried(self._cipher.decrypt_blob(place, data[len(_MARK) :]), "decrypt", place)
        if not isinstance(opened, bytes):
            raise EncryptionError("decrypt", str(place), "the handler returned no bytes")
        return opened

    async def works(self) -> bool:
        """Whether the cipher encrypts a sample just now. Then what it refuses is at fault, not a key service that is
        away."""
        try:
            await self.close(_SAMPLE_PLACE, _SAMPLE)
            await self.close_blob(_SAMPLE_BLOB, orjson.dumps(_SAMPLE))
        except EncryptionError:
            return False
        return True

    def from_thread(self, work: Coroutine[object, object, T]) -> T:
        """The result of work on the event loop, for another thread: that of a node, or of a storage in the middle of a
        transaction. Raises what the work raises, EncryptionError if that takes too long, and InvalidStateError on the
        event loop itself, which would wait for itself."""
        try:
            return on_loop(work, self._loop, most_seconds=_BLOCKED_SECONDS)
        except TimeoutError as error:
            raise EncryptionError("encrypt", "in time", type(error).__name__) from error


async def check_cipher(seal: Seal, *, is_owner_searched: bool) -> None:
    """Encrypt and decrypt a sample. With `is_owner_searched` storages look for `owner` in metadata: it must stay
    readable. Raises EncryptionError, SettingsError."""
    place, sample = _SAMPLE_PLACE, _SAMPLE
    closed = await seal.close(place, sample)
    if await seal.open(place, closed) != sample:
        raise EncryptionError("decrypt", str(place), "the handlers do not give back what they were given")
    blob = orjson.dumps(sample)
    if await seal.open_blob(_SAMPLE_BLOB, await seal.close_blob(_SAMPLE_BLOB, blob)) != blob:
        raise EncryptionError("decrypt", str(_SAMPLE_BLOB), "the handlers do not give back what they were given")
    if is_owner_searched and closed["owner"] != sample["owner"]:
        raise SettingsError(
            ["encryption: encrypt.json must leave the key 'owner' of metadata as it is: it says who may see a thing"]
        )


async def _tried(work: Awaitable[T], verb: str, place: Place) -> T:
    try:
        return await work
    except EncryptionError:
        raise
    except Exception as error:  # a handler is somebody's own code, and its message may hold what it was given
        raise EncryptionError(verb, str(place), type(error).__name__) from error
