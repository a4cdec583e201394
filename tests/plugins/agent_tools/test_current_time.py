"""`current_time` tells the time of a place."""

from datetime import UTC, datetime

import pytest

from longline.auth.principal import LOCAL
from longline.errors import InvalidInputError
from longline.tools.tool import ToolContext
from longline_agent_tools.current_time import CURRENT_TIME, current_time_tool

CONTEXT = ToolContext(principal=LOCAL)
TOOL = current_time_tool(lambda: datetime(2026, 3, 29, 23, 30, 15, 5, tzinfo=UTC))


@pytest.mark.anyio
async def test_the_time_is_utc_unless_a_place_is_named() -> None:
    assert await TOOL.run({}, CONTEXT) == {
        "time": "2026-03-29T23:30:15+00:00",
        "weekday": "Sunday",
        "timezone": "UTC",
    }


@pytest.mark.anyio
async def test_a_named_place_has_its_own_day_and_summer_time() -> None:
    assert await TOOL.run({"timezone": "Europe/Berlin"}, CONTEXT) == {
        "time": "2026-03-30T01:30:15+02:00",
        "weekday": "Monday",
        "timezone": "Europe/Berlin",
    }


@pytest.mark.anyio
async def test_the_registered_tool_reads_the_real_clock() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    answer = await CURRENT_TIME.run({}, CONTEXT)
    assert isinstance(answer, dict)
    assert before <= datetime.fromisoformat(str(answer["time"])) <= datetime.now(UTC)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "name",
    ["Mars/Base", "", "../../etc/passwd", "/etc/localtime", "Europe", "a\x00b", "x" * 5000, None, 3, ["UTC"], "ü"],
)
async def test_anything_else_is_refused_with_an_example(name: object) -> None:
    with pytest.raises(
        InvalidInputError, match=r"unknown time zone .* use an IANA name such as Europe/Berlin"
    ) as caught:
        await TOOL.run({"timezone": name}, CONTEXT)  # type: ignore[dict-item]
    assert len(str(caught.value)) < 300
