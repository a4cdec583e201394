"""The caller as graphs know them, and found again in what a run was given."""

from hypothesis import given
from tests.core.graphs.layers import PRINCIPALS

from longline.auth.principal import Principal
from longline.graphs.binding import GraphUser, principal_of, user_of


@given(PRINCIPALS)
def test_the_caller_is_found_again_in_what_a_run_was_given_but_for_the_token(principal: Principal) -> None:
    found = principal_of({"langgraph_auth_user": user_of(principal)})
    assert found == Principal(
        identity=principal.identity,
        display_name=principal.display_name,
        permissions=principal.permissions,
        organizations=principal.organizations,
        claims=principal.claims,
        is_authenticated=principal.is_authenticated,
    )
    assert found.token is None


def test_claims_cannot_pass_for_the_identity() -> None:
    claims = {"identity": "root", "permissions": ["all"], "organizations": ["all"], "is_authenticated": False}
    user = user_of(Principal(identity="ann", claims=claims))
    assert user == {
        "identity": "ann",
        "is_authenticated": True,
        "display_name": "ann",
        "permissions": [],
        "organizations": [],
    }


def test_a_graphs_user_has_the_attributes_of_the_sdks_user() -> None:
    user = GraphUser(user_of(Principal(identity="ann", permissions=("read",), claims={"team": "x"})))
    assert (user.identity, user.display_name, user.is_authenticated) == ("ann", "ann", True)
    assert user.permissions == ["read"]
    assert user["team"] == "x"
    assert GraphUser(identity="ann").permissions == []
    assert GraphUser(identity="ann", permissions="all").permissions == []
