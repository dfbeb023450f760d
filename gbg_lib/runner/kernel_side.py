"""What a run's kernel does beside running cells: it masks what it says, tells an error's class, counts cells.

An IPython extension and a packer of messages, both named on the kernel's command line by the engine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_client.session import json_packer

from gbg_lib.errors import GbgError
from gbg_lib.parameters import HIDDEN, addresses_in
from gbg_lib.replay import tape
from gbg_lib.replay.divergence import Diverged
from gbg_lib.replay.offline import refuse_network
from gbg_lib.runner import children, journal
from gbg_lib.secret.values import learn, learn_environment, learn_named, masking

WORDS = [f"--IPKernelApp.extra_extensions={__name__}", f"--Session.packer={__name__}.packed"]
"""for the kernel's command line"""


def packed(message: Any) -> bytes:
    """A message as JSON without secrets: nothing else leaves a kernel."""
    return bytes(json_packer(masking().value(message)))


def load_ipython_extension(shell: Any) -> None:
    learn_environment()
    if tape.playing():
        refuse_network()
    shell.events.register("pre_run_cell", begins)
    shell.events.register("post_run_cell", lambda _: learn_variables(shell.user_ns))
    for printed in filter(None, map(children.heard, (sys.stdout, sys.stderr))):
        shell.events.register("post_run_cell", printed.catch_up)
    shell.events.register("post_run_cell", ran)


def begins(_: Any) -> None:
    """Before each cell."""
    if (kept := tape.current()) is not None:
        kept.begin_cell()


def learn_variables(variables: Mapping[str, Any]) -> None:
    """Parameters, and what cells have set: names tell which of them are secret."""
    learn_named(variables)
    learn(*(word for name in HIDDEN for word in addresses_in(str(variables.get(name, "")))))


def ran(result: Any) -> None:
    """After each cell."""
    if (kept := tape.current()) is not None:
        _quietly(kept.end_cell)
    error = result.error_in_exec
    if isinstance(error, GbgError):
        journal.tell(
            journal.ERROR,
            name=type(error).__name__,
            exit_status=error.exit_status,
            where=error.where,
            what=error.what,
            **{"try": error.try_this},
        )


def _quietly(end: Callable[[], None]) -> None:
    """A divergence at a cell's end: the journal has it, and the runner stops there."""
    try:
        end()
    except Diverged:
        return
