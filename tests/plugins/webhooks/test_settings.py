"""What can be said about webhooks, and what is refused with a sentence."""

import pytest

from longline.errors import SettingsError
from longline.settings import CORE_SECTIONS, SettingsSection, parse_settings
from longline_webhooks.settings import WebhookSettings

SECTIONS = [*CORE_SECTIONS, SettingsSection("webhooks", WebhookSettings)]


def parse(**values: object) -> WebhookSettings:
    return parse_settings({"webhooks": values}, SECTIONS).section(WebhookSettings)


def test_the_keys_of_langgraph_json_are_taken_as_they_are() -> None:
    settings = parse(
        env_prefix="HOOK_",
        headers={"x-hook": "h1"},
        url={
            "require_https": True, "allowed_domains": ["*.a.test"], "allowed_ports": [443], "max_url_length": 100,
            "disable_loopback": False,
        },
    )  # fmt: skip
    policy = settings.policy
    assert (policy.purpose, policy.require_https, policy.allowed_domains) == ("webhook", True, ("*.a.test",))
    assert (policy.allowed_ports, policy.max_length, policy.allow_loopback) == ((443,), 100, True)
    assert "h1" not in repr(settings)


def test_by_default_only_public_places_may_be_called() -> None:
    policy = parse().policy
    assert (policy.allow_loopback, policy.allowed_networks, policy.require_https) == (False, (), False)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"headers": {"x": "${{ env.NOPE }}"}}, "is not set, or that does not begin with 'LG_WEBHOOK_'"),
        ({"headers": {"Host": "x"}}, "header 'Host' cannot be set"),
        ({"headers": {"longline-signature": "x"}}, "cannot be set"),
        ({"headers": {"a b": "x"}}, "cannot be set"),
        ({"headers": {"a": "x\r\nb: c"}}, "the value of header 'a' cannot be sent"),
        ({"url": {"disable_loopbak": True}}, "unknown setting webhooks.url.disable_loopbak"),
        ({"url": {"allowed_networks": ["10.0.0.0/99"]}}, "webhooks.url.allowed_networks.0"),
        ({"attempts": 0}, "webhooks.attempts"),
        ({"secret": "x"}, "unknown setting webhooks.secret"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_stops_the_start(values: dict[str, object], fault: str) -> None:
    with pytest.raises(SettingsError, match=fault):
        parse(**values)


def test_a_value_that_cannot_be_sent_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as refused:
        parse(headers={"a": "secret-value\n"})
    assert "secret-value" not in str(refused.value)
