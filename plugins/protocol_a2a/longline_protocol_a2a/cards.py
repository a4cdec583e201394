"""Agent cards: what an agent tells about itself (A2A 1.0 §4.4.1; the fields of 0.3 beside them)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from longline.models.assistants import Assistant
from longline.models.json import JsonObject, JsonValue, as_object
from longline_protocol_a2a.settings import A2aSettings
from longline_protocol_a2a.skills import declared_by, skills_of
from longline_protocol_a2a.versions import CURRENT, OLD

RPC: Final = "JSONRPC"
HTTP: Final = "HTTP+JSON"

Schemes = Mapping[str, JsonObject]
"""How callers show who they are, by name: security schemes in the form of 1.0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardMaker:
    """Makes the cards of one server. `schemes` are empty where nobody needs to show who they are."""

    settings: A2aSettings
    schemes: Schemes

    def card(self, assistant: Assistant, server_url: str, *, tools: Sequence[JsonObject] = ()) -> JsonObject:
        """The card of an assistant in the form of 1.0, with the skills of its tools."""
        declared = declared_by(assistant)
        description = (assistant.description or "").strip() or f"{assistant.name} assistant"
        url = f"{server_url}{self.settings.path}/{assistant.assistant_id}"
        card: JsonObject = {
            "name": assistant.name,
            "description": description,
            "supportedInterfaces": [
                {"url": url, "protocolBinding": binding, "protocolVersion": version}
                for version in sorted(self.settings.versions, reverse=True)
                for binding in (RPC, HTTP)
            ],
            "version": str(assistant.version),
            "capabilities": {
                "streaming": True, "pushNotifications": self.settings.push.enabled,
                "extendedAgentCard": bool(self.schemes),
            },
            "defaultInputModes": [*declared.input_modes],
            "defaultOutputModes": [*declared.output_modes],
            "skills": [*skills_of(assistant, declared, description), *tools],
        }  # fmt: skip
        return {**card, **self._provided(), **self._secured()}

    def _provided(self) -> JsonObject:
        said: JsonObject = {}
        if self.settings.provider is not None:
            said["provider"] = {"organization": self.settings.provider.organization, "url": self.settings.provider.url}
        if self.settings.documentation_url:
            said["documentationUrl"] = self.settings.documentation_url
        return said

    def _secured(self) -> JsonObject:
        """Any one of the schemes will do."""
        if not self.schemes:
            return {}
        return {
            "securitySchemes": dict(self.schemes),
            "securityRequirements": [{"schemes": {name: {"list": []}}} for name in self.schemes],
        }


def shown_card(card: JsonObject, versions: Sequence[str], asked: str) -> JsonObject:
    """The card as it is handed out: with the fields of 0.3, unless only 1.0 is spoken, or was asked for: its schema has
    no room for others."""
    return card if OLD not in versions or asked.startswith(CURRENT) else with_old_fields(card)


def with_old_fields(card: JsonObject) -> JsonObject:
    """The card with what clients of 0.3 read beside what those of 1.0 read."""
    faces = [as_object(face) for face in _list(card["supportedInterfaces"])]
    old = [face for face in faces if face["protocolVersion"] == OLD]
    first, *others = old
    added: JsonObject = {
        "url": first["url"],
        "preferredTransport": first["protocolBinding"],
        "protocolVersion": OLD,
        "additionalInterfaces": [{"url": face["url"], "transport": face["protocolBinding"]} for face in others],
    }
    if as_object(card["capabilities"]).get("extendedAgentCard"):
        added["supportsAuthenticatedExtendedCard"] = True
    schemes = as_object(card.get("securitySchemes"))
    if schemes:
        added["securitySchemes"] = {
            name: {**as_object(one), **_old_scheme(as_object(one))} for name, one in schemes.items()
        }
        added["security"] = [{name: []} for name in schemes]
    return {**card, **added}


def _old_scheme(scheme: JsonObject) -> JsonObject:
    """A security scheme as OpenAPI writes it."""
    kinds = {"httpAuthSecurityScheme": "http", "openIdConnectSecurityScheme": "openIdConnect"}
    return next(({"type": kind, **as_object(scheme[name])} for name, kind in kinds.items() if name in scheme), {})


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
