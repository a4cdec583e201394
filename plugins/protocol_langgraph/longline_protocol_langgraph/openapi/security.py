"""What the document says about credentials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from longline.models.json import JsonObject
from longline_protocol_langgraph.settings import LangGraphApiSettings

Requirements = Sequence[Mapping[str, Sequence[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """How callers show who they are. `paths` says where it differs: path → method → what is asked for."""

    schemes: JsonObject
    everywhere: Requirements
    paths: Mapping[str, Mapping[str, Requirements]] = field(default_factory=dict)


_USUAL: Final = Security(
    schemes={
        "bearer": {"type": "http", "scheme": "bearer"},
        "api_key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    },
    everywhere=({"bearer": ()}, {"api_key": ()}),
)
"""What clients of this API send."""


def security_of(settings: LangGraphApiSettings) -> Security:
    """What the project says about its own authentication, or what is usual."""
    said = settings.auth.openapi if settings.auth is not None else None
    if said is None or not said.security_schemes:
        return _USUAL
    schemes = cast("JsonObject", said.security_schemes)  # it came as JSON, or as TOML
    return Security(schemes=schemes, everywhere=said.security, paths=said.paths)
