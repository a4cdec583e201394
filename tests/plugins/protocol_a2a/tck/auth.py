"""Two people with a token each."""

from langgraph_sdk import Auth

auth = Auth()
_PEOPLE = {"Bearer alice-token": "alice", "Bearer bob-token": "bob"}


@auth.authenticate
async def authenticate(headers: dict[bytes, bytes]) -> Auth.types.MinimalUserDict:
    """Who the caller is."""
    identity = _PEOPLE.get(headers.get(b"authorization", b"").decode())
    if identity is None:
        raise Auth.exceptions.HTTPException(status_code=401, detail="no such token")
    return {"identity": identity}
