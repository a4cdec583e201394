"""The tools of this plugin keep the promises of a tool."""

import pytest

from longline.testing.tool import ToolContract, ToolExample
from longline_agent_tools.calculate import CALCULATE
from longline_agent_tools.current_time import CURRENT_TIME

EXAMPLES = [
    ToolExample(
        tool=CALCULATE,
        good=[{"expression": "2 * (3 + 4)"}, {"expression": "sqrt(2)"}, {"expression": "2 ** 100"}],
        bad=[{}, {"expression": 5}, {"expression": "2 +"}, {"expression": "__import__('os')"}],
    ),
    ToolExample(
        tool=CURRENT_TIME,
        good=[{}, {"timezone": "UTC"}],
        bad=[{"timezone": "Mars/Olympus"}, {"timezone": 5}, {"timezone": "../../etc/passwd"}],
    ),
]


class TestTools(ToolContract):
    @pytest.fixture(params=EXAMPLES, ids=lambda example: example.tool.name)
    def example(self, request: pytest.FixtureRequest) -> ToolExample:
        return request.param
