"""Runbooks in a real Airflow 3: what stops one is skipped, tried again or failed, as its error means."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.notebooks.small import PARAMETERS, write_notebook
from tests.sandbox.airflows import DAGS, Airflow
from tests.sandbox.e2e.world import World
from tests.sandbox.environments import GATE, LOCK, far_window, light_runbook, write_environments

pytestmark = pytest.mark.xdist_group("airflow")

COUNT = 4
LIMIT_SECONDS = 600
DAG = """
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG

from gbg_lib.scheduling.airflow.operator import RunbookOperator

with DAG("meanings", schedule="@once", start_date=datetime(2026, 1, 1)):
    for path in sorted(Path({folder!r}).glob("*.ipynb")):
        RunbookOperator(
            task_id=path.stem, runbook=str(path), parameters_file={file!r}, runs={runs!r},
            retries=2, retry_delay=timedelta(seconds=1),
        )
    RunbookOperator(
        task_id="no_such_parameter", runbook="4", parameters_file={wrong!r}, runs={runs!r}, retries=2,
    )
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("airflow-world") / "gbg", None)
    yield made
    made.close()


EVERY, ONE, MEANINGS = "gbg_every_environment", "gbg_one_runbook", "meanings"


@dataclass(frozen=True)
class Night:
    """One Airflow, and the folder with all that its DAGs were given."""

    airflow: Airflow
    folder: Path


@pytest.fixture(scope="module")
def night(world: World, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A scheduler has run all DAGs once, as they were scheduled; the servers are gone."""
    folder = tmp_path_factory.mktemp("night")
    environments = write_environments(folder / "environments", COUNT)
    (environments / "wrong.yaml").write_text("deploymnet: shop\n")
    never = folder / "never.yaml"
    never.write_text(f'cloud: sandbox\nwindow: "{far_window()}"\n')
    dags = folder / "dags"
    dags.mkdir()
    shutil.copy(DAGS / f"{EVERY}.py", dags)
    write_meanings(folder, dags, environments)
    (folder / "airflow").mkdir()
    airflow = Airflow(
        folder / "airflow",
        world.home.folder,
        dags,
        gbg_runbook=str(light_runbook(folder)),
        gbg_folder=str(environments),
        gbg_runs=str(folder / "runs"),
        gbg_schedule="@once",
        gbg_at_once="2",
    )
    airflow.command("dags", "reserialize")
    with airflow.serving(CORE__PARALLELISM="2"):
        for dag in (EVERY, MEANINGS):
            airflow.wait(dag, LIMIT_SECONDS)
    return Night(airflow, folder)


def write_meanings(folder: Path, dags: Path, environments: Path) -> None:
    """Notebooks that end in each way, and a DAG with a task for each."""
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    first = PARAMETERS + 'cloud = "sandbox"\ndeployment = "gbg"'
    write_notebook(notebooks / "done.ipynb", first, "assert deployment == 'shop-00'")
    write_notebook(notebooks / "gate.ipynb", first, GATE)
    write_notebook(notebooks / "locked.ipynb", first, LOCK.format(mark=str(folder / "tried")))
    write_notebook(notebooks / "failed.ipynb", first, "1 / 0")
    write_notebook(notebooks / "dead.ipynb", first, "import os\nos._exit(7)")
    given = {"file": str(environments / "shop-00.yaml"), "wrong": str(environments / "wrong.yaml")}
    text = DAG.format(**given, folder=str(notebooks), runs=str(folder / "meanings"))
    (dags / "meanings.py").write_text(text)


def test_what_stops_a_runbook_means_the_same_to_airflow(night: Night) -> None:
    told = "\n".join(
        path.read_text() for path in night.airflow.folder.glob(f"logs/dag_id={MEANINGS}/**/*.log")
    )
    states = {task: state for (task, _), state in night.airflow.states(MEANINGS).items()}
    assert states == {
        "done": "success",
        "gate": "skipped",
        "locked": "success",
        "failed": "failed",
        "dead": "failed",
        "no_such_parameter": "failed",
    }, told
    tries = {task: tried for (task, _), tried in night.airflow.tries(MEANINGS).items()}
    assert (tries["locked"], tries["failed"], tries["dead"], tries["no_such_parameter"]) == (2, 1, 1, 1)
    assert "shut until Monday" in told
    assert "did you mean deployment?" in told
    [run] = (night.folder / "meanings" / "shop-00").glob("*-done")
    assert json.loads((run / "result.json").read_text())["status"] == "done"


def test_every_file_of_a_folder_is_an_environment_of_its_own(world: World, night: Night) -> None:
    """By Airflow's scheduler and executor, several at a time; a file that is wrong fails alone."""
    expected = {("run", number): "success" for number in range(COUNT)}
    states = night.airflow.states(EVERY)
    assert states == expected | {("environments", -1): "success", ("run", COUNT): "failed"}
    assert night.airflow.run_state(EVERY) == "failed"
    marks = {one["Name"] for one in world.aws.pages("ssm", "describe_parameters", "Parameters")}
    assert {f"/marks/shop-{number:02}" for number in range(COUNT)} <= marks


def test_the_dag_of_one_runbook_skips_a_job_outside_its_window(night: Night) -> None:
    """By `airflow dags test`, as one tries a DAG before it is scheduled."""
    shutil.copy(DAGS / f"{ONE}.py", night.folder / "dags")
    told = night.airflow.command(
        "dags",
        "test",
        ONE,
        AIRFLOW_VAR_GBG_RUNBOOK="rebake",
        AIRFLOW_VAR_GBG_FILE=str(night.folder / "never.yaml"),
        AIRFLOW_VAR_GBG_SCHEDULE="None",
    )
    assert "window" in told
    assert night.airflow.states(ONE) == {("run", -1): "skipped"}
