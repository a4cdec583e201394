"""Writes of checkpoints, as pieces of work that a transaction may be made of."""

from collections.abc import Awaitable, Callable, Mapping

from longline.errors import LeaseLostError
from longline.models.runs import Lease
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.pruning import kept_checkpoints
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("checkpoints")

Write = Callable[[Connection, Lease | None], Awaitable[None]]
"""A write with the lease that must stand for it. Raises LeaseLostError."""


def stored(name: str, row: Mapping[str, object]) -> Write:
    """A statement that looks at the lease itself."""

    async def write(connection: Connection, lease: Lease | None) -> None:
        whose = {
            "lease_run_id": lease.run_id if lease is not None else None,
            "attempt": lease.attempt if lease is not None else None,
            "owner": lease.owner if lease is not None else None,
        }
        found = await (await connection.execute(_SQL[name], {**row, **whose})).fetchone()
        if lease is not None and (found is None or not found["is_stored"]):
            raise LeaseLostError(lease.run_id, lease.attempt)

    return write


def done(name: str, row: Mapping[str, object]) -> Write:
    """A statement under a lease that the transaction holds."""

    async def write(connection: Connection, lease: Lease | None) -> None:  # noqa: ARG001  # held by the transaction
        await connection.execute(_SQL[name], row)

    return write


def pruned(thread_id: str) -> Write:
    """All of a thread goes but what its latest state needs, under a lease that the transaction holds."""

    async def write(connection: Connection, lease: Lease | None) -> None:  # noqa: ARG001  # held by the transaction
        kept = sorted(await kept_checkpoints(connection, thread_id))
        row = {
            "thread_id": thread_id,
            "kept_ns": [namespace for namespace, _ in kept],
            "kept_ids": [checkpoint_id for _, checkpoint_id in kept],
        }
        for name in ("delete_other_checkpoints", "delete_other_writes", "delete_unused_blobs"):
            await connection.execute(_SQL[name], row)

    return write
