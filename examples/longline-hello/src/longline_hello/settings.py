"""What an operator may choose, in the section `[hello]` of `longline.toml`."""

from pydantic import Field

from longline.settings import SettingsModel


class HelloSettings(SettingsModel):
    """How this plugin greets, and who answers."""

    greeting: str = Field(default="Hello", min_length=1, description="The word that greets.")
    assistant: str = Field(
        default="agent", description="Who answers POST /hello/run: a graph's id or an assistant's UUID."
    )
    answer_seconds: float = Field(
        default=60.0, gt=0, description="Seconds after which an unfinished answer is given up."
    )
