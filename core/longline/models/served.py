"""What is served where, for who comes to the front door."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedProtocol:
    """A protocol at its place. `pages` are what a person may open, by name: whole paths, or URLs of other sites."""

    path: str
    title: str
    pages: Mapping[str, str]
