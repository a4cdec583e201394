"""How callers show who they are, as agent cards say it."""

from longline.models.json import JsonObject
from longline.services.server import Server
from longline_protocol_a2a.cards import Schemes

_BEARER: JsonObject = {"httpAuthSecurityScheme": {"scheme": "Bearer", "bearerFormat": "JWT"}}


def schemes_of(server: Server) -> Schemes:
    """The security schemes of the server, any of which will do; none where nobody needs to show who they are. Issuers
    whose URL callers could not trust are not named."""
    if not server.is_authenticated:
        return {}
    issuers = [issuer.rstrip("/") for issuer in server.token_issuers if issuer.startswith("https://")]
    return {"bearer": _BEARER, **{_name(number): _issued(issuer) for number, issuer in enumerate(issuers, 1)}}


def _name(number: int) -> str:
    return "oidc" if number == 1 else f"oidc{number}"


def _issued(issuer: str) -> JsonObject:
    return {"openIdConnectSecurityScheme": {"openIdConnectUrl": f"{issuer}/.well-known/openid-configuration"}}
