"""Many environments and a runbook that is quick: it asks AWS who it is and leaves a mark of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.notebooks.small import PARAMETERS, write_notebook

OPENED = """\
from gbg_lib.aws import open_aws
from gbg_lib.parameters import Parameters

parameters = Parameters.from_cell(globals())
aws = open_aws(parameters)"""
MARKED = """\
aws.call(
    "ssm", "put_parameter", Name=f"/marks/{parameters.deployment}", Value=aws.account(), Type="String"
)"""


GATE = """\
from gbg_lib.errors import GateRefused
raise GateRefused("window", "shut until Monday", "wait")"""
LOCK = """\
from pathlib import Path
from gbg_lib import errors
tried = Path({mark!r})
if not tried.exists():
    tried.touch()
    raise errors.Locked("lock", "somebody else is releasing", "wait")"""
"""locked the first time, done the second; `mark` is a file"""


def light_runbook(folder: Path) -> Path:
    return write_notebook(
        folder / "light.ipynb",
        PARAMETERS + 'cloud = "sandbox"\ndeployment = "gbg"\nacknowledged = False',
        "# Mark",
        OPENED,
        MARKED,
    )


def write_environments(folder: Path, count: int) -> Path:
    """A folder of parameters files, shop-00 and on."""
    folder.mkdir(parents=True)
    for number in range(count):
        file = folder / f"shop-{number:02}.yaml"
        file.write_text(f"cloud: sandbox\ndeployment: {file.stem}\n")
    return folder


def far_window() -> str:
    """Two minutes of a week, neither of them within a day of now."""
    days = [datetime.now(UTC) + timedelta(days=number) for number in (2, 4)]
    return "; ".join(f"{day:%a} 00:00-00:01" for day in days)
