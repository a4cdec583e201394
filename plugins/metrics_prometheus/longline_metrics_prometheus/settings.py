"""Where the metrics are, and who may read them."""

from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from longline.settings import SettingsModel

_Path = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9._~-]+)+$")]


class MetricsSettings(SettingsModel):
    """Metrics for Prometheus, and the same as JSON."""

    path: _Path = Field("/metrics", description="Where the metrics are served; JSON is at `/json` below it.")
    public: bool | None = Field(
        None,
        description="Whether anybody may read them. Unset: yes, unless there is a `token`. `false`: callers' "
        "credentials are needed, or the `token`. They are open anyway on a server without authentication.",
    )
    token: SecretStr = Field(
        SecretStr(""), description="A bearer token that opens the metrics and nothing else. With one, callers' do not."
    )
    worker: str = Field(
        "",
        description="The label `worker` of every figure of this process; `longline serve` numbers its workers by it.",
    )
