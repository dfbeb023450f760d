"""The runbooks on a real sandbox: as kept, as a second copy beside the first, and once more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from gbg_lib.aws import open_aws
from gbg_lib.parameters import Parameters
from gbg_lib.record.store import Store, records
from gbg_lib.replay.again import replay
from gbg_lib.runner.run import run
from gbg_lib.steps import BaseStack
from tests.command import gbg

ROOT = Path(__file__).resolve().parent.parent.parent
RUNBOOKS = sorted((ROOT / "runbooks").glob("[0-9]*.ipynb"))
DEPLOYING = [path for path in RUNBOOKS if path.stem[:2] in ("01", "02", "03", "04")]
pytestmark = pytest.mark.xdist_group("runbooks")


def shown(notebook: Path) -> str:
    """Everything that a notebook shows, as text."""
    cells = nbformat.read(notebook, as_version=4).cells
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(
        output.text if output.output_type == "stream" else output.data["text/plain"] for output in outputs
    )


def test_a_first_run_shows_what_is_kept(sandbox: Path) -> None:
    """`pytest --nbval runbooks/`, on the empty sandbox of these tests."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", "runbooks"],
        cwd=ROOT,
        env={**os.environ, "GBG_NBVAL_HOME": str(sandbox)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", DEPLOYING, ids=lambda path: path.stem)
def test_a_second_copy_lives_beside_the_first(path: Path, sandbox: Path, tmp_path: Path) -> None:
    done = run(path, {"deployment": "shop", "instance_count": 1}, tmp_path)
    told = shown(done.notebook)
    assert "shop" in told and "✓ Right" in told
    assert "gbg-" not in told


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("01", "gbg-base: nothing, because it exists and equals template and parameters"),
        ("02", "gbg-app: nothing, because main holds this application already"),
        ("03", "gbg-pipeline: nothing, because it exists and equals template and parameters"),
        ("04", "the newest; it is over (Succeeded)"),
    ],
)
def test_another_run_finds_what_is_there_and_skips_it(
    number: str, reason: str, sandbox: Path, tmp_path: Path
) -> None:
    [path] = [path for path in RUNBOOKS if path.stem.startswith(number)]
    if number == "03":  # runbook 07 gave the first fleet another name: the pipeline takes it once
        run(path, {}, tmp_path / "before")
    assert reason in shown(run(path, {}, tmp_path).notebook)


def test_the_archive_job_keeps_what_nobody_recorded(sandbox: Path, tmp_path: Path) -> None:
    job = ROOT / "runbooks" / "jobs" / "archive.ipynb"
    for deployment in ("gbg", "shop"):
        told = shown(run(job, {"deployment": deployment}, tmp_path).notebook)
        assert "✓ right" in told
        assert "whole, and so is their chain" in told


def test_the_newest_record_is_read_without_a_sandbox(
    sandbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [replay] = [path for path in RUNBOOKS if path.stem.startswith("06")]
    monkeypatch.setenv("GBG_HOME", str(tmp_path / "nowhere"))
    told = shown(run(replay, {"record": "newest"}, tmp_path).notebook)
    assert "the release is over: Succeeded" in told
    assert "Nothing failed." in told


def test_a_record_is_read_by_its_address_on_a_machine_that_has_none(
    sandbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = Store(records(), "gbg").names()[-1]
    address = f"s3://{BaseStack(Parameters()).base['RecordsBucketName']}/gbg/{name}"
    monkeypatch.setenv("GBG_RECORDS", str(tmp_path / "none"))
    [runbook] = [path for path in RUNBOOKS if path.stem.startswith("06")]
    done = run(runbook, {"record": address}, tmp_path / "runs")
    assert name in shown(done.notebook)
    assert "every file is as it was written" in shown(done.notebook)
    monkeypatch.setenv("GBG_HOME", str(tmp_path / "nowhere"))
    assert replay(done.folder, tmp_path / "again").ended == "done"


def test_plain_papermill_runs_a_runbook_too(sandbox: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ipynb"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "papermill",
            "runbooks/04_release.ipynb",
            str(out),
            "-p",
            "deployment",
            "shop",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Release of shop on a time axis" in shown(out)


def test_a_mistyped_parameter_stops_plain_papermill_before_anything_runs(
    sandbox: Path, tmp_path: Path
) -> None:
    words = ["runbooks/01_base_stack.ipynb", str(tmp_path / "out.ipynb"), "-p", "instance_cuont", "3"]
    done = subprocess.run(
        [sys.executable, "-m", "papermill", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "did you mean instance_count?" in done.stderr


CHANGE = {"cloud": "aws", "termination_wait_minutes": "6"}
"""of one resource"""


@pytest.fixture
def as_aws(sandbox: Path) -> dict[str, str]:
    """What SDKs read of an endpoint and keys: they name the sandbox, as they would any other AWS."""
    aws = open_aws(Parameters())
    keys = aws.keys()
    return {
        "AWS_ENDPOINT_URL": str(aws.endpoint_url),
        "AWS_ACCESS_KEY_ID": str(keys.access_key),
        "AWS_SECRET_ACCESS_KEY": str(keys.secret_key),
    }


def base_stack() -> tuple[str, str]:
    """Its status, and what is to be changed."""
    step = BaseStack(Parameters())
    given = step.stacks.parameters(step.base_stack)
    return step.stacks.status(step.base_stack), given["TerminationWaitMinutes"]


def test_on_aws_a_run_that_nobody_acknowledged_changes_nothing(
    as_aws: dict[str, str], sandbox: Path, tmp_path: Path
) -> None:
    before = base_stack()
    words = [word for name, value in CHANGE.items() for word in ("-p", f"{name}={value}")]
    done = gbg(sandbox, "run", "1", *words, "--to", str(tmp_path), "--json", before=(), **as_aws)
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"]) == (3, "refused"), done.stderr
    assert [one["status"] for one in told["runs"]] == ["failed"]
    assert "the plan is not acknowledged; next would be: aws cloudformation execute" in told["what"]
    assert base_stack() == before


def test_on_aws_plain_papermill_changes_what_a_parameter_acknowledges_and_nothing_else(
    as_aws: dict[str, str], tmp_path: Path
) -> None:
    before = base_stack()
    out = tmp_path / "out.ipynb"
    words = [word for name, value in CHANGE.items() for word in ("-p", name, value)]

    def papermill(*more: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "papermill", "runbooks/01_base_stack.ipynb", str(out), *words, *more]
        return subprocess.run(
            argv, cwd=ROOT, env={**os.environ, **as_aws}, capture_output=True, text=True, check=False
        )

    refused = papermill()
    assert refused.returncode != 0
    assert "the plan is not acknowledged" in refused.stderr
    assert base_stack() == before
    done = papermill("-p", "acknowledged", "true")
    assert done.returncode == 0, done.stderr
    assert "The plan is acknowledged." in shown(out)
    assert base_stack() == ("UPDATE_COMPLETE", "6")
