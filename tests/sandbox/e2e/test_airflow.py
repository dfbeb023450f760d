"""Runbooks in a real Airflow 3: what stops one is skipped, tried again or failed, as its error means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebooks.small import PARAMETERS, write_notebook
from tests.sandbox.airflows import Airflow
from tests.sandbox.e2e.world import World
from tests.sandbox.environments import light_runbook, write_environments

pytestmark = pytest.mark.xdist_group("airflow")

COUNT = 6
LIMIT_SECONDS = 600
DAG = """
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG

from gbg_lib.scheduling.airflow.operator import RunbookOperator

with DAG("meanings", schedule=None, start_date=datetime(2026, 1, 1)):
    for path in sorted(Path({folder!r}).glob("*.ipynb")):
        RunbookOperator(
            task_id=path.stem, runbook=str(path), parameters_file={file!r}, runs={runs!r},
            retries=2, retry_delay=timedelta(seconds=1),
        )
    RunbookOperator(
        task_id="no_such_parameter", runbook="4", parameters_file={wrong!r}, runs={runs!r}, retries=2,
    )
"""
GATE = """
from gbg_lib.errors import GateRefused
raise GateRefused("window", "shut until Monday", "wait")
"""
LOCK = """
from pathlib import Path
from gbg_lib import errors
tried = Path({mark!r})
if not tried.exists():
    tried.touch()
    raise errors.Locked("lock", "somebody else is releasing", "wait")
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("airflow-world") / "gbg", None)
    yield made
    made.close()


def test_what_stops_a_runbook_means_the_same_to_airflow(world: World, tmp_path: Path) -> None:
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    first = PARAMETERS + 'cloud = "sandbox"\ndeployment = "gbg"'
    write_notebook(notebooks / "done.ipynb", first, "assert deployment == 'shop-00'")
    write_notebook(notebooks / "gate.ipynb", first, GATE)
    write_notebook(notebooks / "locked.ipynb", first, LOCK.format(mark=str(tmp_path / "tried")))
    write_notebook(notebooks / "failed.ipynb", first, "1 / 0")
    write_notebook(notebooks / "dead.ipynb", first, "import os\nos._exit(7)")
    environment = write_environments(tmp_path / "environments", 1) / "shop-00.yaml"
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("deploymnet: shop\n")
    dags = tmp_path / "dags"
    dags.mkdir()
    given = {"folder": str(notebooks), "file": str(environment), "wrong": str(wrong)}
    (dags / "meanings.py").write_text(DAG.format(**given, runs=str(tmp_path / "runs")))
    (tmp_path / "airflow").mkdir()

    airflow = Airflow(tmp_path / "airflow", world.home.folder, dags)
    told = airflow.command("dags", "test", "meanings", status=1)

    states = {task: state for (task, _), state in airflow.states().items()}
    assert states == {
        "done": "success",
        "gate": "skipped",
        "locked": "success",
        "failed": "failed",
        "dead": "failed",
        "no_such_parameter": "failed",
    }, told
    tries = {task: tried for (task, _), tried in airflow.tries().items()}
    assert (tries["locked"], tries["failed"], tries["dead"], tries["no_such_parameter"]) == (2, 1, 1, 1)
    assert "shut until Monday" in told
    assert "did you mean deployment?" in told
    [run] = (tmp_path / "runs" / "shop-00").glob("*-done")
    assert json.loads((run / "result.json").read_text())["status"] == "done"


def test_every_file_of_a_folder_is_an_environment_of_its_own(world: World, tmp_path: Path) -> None:
    """By Airflow's scheduler and executor, several at a time; a file that is wrong fails alone."""
    folder = write_environments(tmp_path / "environments", COUNT)
    (folder / "wrong.yaml").write_text("deploymnet: shop\n")
    (tmp_path / "airflow").mkdir()
    airflow = Airflow(
        tmp_path / "airflow",
        world.home.folder,
        gbg_runbook=str(light_runbook(tmp_path)),
        gbg_folder=str(folder),
        gbg_runs=str(tmp_path / "runs"),
        gbg_schedule="None",
        gbg_at_once="2",
    )
    airflow.command("dags", "reserialize")
    airflow.command("dags", "trigger", "gbg_every_environment")
    with airflow.serving(CORE__PARALLELISM="2"):
        assert airflow.wait(LIMIT_SECONDS) == "failed"
    expected = {("run", number): "success" for number in range(COUNT)}
    assert airflow.states() == expected | {("environments", -1): "success", ("run", COUNT): "failed"}
    marks = {one["Name"] for one in world.aws.pages("ssm", "describe_parameters", "Parameters")}
    assert {f"/marks/shop-{number:02}" for number in range(COUNT)} <= marks


def test_the_dag_of_one_runbook_skips_a_job_outside_its_window(world: World, tmp_path: Path) -> None:
    file = tmp_path / "never.yaml"
    file.write_text('cloud: sandbox\nwindow: "Mon 00:00-00:01; Thu 00:00-00:01"\n')
    (tmp_path / "airflow").mkdir()
    airflow = Airflow(
        tmp_path / "airflow",
        world.home.folder,
        gbg_file=str(file),
        gbg_runs=str(tmp_path / "runs"),
        gbg_schedule="None",
    )
    told = airflow.command("dags", "test", "gbg_one_runbook")
    assert airflow.states() == {("run", -1): "skipped"}
    assert "window" in told
