"""Members see their organisations' agents, and what belongs to none."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longline.auth.access import Action
from longline.auth.principal import ANONYMOUS, LOCAL, Principal
from longline.models.filters import EVERYTHING, matches
from longline.models.json import JsonObject
from longline_supabase_sync.rule import OrganizationRule

pytestmark = pytest.mark.anyio

_READ = Action("assistants", "read")
_NAMES = st.sampled_from(["kanzlei", "stadtwerke", "x", ""])


@given(organizations=st.lists(_NAMES, max_size=3).map(tuple), owner=st.none() | _NAMES)
async def test_an_assistant_is_seen_by_members_or_belongs_to_nobody(
    organizations: tuple[str, ...], owner: str | None
) -> None:
    principal = Principal(identity="anna", organizations=organizations)
    seen = await OrganizationRule().decide(principal, _READ, {})
    metadata: list[JsonObject] = [{"supabase_organization_id": owner}, *([{}] if owner is None else [])]
    for one in metadata:
        assert matches(seen, one) == (owner is None or owner in organizations)


@pytest.mark.parametrize("verb", ["read", "search", "update", "delete", "create"])
async def test_it_holds_whatever_is_done(verb: str) -> None:
    seen = await OrganizationRule().decide(ANONYMOUS, Action("assistants", verb), {})
    assert not matches(seen, {"supabase_organization_id": "kanzlei"})
    assert matches(seen, {"owner": "x"})


async def test_where_nobody_is_known_everything_is_seen() -> None:
    assert await OrganizationRule().decide(LOCAL, _READ, {}) == EVERYTHING


async def test_other_things_are_not_its_business() -> None:
    others = itertools.product(("threads", "runs", "crons", "store"), ("read", "search", "create_run"))
    for resource, verb in others:
        action = Action(resource, verb)  # type: ignore[arg-type]  # those there are
        assert await OrganizationRule().decide(Principal(identity="anna"), action, {}) == EVERYTHING
