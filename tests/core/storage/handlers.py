"""Encryption handlers as a project has them: AES-GCM with a key, key by key, as LangGraph's documentation shows."""

import base64
import json
import os
import warnings
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from langgraph_sdk import Encryption, EncryptionContext
from langgraph_sdk.encryption import LangGraphBetaWarning

PREFIX = "enc:"
CLEAR = frozenset({"owner", "graph_id", "assistant_id", "thread_id", "kind"})


def new_encryption() -> Encryption:
    """An object without handlers. It warns that it may change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LangGraphBetaWarning)
        return Encryption()


def aes(key: bytes, seen: list[tuple[str | None, str | None]] | None = None) -> Encryption:
    """An object with all four handlers. `seen` collects for what they are called."""
    encryption, cipher = new_encryption(), AESGCM(key)

    def note(ctx: EncryptionContext) -> None:
        if seen is not None:
            seen.append((ctx.model, ctx.field))

    @encryption.encrypt.blob
    async def encrypt_blob(ctx: EncryptionContext, blob: bytes) -> bytes:
        note(ctx)
        nonce = os.urandom(12)
        return nonce + cipher.encrypt(nonce, blob, None)

    @encryption.decrypt.blob
    async def decrypt_blob(ctx: EncryptionContext, blob: bytes) -> bytes:
        return cipher.decrypt(blob[:12], blob[12:], None)

    @encryption.encrypt.json
    async def encrypt_json(ctx: EncryptionContext, data: dict[str, Any]) -> dict[str, Any]:
        note(ctx)
        return {
            key: value
            if key in CLEAR or value is None
            else PREFIX + base64.b64encode(await encrypt_blob(ctx, json.dumps(value).encode())).decode()
            for key, value in data.items()
        }

    @encryption.decrypt.json
    async def decrypt_json(ctx: EncryptionContext, data: dict[str, Any]) -> dict[str, Any]:
        return {
            key: json.loads(await decrypt_blob(ctx, base64.b64decode(value.removeprefix(PREFIX))))
            if isinstance(value, str) and value.startswith(PREFIX)
            else value
            for key, value in data.items()
        }

    return encryption
