"""Where things lie on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from gbg_lib.runner import outputs

ROOT = Path(__file__).resolve().parent.parent
RUNBOOKS = ROOT / "runbooks"
PARAMETERS = ROOT / "parameters"


def home() -> Path:
    """The folder of the sandbox: $GBG_HOME, or .gbg beside the project."""
    return Path(os.environ.get("GBG_HOME") or ROOT / ".gbg")


def runs() -> Path:
    """Where runs keep their folders: $GBG_RUNS, or runs/ beside the project, also when $GBG_RUNS is in S3."""
    told = os.environ.get("GBG_RUNS", "")
    return ROOT / "runs" if outputs.is_bucket(told) or not told else Path(told)


def bucket() -> outputs.Bucket | None:
    """Where in S3 runs are kept besides, if $GBG_RUNS says so. Raises MisuseError."""
    told = os.environ.get("GBG_RUNS", "")
    return outputs.parse(told) if outputs.is_bucket(told) else None
