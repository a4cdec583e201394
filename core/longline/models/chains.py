"""Chains: runs that are one piece of work together."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """The newest run of a chain, with its verdict, as somebody saw it: what is done to the chain next is done only if
    that still holds."""

    run_id: str
    verdict: str | None
