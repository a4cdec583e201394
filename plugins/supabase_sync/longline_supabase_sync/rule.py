"""Who may see a mirrored agent: the members of its organisation, and nobody else."""

from longline.auth.access import Action
from longline.auth.principal import Principal
from longline.models.filters import EVERYTHING, AnyOf, Equals, Filter, Missing
from longline.models.json import JsonObject
from longline_supabase_sync.names import ORGANIZATION_KEY


class OrganizationRule:
    """Assistants that belong to an organisation are there for its members only, whatever is done with them. It holds
    without a source too: mirrors of earlier times stay."""

    name = "organizations"

    async def decide(self, principal: Principal, action: Action, value: JsonObject) -> Filter:  # noqa: ARG002  # a rule
        """See AccessRule."""
        if action.resource != "assistants" or not principal.is_authenticated:
            return EVERYTHING
        theirs = (Equals(ORGANIZATION_KEY, organization) for organization in principal.organizations)
        return AnyOf((Missing(ORGANIZATION_KEY), *theirs))
