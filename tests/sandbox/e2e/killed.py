"""A teardown that is killed without warning."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.command import clean_environment
from tests.sandbox.e2e.inventory import inventory
from tests.sandbox.e2e.world import Deployment
from tests.sandbox.processes import below, outliving


def kill_teardown(of: Deployment, home: Path, stack: str) -> None:
    """Runbook 09's process, while this stack goes. Its notebook's ends by itself, and something is left."""
    given = {"deployment": of.name, "confirm": of.name, "remove_records": "true"}
    words = [word for name, value in given.items() for word in ("-p", f"{name}={value}")]
    first = subprocess.Popen(
        [sys.executable, "-m", "gbg_cli", "run", "9", *words],
        cwd=home.parent,
        env=clean_environment(GBG_HOME=str(home), GBG_RUNS=str(home.parent / "runs")),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    family = below(first.pid)
    of.until(
        lambda: of.base.stacks.status_or_none(stack) in ("DELETE_IN_PROGRESS", None), f"the end of {stack}"
    )
    family |= below(first.pid)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert outliving(family) == set()
    assert inventory(of.aws, of.name), "it was killed midway"
