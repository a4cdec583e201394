"""LangGraph's own suite for savers, over a saver behind a cipher."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import validate
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer
from tests.core.storage.handlers import aes, new_encryption

from longline.defaults.encryption import SdkCipher
from longline.storage.encrypted import EncryptedStorage
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend


@pytest.mark.anyio
async def test_a_saver_whose_metadata_can_be_searched_passes_the_whole_suite(tmp_path: Path) -> None:
    """The suite filters by metadata of its own, so only blobs are encrypted."""
    real, encryption = aes(os.urandom(32)), new_encryption()
    encryption._blob_encryptor, encryption._blob_decryptor = real._blob_encryptor, real._blob_decryptor
    numbers = iter(range(1000))

    async def savers() -> AsyncGenerator[BaseCheckpointSaver[str], None]:
        file = tmp_path / f"{next(numbers)}.db"
        async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{file}") as storage:
            yield await EncryptedStorage(storage, SdkCipher(encryption)).checkpointer()

    report = await validate(RegisteredCheckpointer("encrypted", savers))
    results = {name: (result.passed, result.failures) for name, result in report.results.items()}
    assert results == {capability.value: (True, []) for capability in Capability}
