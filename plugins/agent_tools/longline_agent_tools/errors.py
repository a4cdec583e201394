"""What goes wrong with agents, in messages that help and never hold a key or a prompt."""

from collections.abc import Iterable, Sequence
from typing import Final

from longline.errors import InvalidInputError, LonglineError

_LONGEST_SHOWN: Final = 100
_MOST_SHOWN: Final = 10
_SHORTEST_SECRET: Final = 4


class BadAgentConfigError(InvalidInputError):
    """Configurable values of the agent have the wrong type or are out of bounds."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(f"bad configuration of the agent: {'; '.join(faults[:_MOST_SHOWN])}")
        self.faults = tuple(faults)


class UnknownToolsError(InvalidInputError):
    """The configuration names tools that this server does not have."""

    def __init__(self, names: Sequence[str], known: Iterable[str]) -> None:
        self.known = tuple(known)
        shown = ", ".join(repr(name[:_LONGEST_SHOWN]) for name in names[:_MOST_SHOWN])
        super().__init__(f"agent_tools names unknown tools {shown}; this server has: {', '.join(self.known) or 'none'}")
        self.names = tuple(names)


class BadModelNameError(InvalidInputError):
    """A model was not named in a form that anybody knows."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"model_name {name[:_LONGEST_SHOWN]!r} {reason}; write openai:gpt-4o-mini (or another provider:model), "
            "custom: with base_url and custom_model_name, or demo: for no model at all"
        )
        self.name = name


class BadBaseUrlError(InvalidInputError):
    """The address of an endpoint is not one that an HTTP client can call. It is not shown: it may hold a password."""

    def __init__(self) -> None:
        super().__init__("base_url must be an http:// or https:// URL, e.g. http://localhost:11434/v1")


class UnsendableKeyError(InvalidInputError):
    """An API key holds line breaks or characters beyond ASCII."""

    def __init__(self) -> None:
        super().__init__("the API key holds characters that no HTTP header can carry")


class ModelSetupError(InvalidInputError):
    """The provider's package refuses what the configuration gives it."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(f"the model {model!r} cannot be set up: {reason}")
        self.model = model


class BadExpressionError(InvalidInputError):
    """Not arithmetic, or arithmetic without a result within bounds."""

    def __init__(self, expression: str, reason: str) -> None:
        super().__init__(f"cannot calculate {expression[:_LONGEST_SHOWN]!r}: {reason}")
        self.expression = expression


class UnknownTimeZoneError(InvalidInputError):
    """The time zone database has no entry of this name."""

    def __init__(self, name: object) -> None:
        super().__init__(f"unknown time zone {str(name)[:_LONGEST_SHOWN]!r}; use an IANA name such as Europe/Berlin")
        self.name = name


class ModelKeyMissingError(LonglineError):
    """A model was named that needs a key, and nobody gave one."""

    code = "model_key_missing"

    def __init__(self, model: str, key_name: str) -> None:
        super().__init__(f"the model {model!r} needs a key: set {key_name}, or give the assistant apiKeys.{key_name}")
        self.model = model
        self.key_name = key_name


class ModelPackageMissingError(LonglineError):
    """The provider is known, and its package is not installed."""

    code = "model_package_missing"

    def __init__(self, model: str, package: str) -> None:
        super().__init__(f"the model {model!r} needs a package that is not installed; run: pip install {package}")
        self.model = model
        self.package = package


class ModelError(LonglineError):
    """The model, or the endpoint that serves it, answered with a failure."""

    code = "model_failed"

    def __init__(self, model: str, endpoint: str, reason: str) -> None:
        super().__init__(f"the model {model!r} at {endpoint} failed: {reason}")
        self.model = model
        self.endpoint = endpoint
        self.reason = reason


class ModelKeyRefusedError(ModelError):
    """The endpoint does not accept the key, or the key may not use this model."""

    code = "model_key_refused"

    def __init__(self, model: str, endpoint: str, status: int) -> None:
        reason = f"it refused the API key (HTTP {status}); check OPENAI_API_KEY, apiKeys or custom_api_key"
        super().__init__(model, endpoint, reason)
        self.status = status


class ModelUnreachableError(ModelError):
    """Nothing answers at the endpoint."""

    code = "model_unreachable"

    def __init__(self, model: str, endpoint: str) -> None:
        super().__init__(model, endpoint, "it cannot be reached; check OPENAI_BASE_URL or base_url, and that it runs")


class ModelTimeoutError(ModelError):
    """The endpoint was silent for too long."""

    code = "model_timeout"

    def __init__(self, model: str, endpoint: str) -> None:
        super().__init__(model, endpoint, "it was silent for too long; see timeout_seconds under [agent_tools]")


class ModelBusyError(ModelError):
    """The endpoint has had enough requests from this key for now."""

    code = "model_busy"


class McpMissingError(LonglineError):
    """Servers are configured, and what talks to them is not installed."""

    code = "mcp_missing"

    def __init__(self) -> None:
        super().__init__("MCP servers need packages that are not installed; run: pip install 'longline[agent-tools]'")


class McpFailedError(LonglineError):
    """An MCP server, or the way to it, failed. `reason` tells nothing secret."""

    code = "mcp_failed"

    def __init__(
        self, reason: str, *, may_have_run: bool = False, is_broken: bool = False, status: int | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_broken = is_broken
        """Whether the connection is what failed."""
        self.may_have_run = may_have_run
        """Whether the server may have done what it was asked for."""
        self.status = status
        """The HTTP status it answered with, if that is what failed."""

    def without(self, secrets: Iterable[str]) -> "McpFailedError":
        """The same, with `***` for what the server was shown: it may have quoted it."""
        reason = self.reason
        for secret in secrets:
            reason = reason.replace(secret, "***") if len(secret) >= _SHORTEST_SECRET else reason
        return McpFailedError(reason, may_have_run=self.may_have_run, is_broken=self.is_broken, status=self.status)


class RagFailedError(LonglineError):
    """A server of documents, or the way to it, failed. `reason` tells nothing secret."""

    code = "rag_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
