"""Which model a run gets, and whose key goes where."""

from typing import Any

import pytest
from pydantic import SecretStr
from tests.plugins.agent_tools.conftest import settings_of

from longline.errors import InvalidInputError, SettingsError
from longline_agent_tools.configuration import read_config
from longline_agent_tools.errors import ModelKeyMissingError
from longline_agent_tools.model_choice import NO_KEY, ModelChoice, choose_model
from longline_agent_tools.settings import AgentToolsSettings

THEIRS = "http://theirs.example/v1"
OURS = "http://ours.example:8000/v1"


def choose(config: dict[str, object] | None = None, **settings: object) -> ModelChoice:
    return choose_model(read_config(config or {}), settings_of(**settings).section(AgentToolsSettings))


def key_of(choice: ModelChoice) -> str | None:
    return choice.key.get_secret_value() if choice.key is not None else None


def test_without_anything_the_model_is_demo() -> None:
    assert choose().name == "demo:"
    assert choose({"model_name": "", "base_url": " ", "custom_model_name": None, "apiKeys": None}).name == "demo:"
    assert choose({"apiKeys": {"OPENAI_API_KEY": ""}}).name == "demo:"


def test_a_key_of_the_operator_turns_openai_on() -> None:
    choice = choose(openai_api_key="sk-ours")
    assert (choice.name, choice.base_url, key_of(choice)) == ("openai:gpt-4o-mini", None, "sk-ours")
    assert not choice.is_private


def test_a_base_url_of_the_operator_needs_no_key() -> None:
    choice = choose(openai_base_url=OURS + "/", default_openai_model="llama3.1:8b")
    assert (choice.name, choice.base_url, choice.key) == ("openai:llama3.1:8b", OURS, NO_KEY)


def test_the_operators_model_name_wins_over_the_automatic_choice() -> None:
    assert choose(openai_api_key="sk-ours", model_name="demo:").name == "demo:"
    assert choose(openai_api_key="sk-ours", model_name="openai:o3").name == "openai:o3"


def test_the_configurations_model_name_wins_over_the_operators() -> None:
    assert choose({"model_name": "openai:gpt-5"}, openai_api_key="sk-ours", model_name="demo:").name == "openai:gpt-5"
    assert choose({"model_name": "demo:"}, openai_api_key="sk-ours").name == "demo:"
    assert choose({"model_name": "openai:"}, openai_api_key="sk-ours").name == "openai:gpt-4o-mini"


@pytest.mark.parametrize(
    "config",
    [
        {"base_url": THEIRS, "custom_model_name": "qwen3:4b"},
        {"base_url": THEIRS, "custom_model_name": "qwen3:4b", "model_name": "custom:"},
        {"base_url": THEIRS, "model_name": "custom:qwen3:4b"},
        {"base_url": THEIRS + "/", "model_name": "openai:qwen3:4b"},
    ],
)
def test_a_custom_endpoint_is_named_by_its_url_and_model(config: dict[str, object]) -> None:
    choice = choose(config)
    assert (choice.provider, choice.model, choice.base_url) == ("openai", "qwen3:4b", THEIRS)


def test_custom_without_any_url_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="needs base_url"):
        choose({"model_name": "custom:x"}, openai_api_key="sk-ours")
    with pytest.raises(InvalidInputError, match="needs base_url"):
        choose({"custom_model_name": "x"})
    assert choose({"model_name": "custom:x"}, openai_base_url=OURS).base_url == OURS


def test_the_operators_key_goes_to_the_operators_endpoint_only() -> None:
    assert key_of(choose({"base_url": THEIRS}, openai_api_key="sk-ours")) == "none"
    assert key_of(choose({"base_url": THEIRS}, openai_api_key="sk-ours", openai_base_url=OURS)) == "none"
    assert key_of(choose({"base_url": THEIRS, "model_name": "openai:gpt-4o"}, openai_api_key="sk-ours")) == "none"
    assert key_of(choose({"base_url": OURS + "/"}, openai_api_key="sk-ours", openai_base_url=OURS)) == "sk-ours"
    assert (
        key_of(choose({"base_url": OURS + ".evil.example"}, openai_api_key="sk-ours", openai_base_url=OURS)) == "none"
    )


def test_keys_of_the_environment_do_not_follow_a_callers_url_to_other_providers() -> None:
    assert key_of(choose({"model_name": "anthropic:claude", "base_url": THEIRS})) == "none"
    assert key_of(choose({"model_name": "anthropic:claude"})) is None


def test_keys_of_the_configuration_win_and_make_the_choice_private() -> None:
    named = choose({"apiKeys": {"OPENAI_API_KEY": SecretStr("sk-named")}}, openai_api_key="sk-ours")
    assert (named.name, key_of(named), named.is_private) == ("openai:gpt-4o-mini", "sk-named", True)
    own = choose({"custom_api_key": SecretStr("sk-own"), "base_url": THEIRS, "apiKeys": {"OPENAI_API_KEY": "sk-named"}})
    assert (key_of(own), own.is_private) == ("sk-own", True)
    both = choose({"custom_api_key": "sk-own", "apiKeys": {"OPENAI_API_KEY": "sk-named"}})
    assert key_of(both) == "sk-named"


@pytest.mark.parametrize(
    ("provider", "name"),
    [("anthropic", "ANTHROPIC_API_KEY"), ("google-genai", "GOOGLE_API_KEY"), ("mistralai", "MISTRAL_API_KEY")],
)
def test_other_providers_have_keys_of_their_names(provider: str, name: str) -> None:
    choice = choose({"model_name": f"{provider}:m", "apiKeys": {name: "k-1", "OPENAI_API_KEY": "k-2"}})
    assert (choice.provider, key_of(choice), choice.is_private) == (provider.replace("-", "_"), "k-1", True)


def test_keys_of_other_providers_do_not_make_a_choice_private() -> None:
    choice = choose({"model_name": "openai:gpt-4o", "apiKeys": {"ANTHROPIC_API_KEY": "k"}}, openai_api_key="sk-ours")
    assert (key_of(choice), choice.is_private) == ("sk-ours", False)
    assert not choose({"model_name": "demo:", "custom_api_key": "k"}).is_private


def test_openai_without_any_key_says_what_is_missing() -> None:
    with pytest.raises(ModelKeyMissingError, match="'openai:gpt-4o' needs a key: set OPENAI_API_KEY, or give"):
        choose({"model_name": "openai:gpt-4o"})


@pytest.mark.parametrize(
    "name", ["gpt-4o", "nonsense", ":", ":x", "llama3.1:8b", "two words:x", "Ü:x", "anthropic:", "x" * 999]
)
def test_other_forms_are_refused_with_the_accepted_ones(name: str) -> None:
    with pytest.raises(InvalidInputError, match=r"write openai:gpt-4o-mini .*custom: .*demo:") as caught:
        choose({"model_name": name})
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/v1",
        "localhost:8000",
        "http://",
        "http:///v1",
        "http://x:99999",
        "http://x:0",
        "http://a b",
        "http://x\n/",
        "http://[::1",
    ],
)
def test_urls_that_no_client_can_call_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInputError, match="base_url must be an http:// or https:// URL") as caught:
        choose({"base_url": url})
    assert url == "http://" or url not in str(caught.value)


@pytest.mark.parametrize(
    ("base_url", "shown"),
    [
        (None, "OpenAI"),
        ("https://user:hunter2@models.example/v1?token=hunter2", "https://models.example"),
        ("http://[::1]:8000/v1", "http://[::1]:8000"),
    ],
)
def test_endpoints_are_shown_without_credentials(base_url: str | None, shown: str) -> None:
    assert ModelChoice(provider="openai", model="m", base_url=base_url).endpoint == shown


@pytest.mark.parametrize("key", ["sk-\nabc", "sk-ü", "sk-\x00"])
def test_keys_that_no_header_can_carry_are_refused_without_showing_them(key: str) -> None:
    with pytest.raises(InvalidInputError, match="no HTTP header can carry") as caught:
        choose({"apiKeys": {"OPENAI_API_KEY": SecretStr(key)}})
    assert key not in str(caught.value)


def test_spaces_round_a_key_are_dropped() -> None:
    assert key_of(choose({"custom_api_key": SecretStr(" sk-own\n"), "base_url": THEIRS})) == "sk-own"


def test_model_parameters_are_read_from_json_of_any_honest_type() -> None:
    choice = choose({"temperature": "0.5", "max_tokens": 100.0, "model_name": "openai:m"}, openai_api_key="k")
    assert (choice.temperature, choice.max_tokens) == (0.5, 100)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": 3}, "temperature"),
    ({"temperature": float("nan")}, "temperature"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"model_name": 7}, "model_name"),
    ({"system_prompt": ["x"]}, "system_prompt"),
    ({"agent_tools": "calculate"}, "agent_tools"),
    ({"agent_tools": [None]}, "agent_tools.0"),
    ({"apiKeys": ["hunter2"]}, "apiKeys"),
    ({"apiKeys": {"OPENAI_API_KEY": ["hunter2"]}}, "apiKeys.OPENAI_API_KEY"),
    ({"custom_api_key": {"hunter2": 1}}, "custom_api_key"),
]


@pytest.mark.parametrize(("config", "place"), BAD)
def test_bad_values_are_refused_by_name_and_never_shown(config: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidInputError, match=f"bad configuration of the agent: {place}") as caught:
        read_config(config)
    shown = f"{caught.value!s}{caught.value!r}{caught.value.__cause__!r}{caught.value.__context__!r}"
    assert "hunter2" not in shown


def test_keys_of_others_in_the_configuration_are_ignored() -> None:
    assert choose({"thread_id": "t", "langgraph_auth_user": object(), "x": 1}).name == "demo:"


def test_neither_choice_nor_configuration_nor_settings_show_a_key() -> None:
    config = read_config({"custom_api_key": SecretStr("hunter2"), "apiKeys": {"OPENAI_API_KEY": SecretStr("hunter2")}})
    settings = settings_of(openai_api_key="hunter2").section(AgentToolsSettings)
    choice = choose_model(config, settings)
    assert "hunter2" not in f"{config!r}{config}{settings!r}{settings}{choice!r}{choice}{config.model_dump_json()}"


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"model_name": "gpt-4o"}, "agent_tools.model_name"),
        ({"openai_base_url": "localhost"}, "agent_tools.openai_base_url"),
        ({"timeout_seconds": 0}, "agent_tools.timeout_seconds"),
        ({"openai_key": "x"}, "unknown setting agent_tools.openai_key .did you mean openai_api_key"),
    ],
)
def test_bad_settings_stop_the_start(values: dict[str, object], place: str) -> None:
    with pytest.raises(SettingsError, match=place):
        settings_of(**values)
