"""Replays a run: its notebook with its recorded replies, without keys and without a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gbg_lib.errors import GbgError, MisuseError
from gbg_lib.replay import tape
from gbg_lib.replay.divergence import AGAIN, Diverged, words
from gbg_lib.replay.files import RECORDS
from gbg_lib.runner import journal
from gbg_lib.runner.notebook_format import nbformat
from gbg_lib.runs import result
from gbg_lib.runs.folder import GIVEN, JOURNAL, Asked, begun

if TYPE_CHECKING:
    from gbg_lib.runner.run import Run

NOWHERE = "nowhere"
LEARNER = "GBG_LEARNER"
ENDED_BY_FORCE = frozenset({"interrupted", "killed"})


@dataclass(frozen=True)
class Replayed:
    """A run that came out as it was recorded."""

    run: str
    calls: int
    ended: str
    """how it ended then, and again"""
    folder: Path


def replay(
    source: Path,
    runs: Path,
    notebook: Path | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Replayed:
    """The run in a folder, into a new folder of `runs`. `notebook` is another one than the run's own.

    Raises Diverged where it asks for something else, or ends otherwise; MisuseError where nothing was kept,
    or not all can be read.
    """
    from gbg_lib.runner.run import run

    told, ended = begun(source), result.read(source) or {}
    if told is None:
        raise MisuseError("replay", f"{source} is no run's folder", "`gbg runs` lists them")
    if told.get("replays"):
        raise MisuseError("replay", f"{source.name} is a replay itself", f"`gbg replay {told['replays']}`")
    replies = replies_of(source, str(ended.get("replies", "")))
    lines = tape.read(replies)
    path = notebook or source / f"{told['runbook']}.ipynb"
    if not path.is_file():
        raise MisuseError("replay", f"{source.name} has no notebook", "name one with --notebook")
    asked = Asked(replays=source.name)
    done: Run | None = None
    failure: GbgError | None = None
    folders: list[Path] = []
    try:
        done = run(
            path,
            _given(source),
            runs,
            progress or (lambda *_: None),
            folders.append,
            asked=asked,
            replies=replies,
        )
    except Diverged:
        raise
    except GbgError as error:
        if not folders:  # it never began
            raise
        failure = error
    folder = done.folder if done else folders[0]
    if not cut(ended):
        tape.require_the_same(journal.read(folder / JOURNAL))
        if failure is None:
            _require_all_cells(folder / f"{told['runbook']}.ipynb", lines)
    calls = sum(line["door"] not in tape.CLOCKS for line in lines)
    return Replayed(source.name, calls, _same_end(ended, failure, folder, lines), folder)


def _require_all_cells(executed: Path, lines: list[dict[str, Any]]) -> None:
    """Raises Diverged where replies belong to cells behind the last one that there was."""
    cells = nbformat.read(executed, as_version=4).cells
    last = max((cell.get("execution_count") or 0 for cell in cells), default=0)
    for line in lines:
        if line["door"] not in tape.CLOCKS and line["cell"] > last and not line.get("thread"):
            named = words(line["door"], line.get("asks", {}))
            raise Diverged(
                f"the end of {executed.parent.name}",
                f"its cells end before the recorded ones do\n    recorded | cell {line['cell']}: {named}\n"
                "    asked    | nothing more",
                AGAIN,
            )


def replies_of(source: Path, digest: str) -> Path:
    """The tape of a run. Raises MisuseError where there is none, or it was altered."""
    found = [path for name in (tape.FILE, f"{tape.FILE}.xz") if (path := source / name).is_file()]
    if not found:
        raise MisuseError(
            "replay",
            f"{source.name} has no {tape.FILE}",
            "runs keep it since they can be replayed; run it again",
        )
    if digest and tape.digest(found[0]) != digest:
        raise MisuseError(
            str(found[0]),
            "it is not what its run has written: the result names another hash",
            "it was altered",
        )
    return found[0]


def variables(replies: Path, folder: Path) -> dict[str, str]:
    """Of a replay's kernel."""
    nowhere = str(folder / NOWHERE)
    told = {
        tape.VARIABLE: str(replies),
        tape.MODE: tape.REPLAY,
        "GBG_HOME": nowhere,
        LEARNER: "",
    }
    if any(line["door"] == "aws" for line in tape.read(replies)):  # else it only reads records that are here
        told["GBG_RECORDS"] = str(folder / RECORDS)
    ended = result.read(replies.parent) or {}
    return told | ({tape.CUT: "1"} if cut(ended) else {})


def cut(ended: dict[str, Any]) -> bool:
    """Whether a run was ended from outside, in the middle of a cell."""
    return not ended or ended["status"] in ENDED_BY_FORCE or ended["error"] == "TimedOut"


def _given(source: Path) -> dict[str, Any]:
    found = result.read_json(source / GIVEN)
    if found is None:
        raise result.BrokenRun(source / GIVEN, "it is not there")
    return found


def _same_end(
    ended: dict[str, Any], failure: GbgError | None, folder: Path, lines: list[dict[str, Any]]
) -> str:
    """How it ended. Raises Diverged where it ended otherwise than recorded."""
    now = result.read(folder) or {}
    before = (ended.get("status"), ended.get("error"), ended.get("what"))
    after = (now.get("status"), now.get("error"), now.get("what"))
    if before == after:
        return str(ended["status"]) + (f": {ended['what']}" if ended["what"] else "")
    if cut(ended) and failure is not None and tape.ENDED in failure.what:
        return f"{ended.get('status', 'killed')}, and there its recording ends"
    shown = [f"{status} {what or ''}".strip() for status, _, what in (before, after)]
    raise Diverged(
        f"the end of {folder.name}",
        f"not as recorded\n    recorded | {shown[0]}\n    replayed | {shown[1]}",
        AGAIN,
    )
