"""Keeps the outputs of a fresh run in the runbooks, and its replies: `python -m tests.notebooks.keep`.

To be run when a runbook, what it shows or what it asks was changed on purpose; `git diff` then tells what
changed. With `--replies` the runbooks stay as they are.
"""

from __future__ import annotations

import getpass
import json
import lzma
import os
import re
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from gbg_lib.errors import GbgError
from gbg_lib.release_lock import KEY
from gbg_lib.replay import tape
from gbg_lib.runner import whole_files
from gbg_lib.runner.run import run
from gbg_lib.runs import result
from gbg_lib.runs.folder import BEGUN, GIVEN, this_machine
from gbg_lib.views.banner import MODE, WALKTHROUGH
from gbg_lib.views.shown import WIDGET
from gbg_sandbox.home import Home

RUNS = Path(__file__).resolve().parent.parent / "runs"
"""of which the replies are kept, a folder a runbook"""
RUNBOOKS = Path(__file__).resolve().parent.parent.parent / "runbooks"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="gbg-keep-", ignore_cleanup_errors=True) as folder:
        home = Home(Path(folder) / "home")
        records = str(Path(folder) / "records")
        os.environ |= {"GBG_HOME": str(home.folder), "GBG_RECORDS": records, MODE: WALKTHROUGH}
        home.up()
        try:
            for path in sorted(RUNBOOKS.glob("[0-9]*.ipynb")):
                done = run(path, {}, Path(folder) / "runs")
                if "--replies" not in sys.argv:
                    keep(path, done.notebook)
                keep_replies(done.folder, RUNS / path.stem)
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


def keep_replies(run_folder: Path, target: Path) -> None:
    """What a replay needs of a run: parameters, replies, how it ended; without the names of this machine."""
    if not any(line["door"] not in tape.CLOCKS for line in tape.read(run_folder / tape.FILE)):
        return
    target.mkdir(parents=True, exist_ok=True)
    lines = (run_folder / tape.FILE).read_text().splitlines(keepends=True)
    packed = target / f"{tape.FILE}.xz"
    packed.write_bytes(lzma.compress("".join(map(nameless, lines)).encode(), preset=9 | lzma.PRESET_EXTREME))
    told, ended = (json.loads((run_folder / name).read_text()) for name in (BEGUN, result.FILE))
    source = f"runbooks/{told['runbook']}.ipynb"
    nobody = {"host": "this-machine", "machine": "", "machine_id": "", "pid": 0, "pid_started": ""}
    here = {**nobody, "source": source, "plan": [source]}
    whole_files.write_json(target / BEGUN, {**told, **here, "series": target.name})
    whole_files.write_json(
        target / result.FILE,
        {name: ended[name] for name in ("status", "error", "what")} | {"replies": tape.digest(packed)},
    )
    (target / GIVEN).write_text((run_folder / GIVEN).read_text())


def nameless(line: str) -> str:
    """A line that tells who held the release lock and where, with other names."""
    if '"door":"process"' not in line and KEY not in line:
        return line
    names = {
        socket.gethostname(): "this-machine",
        getpass.getuser(): "somebody",
        this_machine(): "this start of it",
    }
    for name, other in names.items():
        line = re.sub(rf"(?<=\"){re.escape(name)}(?=\\?\")", other, line)
    return line


def static(output: Any) -> Any:
    """Without the live form of a widget, which ends with its kernel; its static twin stays."""
    output.get("data", {}).pop(WIDGET, None)
    return output


if __name__ == "__main__":
    sys.exit(main())
