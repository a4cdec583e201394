"""What `http` of a langgraph.json takes."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from longline.settings import SettingsModel

_Pattern = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1)]


def _prefix(text: str) -> str:
    trimmed = text.rstrip("/")
    if trimmed and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", trimmed):
        raise ValueError(f"a path such as /api is expected, got {text!r}")  # noqa: TRY003  # for pydantic
    return trimmed


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None  # noqa: TRY003  # for pydantic
    return text


class CorsSettings(SettingsModel):
    """Which pages of other origins may call the server."""

    allow_origins: list[str] = Field(default_factory=list, description="Origins whose pages may call. `*`: all.")
    allow_origin_regex: Annotated[str, AfterValidator(_regex)] | None = Field(
        None, description="A pattern of further origins; it must match the whole of one."
    )
    allow_methods: list[str] = Field(["*"], description="Methods that those pages may use. `*`: all.")
    allow_headers: list[str] = Field(
        default_factory=list, description="Request headers that they may send, besides the harmless ones. `*`: all."
    )
    allow_credentials: bool = Field(False, description="Whether they may send cookies. Name the origins then.")
    expose_headers: list[str] = Field(
        ["x-pagination-total", "x-pagination-next", "content-location"],
        description="Response headers that they may read.",
    )
    max_age: int = Field(600, ge=0, description="Seconds for which a browser may keep a preflight answer.")


EVERY_PAGE = CorsSettings.model_validate({"allow_origins": ["*"], "allow_headers": ["*"]})
"""Where nothing is said about it."""


class HeaderSettings(SettingsModel):
    """Which request headers: names or patterns with `*`, in any case."""

    includes: list[_Pattern] | None = Field(None, description="Headers to take. Unset: none.")
    excludes: list[_Pattern] | None = Field(None, description="Headers to leave out, whatever `includes` says.")


class HttpSettings(SettingsModel):
    """How the server is reached, and what else it serves."""

    app: str = Field(
        "", description="An ASGI app of the project (Starlette, FastAPI): path/to/file.py:name or package.module:name."
    )
    enable_custom_route_auth: bool = Field(
        False, description="Whether the routes of `app` ask for credentials too, and know `request.user`."
    )
    middleware_order: Literal["auth_first", "middleware_first"] = Field(
        "middleware_first", description="Whether callers are recognised before or after the middleware of `app`."
    )
    mount_prefix: Annotated[str, AfterValidator(_prefix)] = Field(
        "", description="Serve everything below this path, e.g. /api."
    )
    cors: CorsSettings | None = Field(
        None, description="Which pages of other origins may call. Unset: all, without cookies."
    )
    configurable_headers: HeaderSettings | None = Field(
        None, description="Request headers that graphs get as configurable values. Unset: none."
    )
    logging_headers: HeaderSettings | None = Field(
        None, description="Request headers that may be logged. No header is logged by this version."
    )
    disable_assistants: bool = Field(False, description="No /assistants.")
    disable_threads: bool = Field(False, description="No /threads; runs on threads are part of `disable_runs`.")
    disable_runs: bool = Field(False, description="No /runs, /runs/crons, /threads/{thread_id}/runs and /feedback.")
    disable_store: bool = Field(False, description="No /store.")
    disable_mcp: bool = Field(False, description="No /mcp.")
    disable_a2a: bool = Field(False, description="No /a2a and no agent cards.")
    disable_meta: bool = Field(False, description="No /info, /metrics, /docs and /openapi.json; /ok looks at nothing.")
    disable_ui: bool = Field(False, description="No /ui; there is none in this version.")
    disable_webhooks: bool = Field(False, description="Runs with a webhook are executed, and nobody is called.")
