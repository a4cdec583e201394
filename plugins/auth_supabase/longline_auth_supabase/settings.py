"""What an operator may say about the users of a Supabase project."""

import re
from typing import Annotated, Final, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, StringConstraints, model_validator

from longline.auth.access import Resource
from longline.settings import SettingsModel

LONGEST_CACHE_SECONDS: Final = 60.0
"""For which somebody who was locked out may still be let in by what was remembered."""
_SHORTEST_SECRET_BYTES: Final = 32  # RFC 7518 §3.2
_ACTION: Final = re.compile(rf"\*|({'|'.join(get_args(Resource))})(\.[a-z_]+)?")

_Path = Annotated[str, StringConstraints(pattern=r"^([^.\s]+(\.[^.\s]+)*)?$")]
_Cache = Annotated[float, Field(ge=0, le=LONGEST_CACHE_SECONDS)]
_Wait = Annotated[float, Field(gt=0, le=60)]


class SupabaseAuthSettings(SettingsModel):
    """Users of a Supabase project; they show its access tokens. Off without `url`."""

    url: str = Field("", description="The project: https://<ref>.supabase.co. Empty: this plugin lets nobody in.")
    key: SecretStr = Field(
        SecretStr(""),
        description="An API key of the project, sent as `apikey` to its Auth server: a publishable one is enough.",
    )
    jwt_secret: SecretStr = Field(
        SecretStr(""), description="The project's legacy JWT secret, if it signs tokens with HS256. At least 32 bytes."
    )
    verify: Literal["local", "remote"] = Field(
        "local",
        description="`local`: signatures are checked here. `remote`: the Auth server is asked about every token as "
        "well, so that a session that was ended is refused within `remote_cache_seconds`; needs `key`.",
    )
    issuer: str = Field("", description="What `iss` of a token must be. Empty: `url` and /auth/v1.")
    audience: str = Field("authenticated", min_length=1, description="What `aud` of a token must have.")
    roles: list[str] = Field(
        default_factory=lambda: ["authenticated"], description="What `role` of a token may be, for a user."
    )
    allow_anonymous: bool = Field(
        False, description="Whether users who signed in anonymously (`is_anonymous`) are let in."
    )
    service_role: list[str] = Field(
        default_factory=list,
        description="What whoever shows `key` may do, if that is a `service_role` or secret key, as resources and "
        "actions: `threads`, `runs.read`, `*`. It sees what it made itself. Empty: such keys are refused.",
    )
    leeway_seconds: float = Field(
        30.0, ge=0, le=300, description="How far the clock of the Auth server may be off from this one's."
    )
    max_token_bytes: int = Field(
        16_384, ge=256, le=1_048_576, description="A longer token is refused unread. Headers have a limit of their own."
    )
    timeout_seconds: _Wait = Field(5.0, description="Seconds that the Auth server and the database may take to answer.")
    jwks_seconds: float = Field(600.0, ge=1, le=86_400, description="Seconds for which public keys are kept.")
    jwks_cooldown_seconds: float = Field(
        10.0, ge=0, le=600, description="Seconds between looks for a key that no known one is."
    )
    jwks_grace_seconds: float = Field(
        3600.0,
        ge=0,
        le=86_400,
        description="Seconds beyond `jwks_seconds` for which the last keys go on being used while the Auth server is "
        "away. After that nobody can be let in.",
    )
    verified_seconds: _Cache = Field(
        60.0, description="Seconds for which a token whose signature was checked is known, while no key changes."
    )
    remote_cache_seconds: _Cache = Field(
        60.0, description="Seconds for which an answer of the Auth server about a token is kept."
    )
    organizations_claim: _Path | None = Field(
        None,
        description="The path of the claim that lists a user's organisations. Unset: `app_metadata.organization_ids` "
        "where a token has it. Empty: claims are not looked at.",
    )
    database: SecretStr = Field(
        SecretStr(""),
        description="The project's Postgres, for `organizations_query`. Empty: `server.database` where that is "
        "Postgres, else none.",
    )
    organizations_query: str = Field(
        "",
        description="SQL whose first column is the organisations of the user `%(user_id)s`. Empty: those in "
        "`public.organization_members(user_id, organization_id)`.",
    )
    organizations_seconds: _Cache = Field(60.0, description="Seconds for which an answer of the query is kept.")
    organizations_grace_seconds: float = Field(
        300.0,
        ge=0,
        le=3600,
        description="Seconds beyond that for which the last answer is used while the database is away. After that a "
        "user belongs to no organisation.",
    )
    claims: list[str] = Field(
        default_factory=lambda: ["email", "phone", "role", "aal", "app_metadata"],
        description="Claims that graphs see of a user. `user_metadata` is what users write about themselves.",
    )

    @property
    def auth_url(self) -> str:
        """Where the project's Auth server is."""
        return f"{self.url.rstrip('/')}/auth/v1"

    @property
    def expected_issuer(self) -> str:
        """What `iss` must be."""
        return self.issuer or self.auth_url

    @model_validator(mode="after")
    def _fits(self) -> Self:
        secret = self.jwt_secret.get_secret_value()
        if secret and len(secret.encode()) < _SHORTEST_SECRET_BYTES:
            raise ValueError(f"jwt_secret must have at least {_SHORTEST_SECRET_BYTES} bytes")  # noqa: TRY003  # for pydantic
        if self.url and not _is_url(self.url):
            raise ValueError("url must be https://<project>.supabase.co or the like")  # noqa: TRY003  # for pydantic
        if self.url and self.verify == "remote" and not self.key.get_secret_value():
            raise ValueError('verify = "remote" needs key (SUPABASE_KEY)')  # noqa: TRY003  # for pydantic
        if self.url and self.service_role and not self.key.get_secret_value():
            raise ValueError("service_role needs key, the one that may be shown")  # noqa: TRY003  # for pydantic
        wrong = [action for action in self.service_role if not _ACTION.fullmatch(action)]
        if wrong:
            known = ", ".join(get_args(Resource))
            raise ValueError(f"service_role takes *, {known}, or one with a verb (threads.read), not {wrong[0]!r}")  # noqa: TRY003  # for pydantic
        if "user_metadata" in (self.organizations_claim or "").split("."):
            raise ValueError("organizations_claim must not be below user_metadata: users write that themselves")  # noqa: TRY003  # for pydantic
        return self


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment
    except ValueError:
        return False
