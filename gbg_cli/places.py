"""Where things lie on this machine."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNBOOKS = ROOT / "runbooks"
PARAMETERS = ROOT / "parameters"


def home() -> Path:
    """The folder of the sandbox: $GBG_HOME, or .gbg beside the project."""
    return Path(os.environ.get("GBG_HOME") or ROOT / ".gbg")


def runs() -> Path:
    """Where runs keep their folders: $GBG_RUNS, or runs/ beside the project."""
    return Path(os.environ.get("GBG_RUNS") or ROOT / "runs")
