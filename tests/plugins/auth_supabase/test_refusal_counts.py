"""Refusals are counted by kind, and told to operators without filling the log."""

import pytest

from longline_auth_supabase.refusals import Refusals


def test_a_sum_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    now = 100.0
    refusals = Refusals(clock=lambda: now)
    for kind in ("expired", "expired", "key", "expired"):
        refusals.note(kind)
    now += 61
    refusals.note("size")
    refusals.note("size")
    refusals.tell()
    refusals.tell()
    told = [record.__dict__["kinds"] for record in caplog.records if record.message == "tokens refused"]
    assert told == [{"expired": 1}, {"expired": 2, "key": 1, "size": 1}, {"size": 1}]
    assert refusals.counts == {"expired": 3, "key": 1, "size": 2}
