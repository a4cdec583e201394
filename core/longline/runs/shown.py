"""Runs as they may be shown: what is sealed in them is hidden, their callers' tokens are left out."""

from dataclasses import replace

import orjson

from longline.auth.secrets import Vault
from longline.models.json import JsonObject
from longline.models.runs import Run


def shown_run(vault: Vault, run: Run) -> Run:
    """The run with each secret of its configuration as `***`, and without its caller's token."""
    spec = run.spec
    context = vault.hide(spec.context) if spec.context is not None else None
    return replace(run, spec=replace(spec, config=vault.hide(spec.config), context=context), token=None)


def scrub(vault: Vault, run: Run, text: str) -> str:
    """A text about the run, e.g. of an error, with `***` for each of the run's secrets and its caller's token."""
    return vault.scrub(text, *_holders(run))


def has_secrets(vault: Vault, run: Run) -> bool:
    """Whether there is anything to scrub."""
    return vault.holds_secrets(*_holders(run))


def _holders(run: Run) -> tuple[JsonObject, ...]:
    return run.spec.config, run.spec.context or {}, {} if run.token is None else orjson.loads(run.token)
