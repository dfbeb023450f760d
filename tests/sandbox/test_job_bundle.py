"""The zip of a job inside AWS holds all that a run needs, and nothing of this machine."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import yaml

from gbg_lib.scheduling import bundle
from tests.notebooks.small import write_notebook


def test_the_zip_has_project_packages_runbook_and_parameters(tmp_path: Path) -> None:
    runbook = write_notebook(tmp_path / "mine.ipynb", "1")
    values = {"cloud": "sandbox", "profile": "mine", "deployment": "shop"}
    _, data = bundle.made(values, runbook)
    assert bundle.word_of(runbook) == "runbooks/mine.ipynb"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
        job = yaml.safe_load(archive.read("job.yaml"))
    assert job == {"cloud": "aws", "profile": "", "deployment": "shop", "acknowledged": True}
    assert {
        "gbg_lib/runner/run.py",
        "gbg_cli/__main__.py",
        "runbooks/jobs/rebake.ipynb",
        "runbooks/mine.ipynb",
        "packages/boto3/session.py",
        "packages/share/jupyter/kernels/python3/kernel.json",
    } <= names
    assert not any(path.startswith(("packages/moto/", "packages/cfnlint/", "/", "..")) for path in names)
    assert not any("__pycache__" in path for path in names)
