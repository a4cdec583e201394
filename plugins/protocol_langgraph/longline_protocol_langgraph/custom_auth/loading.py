"""The project's Auth object, from the file that langgraph.json names."""

from typing import TYPE_CHECKING

from longline.settings import Settings
from longline_protocol_langgraph.custom_auth.authenticator import CustomAuthenticator
from longline_protocol_langgraph.custom_auth.rule import CustomAccessRule
from longline_protocol_langgraph.custom_auth.settings import CustomAuthSettings
from longline_protocol_langgraph.references import ReferenceNotLoadedError, load_named

if TYPE_CHECKING:
    from langgraph_sdk import Auth

_SETTING = "auth.path"


def load_authenticator(auth: CustomAuthSettings, settings: Settings) -> CustomAuthenticator:
    """The object's authenticate handler. Raises ReferenceNotLoadedError: without it nobody could be told from anybody
    else, so a server that is told to use it does not start."""
    handler = _load(auth, settings)._authenticate_handler  # noqa: SLF001  # what the SDK keeps for servers
    if handler is None:
        raise ReferenceNotLoadedError(_SETTING, auth.path, "it has no @auth.authenticate handler")
    try:
        return CustomAuthenticator(handler, auth)
    except ValueError as error:
        code = getattr(handler, "__code__", None)
        place = f"{code.co_filename}, line {code.co_firstlineno}" if code is not None else ""
        raise ReferenceNotLoadedError(_SETTING, auth.path, f"@auth.authenticate: {error}", place) from None


def load_rule(auth: CustomAuthSettings, settings: Settings) -> CustomAccessRule:
    """The object's `on` handlers. Raises ReferenceNotLoadedError."""
    return CustomAccessRule(_load(auth, settings))


def _load(auth: CustomAuthSettings, settings: Settings) -> "Auth":
    """Imports the project's file, and with it langgraph_sdk, which takes over a second."""
    found = load_named(_SETTING, auth.path, settings)
    from langgraph_sdk import Auth  # noqa: PLC0415  # slow, and only where there is an Auth

    if not isinstance(found, Auth):
        raise ReferenceNotLoadedError(_SETTING, auth.path, f"it is no langgraph_sdk.Auth but a {type(found).__name__}")
    return found
