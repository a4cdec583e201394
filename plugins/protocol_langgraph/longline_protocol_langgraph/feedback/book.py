"""What was given through links, and to whom it is shown."""

from collections.abc import Mapping, Sequence

from longline.auth.principal import Principal
from longline.clock import now
from longline.errors import NotFoundError, VersionConflictError
from longline.models.collections import Document
from longline.models.json import JsonObject
from longline.models.runs import Run
from longline.services.server import Server
from longline_protocol_langgraph.errors import FeedbackLinkUnknownError
from longline_protocol_langgraph.feedback.links import FEEDBACK, NOBODY, TOKENS, fingerprint, owner_of


class FeedbackBook:
    """The feedback of all runs of a server."""

    def __init__(self, server: Server) -> None:
        self._runs = server.runs
        self._tokens = server.collections.documents(TOKENS.name)
        self._pages = server.collections.documents(FEEDBACK.name)

    async def tokens_of(self, run: Run) -> Mapping[str, str]:
        """The tokens of a run that has ended, by feedback key; none for one that did not end well, or long ago."""
        try:
            page = await self._pages.get(owner_of(run), run.run_id)
        except NotFoundError:
            return {}
        return {key: str(token) for key, token in _object(page.value["tokens"]).items()}

    async def give(self, token: str, feedback: JsonObject) -> None:
        """Take feedback, in place of what the same token gave before. Raises FeedbackLinkUnknownError for a token that
        never was or whose time is over."""
        try:
            link = await self._tokens.get(NOBODY, fingerprint(token))
            while not await self._write(str(link.value["owner"]), str(link.value["run_id"]), link, feedback):
                pass  # somebody else gave feedback on this run in the same moment
        except NotFoundError:
            raise FeedbackLinkUnknownError from None

    async def of_lone_run(self, principal: Principal, run_id: str) -> Sequence[JsonObject]:
        """As `of_run`, by the run's id alone. Raises NotFoundError for a run without links, too."""
        try:
            page = await self._pages.get(principal.identity, run_id)
        except NotFoundError:
            raise NotFoundError("run", run_id) from None
        return await self.of_run(principal, str(page.value["thread_id"]), run_id)

    async def of_run(self, principal: Principal, thread_id: str, run_id: str) -> Sequence[JsonObject]:
        """What was given on a run, in the order of its first time, to whom the run belongs. One that went with its own
        thread leaves its feedback. Raises NotFoundError, ForbiddenError."""
        gone: NotFoundError | None = None
        try:
            await self._runs.get(principal, thread_id, run_id)
        except NotFoundError as error:
            gone = error
        try:
            page = await self._pages.get(principal.identity, run_id)
        except NotFoundError:
            page = None
        if gone is not None and (page is None or not page.value["is_alone"] or page.value["thread_id"] != thread_id):
            raise NotFoundError("run", run_id) from gone
        given = [] if page is None else _object(page.value["given"]).items()
        return [{"key": key, "run_id": run_id, "thread_id": thread_id, **_object(one)} for key, one in given]

    async def _write(self, owner: str, run_id: str, link: Document, feedback: JsonObject) -> bool:
        page, key = await self._pages.get(owner, run_id), str(link.value["key"])
        at = now().isoformat(timespec="microseconds")
        given = _object(page.value["given"])
        before = _object(given.get(key))
        entry = {**feedback, "created_at": before.get("created_at", at), "updated_at": at}
        value: JsonObject = {**page.value, "given": {**given, key: entry}}
        try:
            await self._pages.put(owner, run_id, value, expected=page.version, expires_at=page.expires_at)
        except VersionConflictError:
            return False
        return True


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}
