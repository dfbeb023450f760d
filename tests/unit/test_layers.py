"""Imports point downwards only."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

FORBIDDEN = [
    ("gbg_lib", "gbg_sandbox", "between them there is nothing but the AWS APIs and git"),
    ("gbg_lib", "gbg_cli", "the library does not know its command line"),
    ("gbg_sandbox", "gbg_lib", "the sandbox is an AWS, it knows no runbook"),
    ("gbg_sandbox", "gbg_cli", "the sandbox does not know the command line"),
    ("gbg_sandbox/services", "gbg_sandbox.home", "a service does not know who started it"),
    ("gbg_sandbox/machines", "gbg_sandbox.services", "machines know no AWS"),
    ("gbg_sandbox/machines", "gbg_sandbox.cloud", "machines know no AWS"),
]
ONLY_IN = [
    ("boto3", "gbg_lib", {"gbg_lib/aws.py"}),
    ("nbformat", "gbg_lib", {"gbg_lib/runner/notebook_format.py"}),
    ("airflow", "gbg_lib", {"gbg_lib/scheduling/airflow"}),
    ("rich", "gbg_lib", set()),
    ("click", "gbg_lib", set()),
    ("IPython", "gbg_lib", {"gbg_lib/views"}),
    ("ipywidgets", "gbg_lib", {"gbg_lib/views"}),
    ("matplotlib", "gbg_lib", {"gbg_lib/views"}),
    ("pandas", "gbg_lib", {"gbg_lib/views"}),
    ("moto", "gbg_sandbox", {"gbg_sandbox/gateway", "gbg_sandbox/authorisation", "gbg_sandbox/services"}),
]
NOT_OURS = ("gbg_lib/blueprint/part1/", "gbg_lib/blueprint/part3/", "gbg_sandbox/machines/guest/")
"""run elsewhere: in Lambda, inside a machine"""


def modules(folder: str) -> Iterator[Path]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        if not str(path.relative_to(ROOT)).startswith(NOT_OURS):
            yield path


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize(("folder", "module", "why"), FORBIDDEN)
def test_no_import_points_upwards(folder: str, module: str, why: str) -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in modules(folder)
        if any(name == module or name.startswith(module + ".") for name in imported(path))
    ]
    assert not found, why


@pytest.mark.parametrize(("library", "folder", "places"), ONLY_IN)
def test_a_library_stays_behind_its_door(library: str, folder: str, places: set[str]) -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in modules(folder)
        if any(name.split(".")[0] == library for name in imported(path))
    ]
    assert [path for path in found if not path.startswith(tuple(places))] == [] if places else not found


def test_nothing_is_patched() -> None:
    for folder in ("tests", "gbg_lib", "gbg_sandbox", "gbg_cli"):
        for path in modules(folder):
            assert not any(name.startswith("unittest.mock") for name in imported(path)), path


def test_a_kernel_loads_what_draws_only_when_something_is_drawn() -> None:
    """Two runbooks of ten have pictures; matplotlib takes half a second."""
    code = "import sys, gbg_lib.steps, gbg_lib.views\nsys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_nothing_lies_about_at_the_top() -> None:
    """What a slip of the keyboard makes is easily committed with the rest."""
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout: nothing tells what belongs to the project")
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = {"benchmarks", "docs", "parameters", "requirements", "runbooks", "tests", ".ci"}
    folders |= {"gbg_cli", "gbg_lib", "gbg_sandbox"}
    files = {"README.md", "environment.yml", "gbg", "pyproject.toml", ".gitignore"}
    assert {line.partition("/")[0] for line in listed.splitlines()} <= folders | files
