"""Runs as they may be shown: what is sealed in them is hidden."""

from dataclasses import replace

from longline.auth.secrets import Vault
from longline.models.runs import Run


def shown_run(vault: Vault, run: Run) -> Run:
    """The run with each secret of its configuration as `***`."""
    spec = run.spec
    context = vault.hide(spec.context) if spec.context is not None else None
    return replace(run, spec=replace(spec, config=vault.hide(spec.config), context=context))
