"""One token, one user: enough to try it. Your own lookup comes in its place."""

import hmac
import os

from langgraph_sdk import Auth

auth = Auth()
_TOKEN = os.environ["API_TOKEN"]


@auth.authenticate
async def authenticate(authorization: str | None) -> str:
    """Who shows the token of the environment."""
    if not hmac.compare_digest((authorization or "").encode(), f"Bearer {_TOKEN}".encode()):
        raise Auth.exceptions.HTTPException(status_code=401, detail="no such token")
    return "operator"
