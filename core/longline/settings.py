"""A mapping → validated sections, one frozen model each. Nothing here reads the environment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Final, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails

from longline.errors import SettingsError

LONGEST_MINUTES: Final = 52_560_000
"""A hundred years: more would not fit every storage's clock."""


class SettingsModel(BaseModel):
    """The base of every settings section: frozen, and a key it does not know stops the start."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _count_of_workers(value: object) -> object:
    """`auto` is another word for 0."""
    return 0 if value == "auto" else value


class ServerSettings(SettingsModel):
    """How this server runs, whatever its plugins."""

    database: str = Field("sqlite:///.longline/longline.db", description="Where everything is kept, as a URL.")
    broker: str = Field("", description="How processes signal each other, as a URL. Empty: what the database offers.")
    runs: int = Field(10, ge=1, le=10_000, description="How many runs each process executes at once.")
    workers: Annotated[Annotated[int, Field(ge=0, le=256)] | None, BeforeValidator(_count_of_workers)] = Field(
        None,
        description="How many processes `longline serve` runs; `auto` or 0: one for each core. Unset: one for each "
        "core, at most 4, on a database that processes can share; else 1.",
    )
    lease_seconds: float = Field(
        4.0, gt=0.2, description="Seconds without a heartbeat after which a run is taken over."
    )
    heartbeat_seconds: float = Field(1.0, gt=0.05, description="Seconds between heartbeats.")
    poll_seconds: float = Field(0.5, gt=0.01, description="Seconds between looks at the queue: the net below signals.")
    drain_seconds: float = Field(
        10.0,
        ge=0,
        description="Seconds that running runs get to end at shutdown; then they go back to the queue. `longline "
        "serve`: 20; `longline dev`: 0.3.",
    )
    max_attempts: int = Field(5, ge=1, description="Attempts after which a run that keeps killing its worker ends.")
    max_body_mib: float = Field(25.0, gt=0, description="Largest request body in MiB; a larger one is answered 413.")

    @property
    def database_scheme(self) -> str:
        """What kind of database it is; the rest of its URL may hold a password."""
        return self.database.partition("://")[0].partition("+")[0]

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


_Minutes = Annotated[float, Field(ge=0, le=LONGEST_MINUTES)]
_Interval = Annotated[float, Field(gt=0, le=LONGEST_MINUTES)]


class ThreadTtlSettings(SettingsModel):
    """How long new threads stay when their creator does not say."""

    strategy: Literal["delete", "keep_latest"] = Field(
        "delete", description="What happens then: the thread goes, or only its older checkpoints."
    )
    default_ttl: _Minutes | None = Field(None, description="Minutes after the last activity. Unset: threads stay.")
    sweep_interval_minutes: _Interval | None = Field(None, description="Minutes between sweeps. Unset: 5.")
    sweep_limit: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="Threads that one batch of a sweep looks at. Unset: 100."
    )


class SerdeSettings(SettingsModel):
    """What may be rebuilt from a checkpoint, as LangGraph's serializer takes it."""

    allowed_json_modules: list[list[str]] | bool | None = Field(
        None, description="Classes, as lists of module path and name, that old JSON checkpoints may hold; true: all."
    )
    allowed_msgpack_modules: list[list[str]] | bool | None = Field(
        None, description="Classes, as [module, name], that checkpoints may hold; true: all; false: only safe ones."
    )
    pickle_fallback: bool = Field(False, description="Whether values that nothing else can hold are pickled.")


class ThreadsSettings(SettingsModel):
    """How long threads and what belongs to them stay; `checkpointer` of a langgraph.json."""

    ttl: ThreadTtlSettings | None = Field(None, description="How long new threads stay.")
    stream_ttl_minutes: _Minutes | None = Field(
        1440.0, description="Minutes for which the kept stream of an ended run can be read again. `null`: no limit."
    )
    serde: SerdeSettings | None = Field(None, description="What may be rebuilt from a checkpoint.")
    path: str = Field(
        "",
        description="./file.py:name of a LangGraph checkpointer, or of what gives one. Empty: checkpoints are kept in "
        "the server's database.",
    )


class ItemIndexSettings(SettingsModel):
    """What makes items searchable by meaning."""

    dims: int = Field(ge=1, le=65_536, description="How many numbers a vector has.")
    embed: str = Field(min_length=1, description="./file.py:function (texts to vectors) or provider:model.")
    fields: list[str] | None = Field(None, description="Which parts of a value are embedded. Unset: all of it.")


class ItemTtlSettings(SettingsModel):
    """How long items stay when their creator does not say."""

    default_ttl: _Minutes | None = Field(None, description="Minutes. Unset: items stay.")
    refresh_on_read: bool = Field(True, description="Whether reading an item gives it its whole time again.")
    sweep_interval_minutes: _Interval | None = Field(None, description="Minutes between sweeps. Unset: 5.")


class ItemsSettings(SettingsModel):
    """Long-term memory; `store` of a langgraph.json."""

    index: ItemIndexSettings | None = Field(None, description="What makes items searchable by meaning.")
    ttl: ItemTtlSettings | None = Field(None, description="How long items stay.")


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
    SettingsSection("threads", ThreadsSettings),
    SettingsSection("items", ItemsSettings),
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
    if fault["type"] == "extra_forbidden":
        *above, key = (str(part) for part in fault["loc"])
        known = _fields_at(model, above)
        table = ".".join((section, *above))
        return f"unknown setting {place}{_hint(key, known)}; [{table}] takes: {', '.join(known)}"
    return f"bad value for {place}: {str(fault['msg']).removeprefix('Value error, ')[:200]}"


def _fields_at(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    """The keys that a model takes, or the model in it that the path leads to."""
    for part in path:
        field = model.model_fields.get(part)
        models = _models_in(field.annotation) if field is not None else []
        if models:
            model = models[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """The models that a field of this type may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _hint(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
