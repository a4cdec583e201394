"""The links of a run: made once, in the transaction of its end, so that every replay of its stream names the same."""

import hashlib
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from longline.graphs.binding import principal_of
from longline.models.collections import CollectionSpec, NewDocument
from longline.models.json import JsonObject, JsonValue
from longline.models.runs import Run, RunStatus
from longline.runs.recorders import RunEnding
from longline_protocol_langgraph.feedback.settings import FeedbackSettings

FEEDBACK: Final = CollectionSpec(name="protocol_langgraph.feedback", kind="documents")
"""One document for each run with feedback keys, its owner's, by the run's id: its tokens by feedback key, and what was
given so far."""
TOKENS: Final = CollectionSpec(name="protocol_langgraph.feedback_tokens", kind="documents")
"""What each token is for. The server's own, and by a hash: who reads keys of documents cannot use a token."""
NOBODY: Final = ""


class FeedbackLinks:
    """Makes the tokens of a run that ends well. Costs nothing for runs without feedback keys."""

    def __init__(self, settings: FeedbackSettings) -> None:
        self._open = timedelta(hours=settings.link_hours)
        self._kept = timedelta(days=settings.keep_days)

    def wants(self, run: Run) -> bool:
        """See EndRecorder."""
        return bool(run.spec.feedback_keys)

    def record(self, ending: RunEnding) -> Sequence[NewDocument]:
        """See EndRecorder."""
        run, owner = ending.run, owner_of(ending.run)
        if run.status is not RunStatus.SUCCESS:
            return []
        tokens: dict[str, JsonValue] = {key: str(uuid.uuid4()) for key in run.spec.feedback_keys or ()}
        page: JsonObject = {
            "thread_id": run.thread_id, "is_alone": run.spec.temporary, "tokens": tokens, "given": {},
        }  # fmt: skip
        kept = NewDocument(
            collection=FEEDBACK.name, owner=owner, key=run.run_id, value=page, expires_at=ending.ended_at + self._kept
        )
        return [
            kept,
            *(
                NewDocument(
                    collection=TOKENS.name,
                    owner=NOBODY,
                    key=fingerprint(str(token)),
                    value={"owner": owner, "run_id": run.run_id, "key": key},
                    expires_at=ending.ended_at + self._open,
                )
                for key, token in tokens.items()
            ),
        ]


def owner_of(run: Run) -> str:
    """Whose run it is: who asked for it."""
    configurable = run.spec.config.get("configurable")
    return principal_of(configurable if isinstance(configurable, dict) else {}).identity


def fingerprint(token: str) -> str:
    """What a token is stored under. Tokens are random, so a plain hash tells nothing about them."""
    return hashlib.sha256(token.encode()).hexdigest()
