"""`longline run`: one run in the terminal, in this process, or on the server that owns the database.

Where servers share the database, this process is a guest there: the run executes here, and nothing else does.
"""

import asyncio
import json
import os
from dataclasses import dataclass
from typing import Final

import orjson
from rich.console import Console

from longline.auth.principal import LOCAL
from longline.errors import StorageInUseError
from longline.ids import parse_uuid
from longline.models.json import JsonObject
from longline.models.runs import CancelRequest, Run, RunStatus
from longline.runtime import OpenServer, Runtime
from longline.services.run_requests import RunRequest
from longline.settings import ServerSettings
from longline_hosts.assemble import assemble
from longline_hosts.dev import DEV, with_secret_key
from longline_hosts.environment import Configuration, Flags, load_configuration
from longline_hosts.errors import BadThreadError, OwnerUnknownError
from longline_hosts.logs import configure_logging
from longline_hosts.place import url_of_owner
from longline_hosts.serve import new_loop
from longline_hosts.terminal import INTERRUPTED, on_interrupt, tell_end
from longline_hosts.transcript import STREAM_MODES, Transcript

_WAIT_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the command line says about `longline run`."""

    flags: Flags
    assistant: str
    text: str
    thread_id: str | None
    url: str | None
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to run."""

    assistant: str
    input: JsonObject
    thread_id: str | None


def run_once(options: RunOptions) -> int:
    """Run and print; 0 if the run succeeded, 1 if it failed, 130 after Ctrl-C. Raises LonglineError."""
    configure_logging("lines", options.level)
    configuration = load_configuration(options.flags)
    question = Question(
        assistant=options.assistant, input=_input(options.text), thread_id=_thread_id(options.thread_id)
    )
    transcript = Transcript(Console(highlight=False, emoji=False))
    if options.url is not None:
        return _run_there(options.url, configuration, question, transcript)
    configuration.export()
    runtime = assemble(with_secret_key(configuration), DEV)
    try:
        with asyncio.Runner(loop_factory=new_loop()) as runner:
            return runner.run(_run_here(runtime, question, transcript))
    except StorageInUseError as error:
        url = url_of_owner(runtime.settings.section(ServerSettings).database)
        if url is None:
            raise OwnerUnknownError(error.place, error.owner) from error
        return _run_there(url, configuration, question, transcript)


def _input(text: str) -> JsonObject:
    """A user's message; a text that is a JSON object is the graph's input as it is."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        found = None
    return found if isinstance(found, dict) else {"messages": [{"role": "user", "content": text}]}


def _thread_id(text: str | None) -> str | None:
    found = parse_uuid(text) if text is not None else None
    if text is not None and found is None:
        raise BadThreadError(text)
    return found


def _run_there(url: str, configuration: Configuration, question: Question, transcript: Transcript) -> int:
    from longline_hosts.remote import run_remotely  # noqa: PLC0415  # brings an HTTP client

    return run_remotely(url, configuration.variable("LONGLINE_TOKEN"), question, transcript)


async def _run_here(runtime: Runtime, question: Question, transcript: Transcript) -> int:
    request = RunRequest(
        assistant=question.assistant,
        thread_id=question.thread_id,
        input=question.input,
        stream_modes=STREAM_MODES,
        if_not_exists="create",
        keep_thread=True,
    )
    async with runtime.open(only_own_runs=runtime.storage_backend.is_shared) as opened:
        run, reader = await opened.server.runs.watch(LOCAL, request)
        cancelling = _cancel_on_signal(opened, run)
        with reader:
            while (events := await reader.read(_WAIT_SECONDS)) != []:
                for event in events or ():
                    transcript.hear(event.mode, orjson.loads(event.data))
        transcript.finish()
        status = reader.end.status if reader.end is not None else None
    return tell_end(run.thread_id, is_success=status is RunStatus.SUCCESS, is_cancelled=cancelling.is_set())


def _cancel_on_signal(opened: OpenServer, run: Run) -> asyncio.Event:
    """Ctrl-C cancels the run, which then ends by itself. The second one ends the process."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def cancel() -> None:
        request = CancelRequest(action="interrupt", reason="interrupted in the terminal")
        await opened.server.runs.cancel(LOCAL, run.thread_id, [run.run_id], request)

    def ask() -> None:
        if asked.is_set():
            os._exit(INTERRUPTED)
        asked.set()
        tasks.add(loop.create_task(cancel()))

    on_interrupt(ask)
    return asked
