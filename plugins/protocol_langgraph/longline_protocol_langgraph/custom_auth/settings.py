"""What `auth` of a langgraph.json takes."""

from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from longline.settings import SettingsModel

SecurityRequirement = dict[str, list[str]]
"""Scheme → scopes: one way to be let in."""
_HeaderName = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1)]


class OpenApiSecurity(SettingsModel):
    """What the API's description says about credentials; the server itself does not act on it."""

    security_schemes: dict[str, dict[str, object]] = Field(
        default_factory=dict, alias="securitySchemes", description="OpenAPI security schemes, by name."
    )
    security: list[SecurityRequirement] = Field(
        default_factory=list, description="What every path asks for, unless `paths` says otherwise."
    )
    paths: dict[str, dict[str, list[SecurityRequirement]]] = Field(
        default_factory=dict, description="What a path asks for, by path and method."
    )


class AuthCacheSettings(SettingsModel):
    """Whom the authenticate handler let in, remembered for a while."""

    cache_keys: list[_HeaderName] = Field(
        min_length=1,
        description="Headers by which callers are told apart. Requests that are alike in all of them are the same "
        "caller; one that has none of them is always asked about.",
    )
    ttl_seconds: float = Field(60, gt=0, description="Seconds for which an answer is kept.")
    max_size: int = Field(1000, ge=1, description="How many answers are kept; the one unused longest goes first.")


class CustomAuthSettings(SettingsModel):
    """Authentication and authorization by a `langgraph_sdk.Auth` object."""

    path: str = Field(min_length=1, description="The Auth object: path/to/file.py:name or package.module:name.")
    disable_studio_auth: bool = Field(
        False, description="Whether `studio_key` lets nobody in: then every request goes to the authenticate handler."
    )
    studio_key: SecretStr = Field(
        SecretStr(""),
        description="Who sends `x-auth-scheme: langsmith` and this as `x-api-key` is the Studio user. Empty: nobody.",
    )
    openapi: OpenApiSecurity = Field(
        default_factory=OpenApiSecurity, description="What /openapi.json says about credentials."
    )
    cache: AuthCacheSettings | None = Field(None, description="Which callers are remembered. Unset: none.")
