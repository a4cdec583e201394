"""What every tool and every protocol must do: Longline's contracts, run against this plugin."""

import longline_hello as plugin
import pytest
from longline_hello.greeting import make_tool
from longline_hello.settings import HelloSettings

from longline.asgi.mount import ProtocolMount
from longline.models.json import JsonObject
from longline.runtime import OpenServer
from longline.testing.protocol import ProtocolContract
from longline.testing.tool import ToolContract, ToolExample


class TestGreetTool(ToolContract):
    """`hello_greet`."""

    @pytest.fixture
    def example(self) -> ToolExample:
        """What the tool takes, and what it refuses."""
        good: list[JsonObject] = [{"name": "Ada"}, {}]
        bad: list[JsonObject] = [{"name": ""}, {"name": " "}, {"name": 5}, {"name": None}]
        return ToolExample(tool=make_tool(HelloSettings()), good=good, bad=bad)


class TestProtocol(ProtocolContract):
    """The routes below /hello."""

    @pytest.fixture
    def mount(self, opened: OpenServer) -> ProtocolMount:
        """The mount as the server gets it."""
        (mount,) = plugin.register_protocols(opened.server)
        return mount
