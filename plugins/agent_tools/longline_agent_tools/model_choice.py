"""Which model a run talks to, where, and with whose key: decided here, before anything heavy is imported."""

from dataclasses import dataclass, field
from typing import Final

from pydantic import SecretStr

from longline.auth.secret_urls import hide_in_url
from longline_agent_tools.configuration import AgentConfig
from longline_agent_tools.errors import BadModelNameError, ModelKeyMissingError, UnsendableKeyError
from longline_agent_tools.model_names import ModelName, check_base_url, describe_endpoint, parse_model_name
from longline_agent_tools.settings import AgentToolsSettings

NO_KEY: Final = SecretStr("none")
"""What is sent to endpoints for which nobody gave a key: local servers take anything, the others refuse it."""

_DEMO: Final = "demo"
_OPENAI: Final = "openai"
_CUSTOM: Final = "custom"
# Providers whose key goes by another name than theirs.
_KEY_NAMES: Final = {
    "google_genai": "GOOGLE_API_KEY",
    "google_vertexai": "GOOGLE_API_KEY",
    "mistralai": "MISTRAL_API_KEY",
    "perplexity": "PPLX_API_KEY",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """A model, complete. Two choices are equal if they differ in nothing but the key."""

    provider: str
    model: str
    base_url: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    key: SecretStr | None = field(default=None, repr=False, compare=False)
    is_private: bool = False
    """Whether a key came with the run's configuration: then nothing made with it is kept for other runs."""

    @property
    def name(self) -> str:
        """The model as people write it."""
        return f"{self.provider}:{self.model}"

    @property
    def endpoint(self) -> str:
        """Where it is, without anything secret."""
        is_openai = self.provider == _OPENAI
        return describe_endpoint(self.base_url) if self.base_url or is_openai else f"the provider {self.provider}"


def demo_choice(config: AgentConfig) -> ModelChoice:
    """The model that needs nothing."""
    return ModelChoice(provider=_DEMO, model="", max_tokens=config.max_tokens)


def choose_model(config: AgentConfig, settings: AgentToolsSettings) -> ModelChoice:
    """The model of a run: what its configuration names, else what the operator chose.

    Keys of the operator go to the operator's endpoints only: a base_url from the configuration gets a key from the
    configuration, or none. Raises InvalidInputError, or ModelKeyMissingError where OpenAI is to be called without key.
    """
    name = _name(config, settings)
    if name.provider == _DEMO:
        return demo_choice(config)
    if name.provider == _CUSTOM:
        return _openai(config, settings, _custom_name(name, config, settings))
    if name.provider == _OPENAI:
        return _openai(config, settings, name.model or settings.default_openai_model)
    if not name.model:
        raise BadModelNameError(str(name), "names no model")
    return _other(config, name)


def _name(config: AgentConfig, settings: AgentToolsSettings) -> ModelName:
    if config.model_name:
        return parse_model_name(config.model_name)
    if config.base_url or config.custom_model_name:
        return ModelName(_CUSTOM, "")
    if settings.model_name:
        return parse_model_name(settings.model_name)
    keys = (settings.openai_api_key.get_secret_value(), _given_key(config, _OPENAI))
    return ModelName(_OPENAI if settings.openai_base_url or any(keys) else _DEMO, "")


def _custom_name(name: ModelName, config: AgentConfig, settings: AgentToolsSettings) -> str:
    if not config.base_url and not settings.openai_base_url:
        raise BadModelNameError(str(name), "needs base_url")
    return name.model or config.custom_model_name or settings.default_openai_model


def _openai(config: AgentConfig, settings: AgentToolsSettings, model: str) -> ModelChoice:
    theirs = check_base_url(config.base_url) if config.base_url else None
    ours = settings.openai_base_url or None
    given = _given_key(config, _OPENAI)
    is_ours = theirs in (None, ours)
    operators = settings.openai_api_key if is_ours and settings.openai_api_key.get_secret_value() else None
    base_url = theirs or ours
    if given is None and operators is None and base_url is None:
        raise ModelKeyMissingError(f"{_OPENAI}:{model}", "OPENAI_API_KEY")
    return ModelChoice(
        provider=_OPENAI,
        model=model,
        base_url=base_url,
        temperature=config.temperature,
        max_tokens=config.max_tokens,
        key=_sendable(given or operators or NO_KEY),
        is_private=given is not None or _holds_secret(theirs),
    )


def _other(config: AgentConfig, name: ModelName) -> ModelChoice:
    base_url = check_base_url(config.base_url) if config.base_url else None
    given = _given_key(config, name.provider)
    # Without a key these packages look into the environment, whose keys are not for a caller's endpoint.
    key = given or (NO_KEY if base_url else None)
    return ModelChoice(
        provider=name.provider,
        model=name.model,
        base_url=base_url,
        temperature=config.temperature,
        max_tokens=config.max_tokens,
        key=_sendable(key) if key is not None else None,
        is_private=given is not None or _holds_secret(base_url),
    )


def _given_key(config: AgentConfig, provider: str) -> SecretStr | None:
    """The key that the configuration brings: next to a base_url its own one comes first, else the provider's."""
    named = config.key_named(_KEY_NAMES.get(provider, f"{provider.upper()}_API_KEY"))
    return (config.own_key or named) if config.base_url else (named or config.own_key)


def _holds_secret(url: str | None) -> bool:
    return url is not None and hide_in_url(url) != url


def _sendable(key: SecretStr) -> SecretStr:
    """The key without the spaces that come with copying. Raises UnsendableKeyError if no HTTP header can carry it:
    clients put the whole header into their error."""
    text = key.get_secret_value().strip()
    if not (text.isascii() and text.isprintable()):
        raise UnsendableKeyError
    return SecretStr(text)
