"""A configuration is taken whole or refused with every fault named, and no secret in the message."""

import pytest
from pydantic import Field, SecretStr, ValidationError

from longline.errors import SettingsError
from longline.settings import (
    CORE_SECTIONS,
    AuthSettings,
    ServerSettings,
    SettingsModel,
    SettingsSection,
    parse_settings,
)


class Nested(SettingsModel):
    depth: int = 1


class FishSettings(SettingsModel):
    """The section of a plugin."""

    hooks: int = Field(3, ge=1)
    bait: str = "worm"
    key: SecretStr = SecretStr("")
    nested: Nested = Nested()


SECTIONS = [*CORE_SECTIONS, SettingsSection("fish", FishSettings)]
KEY = "sk-0123456789"


def faults(values: dict[str, object]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(values, SECTIONS)
    assert str(caught.value) == "\n".join(caught.value.faults)
    return caught.value.faults


def test_without_a_configuration_every_section_has_its_defaults() -> None:
    settings = parse_settings({}, SECTIONS)
    assert settings.section(FishSettings) == FishSettings()
    assert settings.section(ServerSettings) == ServerSettings()
    assert settings.section(AuthSettings).order == []


def test_every_section_takes_its_own_values() -> None:
    settings = parse_settings({"fish": {"hooks": 7, "nested": {"depth": 2}}, "server": {"runs": 3}}, SECTIONS)
    assert settings.section(FishSettings).hooks == 7
    assert settings.section(FishSettings).nested.depth == 2
    assert settings.section(ServerSettings).runs == 3


def test_an_unknown_section_is_named_with_the_nearest_one_and_all_there_are() -> None:
    assert faults({"fisch": {}}) == (
        "unknown section [fisch] (did you mean fish?); sections: auth, fish, items, plugins, secrets, server, threads",
    )
    known = "auth, fish, items, plugins, secrets, server, threads"
    assert faults({"xyz": {}}) == (f"unknown section [xyz]; sections: {known}",)


def test_an_unknown_key_is_named_with_the_nearest_one_and_all_there_are() -> None:
    assert faults({"fish": {"hoks": 1}}) == (
        "unknown setting fish.hoks (did you mean hooks?); [fish] takes: hooks, bait, key, nested",
    )
    assert faults({"fish": {"zzz": 1}}) == ("unknown setting fish.zzz; [fish] takes: hooks, bait, key, nested",)


def test_an_unknown_key_below_another_is_named_with_its_whole_place() -> None:
    (fault,) = faults({"fish": {"nested": {"dept": 1}}})
    assert fault == "unknown setting fish.nested.dept (did you mean depth?); [fish.nested] takes: depth"


def test_all_faults_stand_in_one_message() -> None:
    found = faults({"fisch": {}, "fish": {"hooks": 0, "bait": 5, "zzz": 1}, "server": {"runs": "many"}})
    assert len(found) == 5
    assert {fault.split("; ")[0].split(": ")[0] for fault in found} == {
        "unknown section [fisch] (did you mean fish?)",
        "bad value for fish.hooks",
        "bad value for fish.bait",
        "unknown setting fish.zzz",
        "bad value for server.runs",
    }


def test_a_section_that_is_no_table_is_named() -> None:
    (fault,) = faults({"fish": 5})
    assert fault.startswith("bad value for fish: ")


@pytest.mark.parametrize("value", [{"key": {"of": KEY}}, {"key": [KEY]}, {"hooks": KEY}, {"nested": KEY}])
def test_no_fault_repeats_a_value(value: dict[str, object]) -> None:
    assert all(KEY not in fault for fault in faults({"fish": value}))


def test_a_section_cannot_be_changed_and_shows_no_secret() -> None:
    section = parse_settings({"fish": {"key": KEY}}, SECTIONS).section(FishSettings)
    with pytest.raises(ValidationError):
        section.hooks = 5
    assert KEY not in f"{section!r} {section}"


def test_a_section_that_nobody_registered_is_an_error_that_names_it() -> None:
    with pytest.raises(SettingsError, match="no settings section of type FishSettings"):
        parse_settings({}, CORE_SECTIONS).section(FishSettings)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"runs": 0}, "runs"),
        ({"runs": 10_001}, "runs"),
        ({"lease_seconds": 0.1}, "lease_seconds"),
        ({"lease_seconds": float("inf")}, "lease_seconds"),
        ({"poll_seconds": float("nan")}, "poll_seconds"),
        ({"drain_seconds": -1}, "drain_seconds"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_body_mib": 0}, "max_body_mib"),
    ],
)
def test_a_server_setting_out_of_its_range_stops_the_start(values: dict[str, object], key: str) -> None:
    (fault,) = faults({"server": values})
    assert fault.startswith(f"bad value for server.{key}: ")


def test_a_lease_that_runs_out_between_two_heartbeats_stops_the_start() -> None:
    (fault,) = faults({"server": {"lease_seconds": 2, "heartbeat_seconds": 2}})
    assert fault == "bad value for server: heartbeat_seconds must be less than lease_seconds"
