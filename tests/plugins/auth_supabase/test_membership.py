"""Which organisations a user belongs to: from a claim, or from a table."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest
from tests.plugins.auth_supabase.asking import Clock, ask, refusal
from tests.plugins.auth_supabase.conftest import Make, Serve
from tests.supabase.identity import Identity
from tests.supabase.project import Project, User, fresh_project

from longline_auth_supabase.members_query import MembersQuery
from longline_auth_supabase.membership import Membership

pytestmark = pytest.mark.anyio

NOWHERE = "postgresql://nobody:geheim@127.0.0.1:1/nothing"


@pytest.fixture
def project() -> Iterator[Project]:
    """The database of the project."""
    with fresh_project() as project:
        yield project


async def _organizations(make: Make, token: str, **settings: object) -> set[str]:
    principal = await ask(make(**settings), token)
    assert principal is not None
    return set(principal.organizations)


# -- the claim ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["a", "b", "a"], {"a", "b"}),
        ("a", {"a"}),
        ([], set()),
        ([1, None, {"id": "a"}, ["b"], "", "c"], {"c"}),
        ({"a": True}, set()),
        (True, set()),
        (["0B7E4A52-7F0C-4C5E-8D6A-2F1F5B1C9A01"], {"0b7e4a52-7f0c-4c5e-8d6a-2f1f5b1c9a01"}),
    ],
)
async def test_a_claim_lists_them(make: Make, identity: Identity, anna: User, said: object, expected: set[str]) -> None:
    assert await _organizations(make, identity.issue(anna, app_metadata={"organization_ids": said})) == expected


async def test_the_claim_may_be_elsewhere(make: Make, identity: Identity, anna: User) -> None:
    token = identity.issue(anna, organizations=["usual"], tenants={"mine": ["a"]})
    assert await _organizations(make, token, organizations_claim="tenants.mine") == {"a"}
    assert await _organizations(make, token, organizations_claim="tenants.mine.deeper") == set()
    assert await _organizations(make, token, organizations_claim="") == set()


async def test_what_users_write_about_themselves_makes_nobody_a_member(
    make: Make, identity: Identity, anna: User, project: Project
) -> None:
    boasting = {"organization_ids": ["theirs"], "app_metadata": {"organization_ids": ["theirs"]}}
    token = identity.issue(anna, user_metadata=boasting, organization_ids=["theirs"])
    assert await _organizations(make, token) == set()
    assert await _organizations(make, token, database=project.url) == set()


# -- the table ------------------------------------------------------------------------------------------------------


async def test_a_table_lists_them(make: Make, identity: Identity, project: Project) -> None:
    first, second, other = (project.add_organization(name) for name in ("Müller & Söhne", "Stadtwerke", "Fremde"))
    anna = project.add_user("anna@kanzlei.example", first, second)
    project.add_user("björn@fremde.example", other)
    assert await _organizations(make, identity.issue(anna), database=project.url) == {first, second}


async def test_a_claim_is_enough_and_the_table_is_not_asked(make: Make, identity: Identity, project: Project) -> None:
    anna = project.add_user("anna@kanzlei.example", project.add_organization("Kanzlei"))
    token = identity.issue(anna, organizations=["said"])
    assert await _organizations(make, token, database=project.url) == {"said"}
    assert await _organizations(make, token, database=NOWHERE) == {"said"}


async def test_a_query_of_ones_own_decides_unless_a_claim_is_named_too(
    make: Make, identity: Identity, anna: User, project: Project
) -> None:
    query = "SELECT v FROM (VALUES ('x'), (NULL), ('y')) AS t(v) WHERE %(user_id)s <> '' AND 'a' LIKE 'a%%'"
    token = identity.issue(anna, organizations=["said"])
    own = {"database": project.url, "organizations_query": query}
    assert await _organizations(make, token, **own) == {"x", "y"}
    assert await _organizations(make, token, **own, organizations_claim="app_metadata.organization_ids") == {"said"}


async def test_a_query_cannot_write(make: Make, identity: Identity, anna: User, project: Project) -> None:
    query = "INSERT INTO public.organizations (name) VALUES (%(user_id)s) RETURNING id"
    token = identity.issue(anna)
    assert await _organizations(make, token, database=project.url, organizations_query=query) == set()
    assert project.rows("SELECT * FROM public.organizations") == []


# -- keeping --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def members(anyio_backend: str, project: Project, clock: Clock) -> AsyncIterator[Membership]:
    """Kept for a minute, and five more while the table cannot be asked."""
    query = "SELECT organization_id::text FROM public.organization_members WHERE user_id = %(user_id)s::uuid"
    source = MembersQuery(project.url, query, timeout_seconds=5)
    members = Membership((), source, is_claim_certain=False, seconds=60, grace=300, clock=clock)
    yield members
    await members.close()


async def test_answers_are_kept_for_a_minute(members: Membership, project: Project, clock: Clock) -> None:
    kanzlei = project.add_organization("Kanzlei")
    anna = project.add_user("anna@kanzlei.example", kanzlei)
    assert await members.organizations_of({"sub": anna.id}) == (kanzlei,)
    project.remove_member(anna.id, kanzlei)
    clock.now += 59
    assert await members.organizations_of({"sub": anna.id.upper()}) == (kanzlei,)
    clock.now += 2
    assert await members.organizations_of({"sub": anna.id}) == ()


def _lose(project: Project) -> None:
    project.rows("ALTER TABLE public.organization_members RENAME TO lost")


async def test_the_last_answer_is_used_while_the_table_cannot_be_asked(
    members: Membership, project: Project, clock: Clock
) -> None:
    kanzlei = project.add_organization("Kanzlei")
    anna = project.add_user("anna@kanzlei.example", kanzlei)
    bernd = project.add_user("bernd@kanzlei.example", kanzlei)
    assert await members.organizations_of({"sub": anna.id}) == (kanzlei,)
    _lose(project)
    clock.now += 61
    assert await members.organizations_of({"sub": anna.id}) == (kanzlei,)
    assert await members.organizations_of({"sub": bernd.id}) == ()
    clock.now += 300
    assert await members.organizations_of({"sub": anna.id}) == ()
    project.rows("ALTER TABLE public.lost RENAME TO organization_members")
    clock.now += 3
    assert await members.organizations_of({"sub": anna.id}) == (kanzlei,)


async def test_many_requests_of_one_user_make_one_query(project: Project, clock: Clock) -> None:
    kanzlei = project.add_organization("Kanzlei")
    anna = project.add_user("anna@kanzlei.example", kanzlei)
    source = Counting(MembersQuery(project.url, _slow(kanzlei), timeout_seconds=20))
    members = Membership((), source, is_claim_certain=False, seconds=60, grace=300, clock=clock)
    found = await asyncio.gather(*(members.organizations_of({"sub": anna.id}) for _ in range(40)))
    assert set(found) == {(kanzlei,)}
    assert source.count == 1
    await members.close()


def _slow(answer: str) -> str:
    return f"SELECT '{answer}' FROM pg_sleep(0.2) WHERE %(user_id)s <> ''"


class Counting:
    """Counts how often the table is asked."""

    def __init__(self, source: MembersQuery) -> None:
        self._source = source
        self.count = 0

    async def organizations_of(self, user_id: str) -> tuple[str, ...]:
        self.count += 1
        return await self._source.organizations_of(user_id)

    async def check(self) -> None:
        await self._source.check()

    async def close(self) -> None:
        await self._source.close()


async def test_a_connection_that_ended_unseen_is_replaced(members: Membership, project: Project, clock: Clock) -> None:
    kanzlei = project.add_organization("Kanzlei")
    anna = project.add_user("anna@kanzlei.example", kanzlei)
    assert await members.organizations_of({"sub": anna.id}) == (kanzlei,)
    ended = project.value(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert ended == 1
    clock.now += 61
    stadtwerke = project.add_organization("Stadtwerke")
    project.add_member(anna.id, stadtwerke)
    assert set(await members.organizations_of({"sub": anna.id})) == {kanzlei, stadtwerke}


def _met(listener: socket.socket) -> int:
    """How many have come in since this was asked."""
    met = 0
    listener.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            met += 1
    return met


async def test_one_request_at_a_time_waits_for_a_database_that_hangs(anyio_backend: str, clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        url = f"postgresql://u@127.0.0.1:{listener.getsockname()[1]}/d"
        source = MembersQuery(url, "SELECT 1", timeout_seconds=0.3)
        members = Membership((), source, is_claim_certain=False, seconds=60, grace=300, clock=clock)
        assert await members.organizations_of({"sub": "first"}) == ()
        assert await members.organizations_of({"sub": "second"}) == ()
        assert _met(listener) == 1
        clock.now += 3
        found = await asyncio.gather(*(members.organizations_of({"sub": f"user {n}"}) for n in range(20)))
        assert found == [()] * 20
        assert _met(listener) == 1
        await members.close()


# -- what does not work ---------------------------------------------------------------------------------------------

BROKEN = (
    "SELECT organization_id FROM public.nirgends WHERE user_id = %(user_id)s::uuid",
    "SELECT organisation FROM public.organization_members WHERE user_id = %(user_id)s::uuid",
    "SELECT organization_id FROM public.organization_members WHERE user_id = %(user)s::uuid",
    "SELEKT",
    "DELETE FROM public.organization_members WHERE user_id = %(user_id)s::uuid RETURNING organization_id",
)


@pytest.mark.parametrize("query", BROKEN)
async def test_a_query_that_cannot_work_is_told_at_the_start(
    make: Make, identity: Identity, anna: User, project: Project, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    authenticator = make(database=project.url, organizations_query=query)
    assert authenticator.knows_organizations
    async with authenticator.opened():
        assert not authenticator.knows_organizations
        assert await refusal(authenticator, identity.issue(anna)) == "accepted"
    (told,) = [record for record in caplog.records if record.message == "query for organisations does not work"]
    assert "auth_supabase.organizations_query" in told.__dict__["mend"]


async def test_the_server_knows_what_came_of_it(serve: Serve, project: Project) -> None:
    async with serve(database=project.url) as served:
        assert served.server.knows_organizations
    async with serve(database=project.url, organizations_query=BROKEN[0]) as served:
        assert not served.server.knows_organizations


async def test_a_named_claim_counts_although_the_query_cannot_work(make: Make, project: Project) -> None:
    authenticator = make(database=project.url, organizations_query=BROKEN[0], organizations_claim="tenants")
    async with authenticator.opened():
        assert authenticator.knows_organizations


async def test_a_database_that_is_away_stops_no_start(
    make: Make, identity: Identity, anna: User, caplog: pytest.LogCaptureFixture
) -> None:
    authenticator = make(database=NOWHERE, timeout_seconds=1)
    async with authenticator.opened():
        assert authenticator.knows_organizations, "it may come back"
        assert await refusal(authenticator, identity.issue(anna)) == "accepted"
    (told,) = [record for record in caplog.records if record.message == "organisations of users not known"]
    assert "geheim" not in str(told.__dict__)


def test_without_any_source_nobody_can_tell(identity: Identity) -> None:
    from tests.plugins.auth_supabase.asking import authenticator_for

    assert not authenticator_for(identity).knows_organizations
    assert authenticator_for(identity, organizations_claim="tenants").knows_organizations
    assert authenticator_for(identity, database=NOWHERE).knows_organizations
