"""A mapping → validated sections, one frozen model each. Nothing here reads the environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails

from longline.errors import SettingsError


class SettingsModel(BaseModel):
    """The base of every settings section: frozen, and a key it does not know stops the start."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ServerSettings(SettingsModel):
    """How this server runs, whatever its plugins."""

    database: str = Field("sqlite:///.longline/longline.db", description="Where everything is kept, as a URL.")
    broker: str = Field("", description="How processes signal each other, as a URL. Empty: what the database offers.")
    runs: int = Field(10, ge=1, le=10_000, description="How many runs this process executes at once.")
    lease_seconds: float = Field(
        4.0, gt=0.2, description="Seconds without a heartbeat after which a run is taken over."
    )
    heartbeat_seconds: float = Field(1.0, gt=0.05, description="Seconds between heartbeats.")
    poll_seconds: float = Field(0.5, gt=0.01, description="Seconds between looks at the queue: the net below signals.")
    drain_seconds: float = Field(10.0, ge=0, description="Seconds that running runs get to end at shutdown.")
    max_attempts: int = Field(5, ge=1, description="Attempts after which a run that keeps killing its worker ends.")
    max_body_mib: float = Field(25.0, gt=0, description="Largest request body in MiB; a larger one is answered 413.")

    @model_validator(mode="after")
    def _beats_in_time(self) -> Self:
        if self.heartbeat_seconds >= self.lease_seconds:
            raise ValueError("heartbeat_seconds must be less than lease_seconds")  # noqa: TRY003  # for pydantic
        return self


class PluginSettings(SettingsModel):
    """Which plugins take part."""

    enable: list[str] | None = Field(None, description="The plugins to use. Unset: the host's choice.")
    disable: list[str] = Field(default_factory=list, description="Plugins to leave out.")


class AuthSettings(SettingsModel):
    """Who is let in."""

    order: list[str] = Field(
        default_factory=list, description="Authenticators in the order they are tried. Empty: by name."
    )


class SecretSettings(SettingsModel):
    """How secrets in configurations are kept."""

    key: SecretStr = Field(
        SecretStr(""), description="32 random bytes, base64: encrypts secrets at rest. `longline dev` makes one."
    )
    extra_names: list[str] = Field(default_factory=list, description="Further config keys whose values are secrets.")


@dataclass(frozen=True, slots=True)
class SettingsSection:
    """A section of the configuration: its name (a table of longline.toml) and its model."""

    name: str
    model: type[SettingsModel]


CORE_SECTIONS = (
    SettingsSection("server", ServerSettings),
    SettingsSection("plugins", PluginSettings),
    SettingsSection("auth", AuthSettings),
    SettingsSection("secrets", SecretSettings),
)

M = TypeVar("M", bound=SettingsModel)


class Settings:
    """The validated configuration. A plugin reads its own section by its model."""

    def __init__(self, sections: Mapping[str, SettingsModel]) -> None:
        self._sections = dict(sections)

    def section(self, model: type[M]) -> M:
        """The section of this model. Raises SettingsError if no plugin registered it."""
        for found in self._sections.values():
            if isinstance(found, model):
                return found
        raise SettingsError([f"no settings section of type {model.__name__} is registered"])


def parse_settings(values: Mapping[str, object], sections: Sequence[SettingsSection]) -> Settings:
    """Validate every section. Raises SettingsError that names each fault, with the accepted keys."""
    models = {section.name: section.model for section in sections}
    faults = [
        f"unknown section [{name}]{_hint(name, models)}; sections: {', '.join(sorted(models))}"
        for name in values
        if name not in models
    ]
    parsed: dict[str, SettingsModel] = {}
    for name, model in models.items():
        try:
            parsed[name] = model.model_validate(values.get(name, {}))
        except ValidationError as error:
            faults += [_fault(name, model, fault) for fault in error.errors(include_url=False, include_input=False)]
    if faults:
        raise SettingsError(faults)
    return Settings(parsed)


def _fault(section: str, model: type[SettingsModel], fault: ErrorDetails) -> str:
    place = ".".join(str(part) for part in (section, *fault["loc"]))
    if fault["type"] == "extra_forbidden" and len(fault["loc"]) > 1:
        return f"unknown setting {place}"
    if fault["type"] == "extra_forbidden":
        key = str(fault["loc"][-1])
        known = model.model_fields
        return f"unknown setting {place}{_hint(key, known)}; [{section}] takes: {', '.join(known)}"
    return f"bad value for {place}: {str(fault['msg']).removeprefix('Value error, ')[:200]}"


def _hint(name: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
