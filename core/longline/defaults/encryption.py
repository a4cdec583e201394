"""The `langgraph_sdk.Encryption` object of a project as the server's cipher."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from pydantic import Field

from longline.defaults.project_objects import load_project_object
from longline.errors import SettingsError
from longline.models.json import JsonObject
from longline.settings import ItemsSettings, Settings, SettingsModel
from longline.storage.cipher import Cipher, Place

T = TypeVar("T")

_HANDLERS: Final = ("_json_encryptor", "_json_decryptor", "_blob_encryptor", "_blob_decryptor")


class EncryptionSettings(SettingsModel):
    """Encryption at rest; `encryption` of a langgraph.json."""

    path: str = Field(
        "", description="./file.py:name of a `langgraph_sdk.Encryption` object. Empty: nothing is encrypted."
    )


def ciphers(settings: Settings) -> Sequence[Cipher]:
    """The cipher that the settings name, if they name one. Raises SettingsError."""
    path = settings.section(EncryptionSettings).path
    if not path:
        return []
    found: Any = load_project_object("encryption.path", path, settings)  # an object of the project's
    faults = _faults(found)
    if settings.section(ItemsSettings).index is not None:
        faults.append("items.index: vectors tell what the values say, so they cannot be kept beside encrypted items")
    if faults:
        raise SettingsError([f"encryption.path {path!r}: {fault}" for fault in faults])
    return [SdkCipher(found)]


class SdkCipher:
    """See Cipher. The handlers of an `Encryption` object; a pair that is not there encrypts nothing of its kind."""

    def __init__(self, encryption: Any) -> None:
        self._context = encryption.types.EncryptionContext
        self._encrypt_json, self._decrypt_json, self._encrypt_blob, self._decrypt_blob = (
            getattr(encryption, name) for name in _HANDLERS
        )

    async def encrypt_json(self, place: Place, value: JsonObject) -> JsonObject:
        """See Cipher."""
        return await self._call(self._encrypt_json, place, value)

    async def decrypt_json(self, place: Place, value: JsonObject) -> JsonObject:
        """See Cipher."""
        return await self._call(self._decrypt_json, place, value)

    async def encrypt_blob(self, place: Place, data: bytes) -> bytes:
        """See Cipher."""
        return await self._call(self._encrypt_blob, place, data)

    async def decrypt_blob(self, place: Place, data: bytes) -> bytes:
        """See Cipher."""
        return await self._call(self._decrypt_blob, place, data)

    async def _call(self, handler: Callable[[object, T], Awaitable[Any]] | None, place: Place, value: T) -> T:
        if handler is None:
            return value
        found = await handler(self._context(model=place.model, field=place.field), value)
        plain: T = getattr(found, "plaintext", found)  # a DecryptResult: its replacement is not stored
        return plain


def _faults(found: Any) -> list[str]:
    """What keeps an object from being used. What it asks for and cannot get is never left out in silence."""
    if not hasattr(found, "types") or not all(hasattr(found, name) for name in _HANDLERS):
        return [f"a langgraph_sdk.Encryption object is expected, got {type(found).__name__}"]
    faults = []
    for kind in ("json", "blob"):
        pair = [getattr(found, f"_{kind}_{role}") for role in ("encryptor", "decryptor")]
        if any(pair) and not all(pair):
            faults.append(f"its {kind} handlers must come in pairs: encrypt.{kind} and decrypt.{kind}")
        faults += [
            f"{handler!r} is not async" for handler in pair if handler and not inspect.iscoroutinefunction(handler)
        ]
    if not any(getattr(found, name) for name in _HANDLERS):
        faults.append("it has no handlers")
    if getattr(found, "_context_handler", None) is not None:
        faults.append(
            "encryption.context is not supported: values are read by workers that no request belongs to. Remove the "
            "handler, and take what keys depend on from the process"
        )
    return faults
