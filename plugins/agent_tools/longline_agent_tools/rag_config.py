"""`rag`: the collections of documents that an agent may search, as assistants and runs write it."""

import re
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints

MOST_COLLECTIONS: Final = 32
# Characters that no path of a URL changes, and never `.` or `..`, which lead to other paths.
_ID = re.compile(r"^(?!\.{1,2}$)[\w.:@~-]{1,200}$", re.ASCII)


def _listed(value: object) -> object:
    """Blanks and nulls come along from databases and forms."""
    if isinstance(value, list | tuple):
        cleaned = [item.strip() if isinstance(item, str) else item for item in value if item is not None]
        return tuple(item for place, item in enumerate(cleaned) if item != "" and item not in cleaned[:place])
    return () if value is None else value


class RagConfig(BaseModel):
    """A server of documents and the collections of it. Whether they can be searched shows when they are."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    # As a secret, because a URL may hold one: then it comes as a handle, and stays out of whatever shows the config.
    rag_url: SecretStr | None = Field(None, description="Where it answers, e.g. https://documents.example.com.")
    collections: Annotated[tuple[Annotated[str, StringConstraints(pattern=_ID)], ...], BeforeValidator(_listed)] = (
        Field((), max_length=MOST_COLLECTIONS, description="Ids of collections; each is a tool.")
    )

    @property
    def url(self) -> str:
        """Where it answers, without the slash at the end; empty: nowhere."""
        return "" if self.rag_url is None else self.rag_url.get_secret_value().strip()
