"""Planted secrets are in no file that a run leaves, and in nothing that it prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gbg_lib.secret.masking import MASK
from tests.command import clean_environment
from tests.notebooks.small import PARAMETERS, write_notebook

ROOT = Path(__file__).resolve().parent.parent.parent
GIVEN, IN_ENVIRONMENT, LEARNT, SHAPED = (
    "pl4nted-given-secret",
    "pl4nted-environment-secret",
    "pl4nted-learnt-secret",
    "AKIAPLANTEDSECRET123",
)
SAYS = """
import base64, json, os, sys
from IPython.display import HTML, display
from gbg_lib.errors import GateRefused
from gbg_lib.secret.values import learn
learn("pl4nted-" + "learnt-secret")
learnt, shaped = "pl4nted-" + "learnt-secret", "AKIA" + "PLANTEDSECRET123"
all_of_them = [db_password, os.environ["PLANTED_TOKEN_SECRET"], learnt, shaped]
print(all_of_them)
print(json.dumps(all_of_them), file=sys.stderr)
display(HTML("<b>" + " ".join(all_of_them) + "</b>"))
print(base64.b64encode(all_of_them[0].encode()).decode())
os.system("echo a child says $PLANTED_TOKEN_SECRET; echo $PLANTED_TOKEN_SECRET >&2")
raise GateRefused("gate", " ".join(all_of_them), " ".join(all_of_them))
"""


def test_no_planted_secret_is_left_anywhere(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "in.ipynb", PARAMETERS + 'db_password = ""', SAYS)
    runs = tmp_path / "runs"
    runs.mkdir()
    words = [
        "--engine",
        "gbg",
        str(path),
        str(runs / "out.ipynb"),
        "-p",
        "db_password",
        GIVEN,
        "--log-output",
    ]
    environment = clean_environment(PLANTED_TOKEN_SECRET=IN_ENVIRONMENT)
    environment.pop("PYTEST_CURRENT_TEST")  # a kernel that sees it leaves child processes to themselves
    done = subprocess.run(
        [sys.executable, "-m", "papermill", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0 and "\ngate: " in done.stderr
    kept = (runs / "out.ipynb").read_text()
    assert kept.count(MASK) > 10
    assert f"a child says {MASK}" in kept
    for secret in (GIVEN, IN_ENVIRONMENT, LEARNT, SHAPED, "cGw0bnRlZC1naXZlbi1zZWNyZXQ"):
        assert secret not in kept
        assert secret not in done.stdout + done.stderr


def test_a_misspelt_parameter_stops_papermill_before_a_kernel_starts(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "in.ipynb", PARAMETERS + "instance_count = 2", "print('ran')")
    file = tmp_path / "mine.yaml"
    file.write_text("deployment: shop\ninstance_cuont: 3\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "papermill",
            "--engine",
            "gbg",
            str(path),
            str(tmp_path / "out.ipynb"),
            "-f",
            str(file),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert f"{file}:2: there is no parameter 'instance_cuont'" in done.stderr
    assert "did you mean instance_count? It is a whole number from 1 to 50" in done.stderr
    assert not (tmp_path / "out.ipynb").exists()
