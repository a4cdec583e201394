"""The seal round a cipher: its rules, its errors, values of every kind."""

import asyncio
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph_sdk import EncryptionContext
from tests.core.storage.handlers import aes, new_encryption

from longline.defaults.encryption import SdkCipher
from longline.errors import EncryptionError
from longline.models.json import JsonObject
from longline.storage.cipher import Place, Seal

pytestmark = pytest.mark.anyio

PLACE = Place("thread", "values")
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(SCALARS | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=10)


def seal(key: bytes | None = None) -> Seal:
    return Seal(SdkCipher(aes(key or os.urandom(32))))


@given(st.dictionaries(TEXTS, VALUES))
@settings(max_examples=60, deadline=None)
def test_an_object_comes_back_as_it_was(value: JsonObject) -> None:
    async def there_and_back() -> None:
        cipher = seal()
        closed = await cipher.close(PLACE, value)
        assert closed.keys() == value.keys()
        assert await cipher.open(PLACE, closed) == value

    asyncio.run(there_and_back())


@pytest.mark.parametrize("text", [b"null", b"5", b'"text"', b"[1,2]", b"{}", b'{"a":1}', b'{"__value__":{"b":2}}'])
async def test_json_of_every_kind_comes_back(text: bytes) -> None:
    cipher = seal()
    assert await cipher.open_text(PLACE, await cipher.close_text(PLACE, text)) == text


async def test_bytes_come_back_and_clear_ones_are_read_as_they_are() -> None:
    cipher = seal()
    assert b"data" not in (closed := await cipher.close_blob(PLACE, b"data"))
    assert await cipher.open_blob(PLACE, closed) == b"data"
    assert await cipher.open_blob(PLACE, b"from before") == b"from before"


async def test_an_error_names_the_place_and_never_the_value() -> None:
    closed = await seal().close(PLACE, {"note": "of great value"})
    with pytest.raises(EncryptionError, match=r"cannot decrypt thread.values: InvalidTag") as caught:
        await seal().open(PLACE, closed)
    assert "of great value" not in str(caught.value)


async def test_an_object_that_comes_back_with_other_keys_was_not_decrypted() -> None:
    encryption = new_encryption()

    @encryption.encrypt.json
    async def encrypt_json(ctx: EncryptionContext, data: dict[str, Any]) -> dict[str, Any]:
        return data

    @encryption.decrypt.json
    async def decrypt_json(ctx: EncryptionContext, data: dict[str, Any]) -> dict[str, Any]:
        return {"odd": 1}

    with pytest.raises(EncryptionError, match="the handler added or removed keys"):
        await Seal(SdkCipher(encryption)).open(PLACE, {"a": 1})


async def test_what_is_replaced_on_reading_is_read() -> None:
    """`DecryptResult` is how handlers say that a value should be written anew."""
    key = os.urandom(32)
    rotating, old = new_encryption(), aes(key)
    assert old._blob_decryptor is not None
    decrypt = old._blob_decryptor

    async def decrypt_blob(ctx: object, blob: bytes) -> object:
        return rotating.types.DecryptResult(plaintext=await decrypt(ctx, blob), replacement=b"newer")

    rotating._blob_encryptor, rotating._blob_decryptor = old._blob_encryptor, decrypt_blob
    closed = await seal(key).close_blob(PLACE, b"data")
    assert await Seal(SdkCipher(rotating)).open_blob(PLACE, closed) == b"data"


async def test_a_thread_waits_for_the_loop_and_the_loop_not_for_itself() -> None:
    cipher = seal()
    assert await asyncio.to_thread(lambda: cipher.from_thread(cipher.close(PLACE, {}))) == {}
    with pytest.raises(asyncio.InvalidStateError):
        cipher.from_thread(cipher.close(PLACE, {}))
