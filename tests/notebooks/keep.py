"""Keeps the outputs of a fresh run in the runbooks: `python -m tests.notebooks.keep`.

To be run when a runbook or what it shows was changed on purpose; `git diff` then tells what changed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from gbg_lib.errors import GbgError
from gbg_lib.runner import run
from gbg_lib.views.banner import MODE, WALKTHROUGH
from gbg_lib.views.shown import WIDGET
from gbg_sandbox.home import Home

RUNBOOKS = Path(__file__).resolve().parent.parent.parent / "runbooks"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="gbg-keep-", ignore_cleanup_errors=True) as folder:
        home = Home(Path(folder) / "home")
        records = str(Path(folder) / "records")
        os.environ |= {"GBG_HOME": str(home.folder), "GBG_RECORDS": records, MODE: WALKTHROUGH}
        home.up()
        try:
            for path in sorted(RUNBOOKS.glob("[0-9]*.ipynb")):
                keep(path, run(path, {}, Path(folder) / "runs").notebook)
                sys.stderr.write(f"{path.stem}: kept\n")
        except GbgError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        finally:
            home.down()
    return 0


def keep(path: Path, executed: Path) -> None:
    """Outputs and nothing else: no times, no paths, no name of a machine."""
    notebook = nbformat.read(path, as_version=4)
    new = {cell["id"]: cell for cell in nbformat.read(executed, as_version=4).cells}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [static(output) for output in new[cell["id"]].outputs]
            cell.execution_count = new[cell["id"]].execution_count
    nbformat.write(notebook, path)


def static(output: Any) -> Any:
    """Without the live form of a widget, which ends with its kernel; its static twin stays."""
    output.get("data", {}).pop(WIDGET, None)
    return output


if __name__ == "__main__":
    sys.exit(main())
