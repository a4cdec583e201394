"""Who left work behind, a cron for example, is looked at again when it is done."""

from collections.abc import Iterator

import pytest
from tests.plugins.auth_supabase.asking import ask, settings_for
from tests.plugins.auth_supabase.conftest import ANNA, Make
from tests.supabase.identity import Identity
from tests.supabase.project import Project, fresh_project

from longline.auth.access import Access, Action
from longline.auth.authenticator import RenewingAuthenticator, renew
from longline.auth.principal import Principal
from longline.errors import ForbiddenError, IdentityAwayError
from longline_auth_supabase import register_access_rules

pytestmark = pytest.mark.anyio

NOWHERE = "postgresql://u@127.0.0.1:1/d"


@pytest.fixture
def project() -> Iterator[Project]:
    """The database of the project."""
    with fresh_project() as project:
        yield project


async def test_the_table_says_what_is_true_today(make: Make, identity: Identity, project: Project) -> None:
    authenticator = make(database=project.url)
    assert isinstance(authenticator, RenewingAuthenticator)
    kanzlei, stadtwerke = project.add_organization("Kanzlei"), project.add_organization("Stadtwerke")
    anna = project.add_user("anna@kanzlei.example", stadtwerke)
    token = identity.issue(anna, organizations=[kanzlei])
    principal = await ask(authenticator, token)
    assert principal is not None
    assert principal.organizations == (kanzlei,)
    renewed = await renew([authenticator], principal)
    assert renewed.organizations == (stadtwerke,)
    assert (renewed.identity, renewed.token, renewed.claims) == (principal.identity, token, principal.claims)


@pytest.mark.parametrize(
    "settings", [{}, {"database": NOWHERE, "organizations_claim": "app_metadata.organization_ids"}]
)
async def test_where_only_the_token_tells_it_still_does(
    make: Make, identity: Identity, settings: dict[str, object]
) -> None:
    authenticator = make(**settings)
    principal = await ask(authenticator, identity.issue(ANNA, organizations=["kanzlei"]))
    assert principal is not None
    assert await renew([authenticator], principal) == principal


async def test_a_table_that_is_away_puts_the_work_off(make: Make, identity: Identity) -> None:
    authenticator = make(database=NOWHERE)
    principal = await ask(authenticator, identity.issue(ANNA, organizations=["kanzlei"]))
    assert principal is not None
    with pytest.raises(IdentityAwayError):
        await renew([authenticator], principal)


async def test_a_query_of_ones_own_that_cannot_work_makes_nobody_a_member(
    make: Make, identity: Identity, project: Project
) -> None:
    authenticator = make(database=project.url, organizations_query="SELECT %(user_id)s FROM nirgends")
    principal = await ask(authenticator, identity.issue(ANNA))
    assert principal is not None
    renewed = await authenticator.renew(principal)
    assert renewed is not None
    assert renewed.organizations == ()


async def test_callers_of_others_are_left_to_them(make: Make, project: Project) -> None:
    somebody = Principal(identity=ANNA.id, organizations=("theirs",))
    assert await make(database=project.url).renew(somebody) is None


async def test_what_a_service_key_left_behind_ends_with_its_permission() -> None:
    key = Principal(identity="supabase:service_role", permissions=("service_role",))
    project = {"url": "https://x.supabase.co", "key": "sb_secret_x"}
    create = Action("threads", "create_run")
    allowed = Access(register_access_rules(settings_for(**project, service_role=["threads.create_run"])))
    await allowed.decide(key, create, {})
    with pytest.raises(ForbiddenError):
        await Access(register_access_rules(settings_for(**project))).decide(key, create, {})
    await Access(register_access_rules(settings_for(**project))).decide(Principal(identity=ANNA.id), create, {})
