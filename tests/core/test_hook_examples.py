"""The examples of the hooks keep the contracts of what they offer."""

from collections.abc import AsyncIterator

import pytest
from tests.core.conftest import LoadExample

from longline.asgi.mount import ProtocolMount
from longline.auth.authenticator import Credentials
from longline.events.broker import Broker
from longline.settings import Settings
from longline.testing.authenticator import AuthenticatorContract, AuthenticatorExample
from longline.testing.broker import BrokerContract
from longline.testing.prompt import PromptContract, PromptExample
from longline.testing.protocol import ProtocolContract
from longline.testing.resource import ResourceContract, ResourceExample
from longline.testing.tool import ToolContract, ToolExample

NO_SETTINGS = Settings({})


class TestBrokerOfTheExample(BrokerContract):
    @pytest.fixture
    async def broker(self, anyio_backend: str, load_example: LoadExample) -> AsyncIterator[Broker]:
        backend = load_example("register_event_brokers")[0].event_brokers(NO_SETTINGS)["counting"]
        async with backend.connect("counting://") as broker:
            yield broker


class TestAuthenticatorOfTheExample(AuthenticatorContract):
    @pytest.fixture
    def example(self, load_example: LoadExample) -> AuthenticatorExample:
        _, module = load_example("register_authenticators")

        def shown(**headers: str) -> Credentials:
            return Credentials(method="GET", path="/", headers=headers)

        return AuthenticatorExample(
            authenticator=module.Badges(),
            good=shown(**{"x-badge": "badge-of-ann"}),
            foreign=shown(authorization="Bearer badge-of-ann"),
            bad=shown(**{"x-badge": "badge-of-annx"}),
            secret="badge-of-ann",
            refuses=True,
        )


class TestToolOfTheExample(ToolContract):
    @pytest.fixture
    def example(self, load_example: LoadExample) -> ToolExample:
        tool = load_example("register_tools")[0].tools(NO_SETTINGS)["count_words"]
        return ToolExample(tool=tool, good=[{"text": "a b"}, {"text": ""}], bad=[{}, {"text": None}])


class TestPromptOfTheExample(PromptContract):
    @pytest.fixture
    def example(self, load_example: LoadExample) -> PromptExample:
        prompt = load_example("register_prompts")[0].prompts(NO_SETTINGS)["translate"]
        return PromptExample(prompt=prompt, good=[{"language": "dutch", "text": "Hi"}], bad=[{}, {"language": "dutch"}])


class TestResourceOfTheExample(ResourceContract):
    @pytest.fixture
    def example(self, load_example: LoadExample) -> ResourceExample:
        (resource,) = load_example("register_resources")[0].resources(NO_SETTINGS, None).values()
        return ResourceExample(resource=resource, good=["rules://go", "rules://chess"], missing=["rules://poker"])


class TestProtocolOfTheExample(ProtocolContract):
    @pytest.fixture
    def mount(self, load_example: LoadExample) -> ProtocolMount:
        (mount,) = load_example("register_protocols")[0].protocols(None)
        return mount
