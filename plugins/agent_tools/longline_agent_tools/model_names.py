"""How models and their endpoints are written: `provider:model`, and an HTTP URL."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from longline_agent_tools.errors import BadBaseUrlError, BadModelNameError

_PROVIDER = re.compile(r"[a-z][a-z0-9_]{0,40}")


class ModelName(NamedTuple):
    """A provider and what it calls the model; `model` may be empty."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"


def parse_model_name(text: str) -> ModelName:
    """The name taken apart at its first colon. Raises BadModelNameError."""
    provider, colon, model = text.strip().partition(":")
    provider = provider.strip().lower().replace("-", "_")
    if not colon or not _PROVIDER.fullmatch(provider):
        raise BadModelNameError(text, "names no provider")
    return ModelName(provider, model.strip())


def check_base_url(text: str) -> str:
    """The URL without a trailing slash. Raises BadBaseUrlError for what no HTTP client can call."""
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        is_callable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_callable = False
    if not is_callable or not url.isprintable() or " " in url:
        raise BadBaseUrlError
    return url


def describe_endpoint(base_url: str | None) -> str:
    """The endpoint as people may read it: scheme, host and port, without credentials, path or query."""
    if base_url is None:
        return "OpenAI"
    parts = urlsplit(base_url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"
