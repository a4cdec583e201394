"""Choices become models of the right class with the right options, and failures become errors that help."""

import sys
from typing import Any

import httpx
import pytest
from langchain_core.exceptions import ModelRateLimitError
from langchain_openai import ChatOpenAI
from pydantic import SecretStr
from tests.plugins.agent_tools.conftest import KEY, secret, settings_of

from longline.errors import InvalidInputError, ThreadBusyError
from longline_agent_tools.demo_model import ChatDemo
from longline_agent_tools.errors import (
    ModelBusyError,
    ModelError,
    ModelKeyRefusedError,
    ModelPackageMissingError,
    ModelTimeoutError,
    ModelUnreachableError,
)
from longline_agent_tools.failures import scrub, translate
from longline_agent_tools.model_choice import ModelChoice
from longline_agent_tools.models import build_model
from longline_agent_tools.settings import AgentToolsSettings

SETTINGS = settings_of(timeout_seconds=7, connect_seconds=3).section(AgentToolsSettings)


def choice_of(**values: Any) -> ModelChoice:
    return ModelChoice(**{"provider": "openai", "model": "m", "key": secret(), **values})


def build_openai(**values: Any) -> ChatOpenAI:
    model = build_model(choice_of(**values), SETTINGS)
    assert isinstance(model, ChatOpenAI)
    return model


def test_openai_itself_is_asked_for_usage_and_not_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://environment.example/v1")
    monkeypatch.setenv("OPENAI_API_BASE", "http://environment.example/v1")
    model = build_openai(temperature=0.3, max_tokens=50)
    assert model.openai_api_base == "https://api.openai.com/v1"
    assert str(model.root_async_client.base_url) == "https://api.openai.com/v1/"
    assert model.root_async_client.api_key == KEY
    assert (model.temperature, model.max_tokens, model.stream_usage) == (0.3, 50, True)


def test_other_endpoints_get_only_what_every_server_knows() -> None:
    model = build_openai(base_url="http://x.example/v1", max_tokens=50)
    assert model.stream_usage is False
    assert model.use_responses_api is False
    assert model.max_tokens is None
    assert model.extra_body == {"max_tokens": 50}


def test_timeouts_and_retries_are_the_settings() -> None:
    model = build_openai()
    timeout = model.root_async_client.timeout
    assert isinstance(timeout, httpx.Timeout)
    assert timeout.as_dict() == {"connect": 3, "read": 7, "write": 7, "pool": 7}
    assert model.max_retries == 0
    assert model.stream_chunk_timeout == 7


def test_models_of_one_endpoint_share_their_connections() -> None:
    one, other = build_openai(), build_openai(key=SecretStr("sk-other"), model="n")
    assert one.root_async_client._client is other.root_async_client._client
    assert build_openai(base_url="http://x.example/v1").root_async_client._client is not one.root_async_client._client


def test_a_model_does_not_show_its_key() -> None:
    model = build_openai()
    assert KEY not in f"{model!r}{model}{model.model_dump()}{model.to_json()}"


def test_demo_is_built_with_its_limit() -> None:
    model = build_model(choice_of(provider="demo", max_tokens=3), SETTINGS)
    assert isinstance(model, ChatDemo)
    assert model.max_tokens == 3


def test_an_unknown_provider_is_refused_with_the_accepted_forms() -> None:
    with pytest.raises(InvalidInputError, match="'clippy:m' names an unknown provider; write openai:gpt-4o-mini"):
        build_model(choice_of(provider="clippy"), SETTINGS)


@pytest.mark.parametrize(
    ("provider", "package"),
    [
        ("anthropic", "langchain-anthropic"),
        ("google_genai", "langchain-google-genai"),
        ("azure_ai", "langchain-azure-ai"),
    ],
)
def test_a_missing_package_comes_with_the_line_that_installs_it(
    provider: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package.replace("-", "_"), None)
    with pytest.raises(ModelPackageMissingError, match=f"run: pip install {package}$"):
        build_model(choice_of(provider=provider), SETTINGS)


def test_what_a_package_refuses_is_told_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_VERSION", raising=False)
    with pytest.raises(InvalidInputError, match="'azure_openai:m' cannot be set up: ") as caught:
        build_model(choice_of(provider="azure_openai", temperature=0.1), SETTINGS)
    assert KEY not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_other_providers_get_the_given_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_VERSION", "2025-01-01")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://azure.example")
    model: Any = build_model(choice_of(provider="azure_openai", temperature=0.1, max_tokens=9), SETTINGS)
    assert (type(model).__name__, model.temperature, model.max_tokens) == ("AzureChatOpenAI", 0.1, 9)
    assert model.openai_api_key.get_secret_value() == KEY


class RefusedError(Exception):
    status_code = 401


class RejectedError(Exception):
    status_code = 400


class FooConnectError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RefusedError(KEY), ModelKeyRefusedError),
        (
            httpx.HTTPStatusError(KEY, request=httpx.Request("GET", "http://x"), response=httpx.Response(403)),
            ModelKeyRefusedError,
        ),
        (TimeoutError(), ModelTimeoutError),
        (httpx.ReadTimeout("x"), ModelTimeoutError),
        (ConnectionResetError(), ModelUnreachableError),
        (FooConnectError(KEY), ModelUnreachableError),
        (ModelRateLimitError(f"slow down {KEY}"), ModelBusyError),
        (RejectedError(f"bad request of {KEY}"), ModelError),
        (ValueError(f"header {KEY}"), ModelError),
    ],
)
def test_failures_of_vendors_become_ours_without_the_key(error: Exception, kind: type[ModelError]) -> None:
    found = translate(error, choice_of(base_url="http://x.example:1/v1"))
    assert type(found) is kind
    assert str(found).startswith("the model 'openai:m' at http://x.example:1 failed: ")
    assert KEY not in str(found)


def test_other_errors_pass_as_they_are() -> None:
    assert translate(ZeroDivisionError("a bug"), choice_of()) is None
    assert translate(ThreadBusyError("t"), choice_of()) is None


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {KEY}.",
        "Incorrect API key provided: sk-proj-****************abcd.",
        "Authorization: Bearer hunter2hunter2",
        "bad key gsk_abcdefgh12345678",
    ],
)
def test_whatever_looks_like_a_key_is_scrubbed(text: str) -> None:
    scrubbed = scrub(text, secret())
    assert "***" in scrubbed
    assert not any(part in scrubbed for part in (KEY, "hunter2", "abcd", "abcdefgh"))


def test_scrubbed_text_is_one_short_line() -> None:
    assert scrub("a\n b" * 1000, None).startswith("a ba b")
    assert len(scrub("x" * 10_000, None)) == 300
