"""All rules must agree; the owner rule shows everybody their own, and never more by what a caller writes."""

import pytest

from longline.auth.access import Access, Action
from longline.auth.principal import LOCAL, SYSTEM, Principal
from longline.defaults.owner_rule import OwnerRule
from longline.errors import ForbiddenError
from longline.models.filters import EVERYTHING, AllOf, Equals, Filter, matches
from longline.models.json import JsonObject

pytestmark = pytest.mark.anyio

ANN = Principal(identity="ann")
RULE = Access([OwnerRule()])


class Says:
    """A rule that always answers the same, and remembers what it was asked."""

    def __init__(self, name: str, answer: Filter | Exception) -> None:
        self.name = name
        self.answer = answer
        self.asked: list[tuple[Principal, Action, JsonObject]] = []

    async def decide(self, principal: Principal, action: Action, value: JsonObject) -> Filter:
        self.asked.append((principal, action, dict(value)))
        value["seen_by"] = [*value.get("seen_by", []), self.name]
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


READ = Action("threads", "read")


async def test_without_rules_everything_is_allowed() -> None:
    assert await Access([]).decide(ANN, READ, {}) == EVERYTHING


async def test_the_filters_of_all_rules_are_joined_in_order() -> None:
    one, two = Equals("a", 1), Equals("b", 2)
    access = Access([Says("one", one), Says("two", two), Says("three", EVERYTHING)])
    assert await access.decide(ANN, READ, {}) == AllOf((one, two))


async def test_each_rule_sees_what_those_before_it_stamped() -> None:
    first, second = Says("first", EVERYTHING), Says("second", EVERYTHING)
    value: JsonObject = {"thread_id": "t"}
    await Access([first, second]).decide(ANN, READ, value)
    assert second.asked == [(ANN, READ, {"thread_id": "t", "seen_by": ["first"]})]
    assert value["seen_by"] == ["first", "second"]


async def test_one_refusal_is_enough_and_no_further_rule_is_asked() -> None:
    last = Says("last", EVERYTHING)
    with pytest.raises(ForbiddenError, match="not on Sundays"):
        await Access([Says("one", EVERYTHING), Says("no", ForbiddenError("not on Sundays")), last]).decide(
            ANN, READ, {}
        )
    assert last.asked == []


async def test_the_server_itself_is_never_asked_about() -> None:
    rule = Says("no", ForbiddenError())
    assert await Access([rule]).decide(SYSTEM, READ, {}) == EVERYTHING
    assert rule.asked == []


async def test_somebody_who_calls_himself_system_is_asked_about() -> None:
    with pytest.raises(ForbiddenError):
        await Access([Says("no", ForbiddenError())]).decide(Principal(identity="system"), READ, {})


async def test_where_authentication_is_off_the_owner_rule_does_nothing() -> None:
    value: JsonObject = {"metadata": {"a": 1}}
    assert await RULE.decide(LOCAL, Action("threads", "create"), value) == EVERYTHING
    assert value == {"metadata": {"a": 1}}


@pytest.mark.parametrize("verb", ["create", "update", "create_run"])
@pytest.mark.parametrize("metadata", [None, {}, {"a": 1}, {"owner": "bob"}, "not an object"])
async def test_what_a_caller_writes_is_stamped_as_theirs(verb: str, metadata: object) -> None:
    value: JsonObject = {"metadata": metadata}
    assert await RULE.decide(ANN, Action("threads", verb), value) == Equals("owner", "ann")
    rest = {"a": 1} if metadata == {"a": 1} else {}
    assert value == {"metadata": {**rest, "owner": "ann"}}


@pytest.mark.parametrize("verb", ["read", "search", "delete"])
async def test_what_is_only_read_is_not_stamped(verb: str) -> None:
    value: JsonObject = {"metadata": {"a": 1}}
    assert await RULE.decide(ANN, Action("threads", verb), value) == Equals("owner", "ann")
    assert value == {"metadata": {"a": 1}}


@pytest.mark.parametrize(
    ("verb", "sees_the_servers"),
    [("read", True), ("search", True), ("create", False), ("update", False), ("delete", False)],
)
async def test_the_servers_own_assistants_are_read_by_all_and_changed_by_none(
    verb: str, sees_the_servers: bool
) -> None:
    visible = await RULE.decide(ANN, Action("assistants", verb), {})
    assert matches(visible, {"created_by": "system"}) == sees_the_servers
    assert matches(visible, {"owner": "ann"})
    assert not matches(visible, {"owner": "bob"})
    assert not matches(visible, {})


async def test_the_servers_threads_are_not_everybodys() -> None:
    visible = await RULE.decide(ANN, Action("threads", "read"), {})
    assert not matches(visible, {"created_by": "system"})


@pytest.mark.parametrize("verb", ["create", "update"])
async def test_a_caller_cannot_pass_an_assistant_off_as_the_servers(verb: str) -> None:
    value: JsonObject = {"metadata": {"created_by": "system", "team": "x"}}
    await RULE.decide(ANN, Action("assistants", verb), value)
    bob_sees = await RULE.decide(Principal(identity="bob"), Action("assistants", "read"), {})
    assert not matches(bob_sees, value["metadata"])
    assert value["metadata"]["team"] == "x"
    named: JsonObject = {"metadata": {"created_by": "ann's script"}}
    await RULE.decide(ANN, Action("assistants", verb), named)
    assert named["metadata"] == {"created_by": "ann's script", "owner": "ann"}


async def test_a_principal_shows_no_token() -> None:
    assert "tok-1" not in repr(Principal(identity="ann", token="tok-1"))


class Decides(Says):
    """A rule that stands in for the default rules where threads are read."""

    def overrides(self, action: Action) -> bool:
        return action == READ


async def test_a_rule_that_overrides_takes_the_place_of_default_rules_for_its_actions_only() -> None:
    other, mine = Equals("other", 1), Equals("mine", 1)
    access = Access([Decides("decides", mine), Says("other", other), OwnerRule()])
    value: JsonObject = {"metadata": {}}
    assert await access.decide(ANN, READ, value) == AllOf((mine, other))
    assert await access.decide(ANN, Action("threads", "search"), value) == AllOf((mine, other, Equals("owner", "ann")))
    assert access.overrides(READ)
    assert not access.overrides(Action("threads", "search"))
    assert not Access([Says("other", other), OwnerRule()]).overrides(READ)
