"""50 environments through one Airflow: python -m benchmarks.airflow [COUNT]

Scheduler, API server and tasks run on this machine beside the sandbox; each environment runs a light runbook
against it and leaves a mark. Told are the seconds from trigger to end, and what failed.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import tell
from gbg_lib.aws import open_aws
from gbg_lib.parameters import Parameters
from gbg_sandbox.home import Home
from tests.sandbox.airflows import Airflow
from tests.sandbox.environments import light_runbook, write_environments

LIMIT_SECONDS = 1800
DAG = "gbg_every_environment"


def main(count: int = 50) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything it started ends with it
    with tempfile.TemporaryDirectory() as told:
        folder = Path(told)
        os.environ["GBG_HOME"] = str(folder / "gbg")
        home = Home(folder / "gbg")
        home.up()
        try:
            _measure(folder, count)
        finally:
            home.down()


def _measure(folder: Path, count: int) -> None:
    (folder / "airflow").mkdir()
    airflow = Airflow(
        folder / "airflow",
        folder / "gbg",
        gbg_runbook=str(light_runbook(folder)),
        gbg_folder=str(write_environments(folder / "environments", count)),
        gbg_runs=str(folder / "runs"),
        gbg_schedule="None",
        gbg_at_once="4",
    )
    airflow.command("dags", "reserialize")
    airflow.command("dags", "trigger", DAG)
    begun = time.monotonic()
    with airflow.serving(CORE__PARALLELISM="4"):
        state = airflow.wait(DAG, LIMIT_SECONDS)
        seconds = time.monotonic() - begun
    states = list(airflow.states(DAG).values())
    marks = list(open_aws(Parameters()).pages("ssm", "describe_parameters", "Parameters"))
    done = states.count("success")
    row = {"environments": count, "run": state, "seconds": seconds, "tasks done": done}
    tell("environments through one Airflow", [row | {"not done": len(states) - done, "marks": len(marks)}])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
