"""Every kept run is replayed: the runbook of today with the replies of then, without AWS, keys or network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from gbg_cli.__main__ import main
from gbg_lib.errors import MisuseError, RunFailed
from gbg_lib.replay.again import replay
from gbg_lib.replay.divergence import Diverged
from gbg_lib.runner.run import run
from gbg_lib.runs import result
from gbg_lib.runs.folder import GIVEN, KEYS
from tests.notebooks.keep import RUNBOOKS, RUNS
from tests.notebooks.small import PARAMETERS, write_notebook

KEPT = sorted(path for path in RUNS.iterdir() if path.is_dir())
ANEW = "If the runbook or the library asks otherwise on purpose: python -m tests.notebooks.keep --replies"
OPEN = "from gbg_lib.parameters import Parameters\nfrom gbg_lib.steps import Step\nstep = Step(Parameters())"
ACCOUNT = "print(step.aws.account())"
REGION = "print(step.aws.region)"
STRANGER = """
import urllib.request
try:
    urllib.request.urlopen("http://127.0.0.1:9/")
except Exception as error:
    print("swallowed", type(error).__name__)
"""


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a sandbox nor a profile, and keys in the environment that no replay may use."""
    monkeypatch.setenv("GBG_HOME", str(tmp_path / "nowhere"))
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_PROFILE", "there-is-none")


def test_runs_of_the_whole_walk_are_kept() -> None:
    assert {path.name[:2] for path in KEPT} >= {"01", "02", "03", "04", "05", "07", "09"}
    assert sum(file.stat().st_size for path in KEPT for file in path.iterdir()) < 600_000


def test_what_is_no_notebook_is_refused_before_anything_begins(tmp_path: Path) -> None:
    (tmp_path / "no.ipynb").write_text("{")
    with pytest.raises(MisuseError, match="it is no notebook"):
        replay(KEPT[0], tmp_path / "runs", tmp_path / "no.ipynb")


@pytest.mark.parametrize("content", ["{", "[]", None])
def test_a_run_whose_parameters_cant_be_read_is_refused_by_file(content: str | None, tmp_path: Path) -> None:
    broken = shutil.copytree(KEPT[0], tmp_path / "run")
    (broken / GIVEN).unlink()
    if content is not None:
        (broken / GIVEN).write_text(content)
    with pytest.raises(MisuseError, match=rf"{GIVEN}: it can't be read"):
        replay(broken, tmp_path / "runs", RUNBOOKS / f"{KEPT[0].name}.ipynb")


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.name)
def test_a_kept_run_replays(kept: Path, tmp_path: Path) -> None:
    try:
        done = replay(kept, tmp_path, RUNBOOKS / f"{kept.name}.ipynb")
    except Diverged as error:
        pytest.fail(f"{error}\n{ANEW}")
    notebook = nbformat.read(done.folder / f"{kept.name}.ipynb", as_version=4)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    assert (result.read(done.folder) or {})["status"] == json.loads((kept / result.FILE).read_text())[
        "status"
    ]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a small notebook; it knows its account, by the replies of a run of runbook 01."""
    folder = tmp_path_factory.mktemp("recorded")
    lines = [
        {"replies": 1, "runbook": "mine"},
        {"door": "settings", "cell": 2, "asks": {"cloud": "sandbox", "region": "us-east-1"},
         "reply": ["us-east-1", 0.25, 1.0]},
        {"door": "aws", "cell": 3,
         "asks": {"service": "sts", "operation": "get_caller_identity", "params": {}},
         "reply": {"Account": "123456789012"}},
    ]  # fmt: skip
    (folder / "replies.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    begun = dict.fromkeys(KEYS, "") | {
        "runbook": "mine",
        "started": "2026-11-28T12:00:00+00:00",
        "pid": 0,
    }
    (folder / "run.json").write_text(json.dumps(begun))
    (folder / "given.json").write_text("{}")
    (folder / "result.json").write_text(
        json.dumps({"status": "done", "error": "", "what": "", "replies": ""})
    )
    return folder


def mine(folder: Path, *cells: str) -> Path:
    return write_notebook(folder / "mine.ipynb", PARAMETERS + 'cloud = "sandbox"', OPEN, *cells)


def test_each_cell_gets_its_replies(recorded: Path, tmp_path: Path) -> None:
    done = replay(recorded, tmp_path, mine(tmp_path, ACCOUNT, REGION))
    assert done.calls == 2
    cells = nbformat.read(done.folder / "mine.ipynb", as_version=4).cells
    assert [cell.outputs[0].text for cell in cells[2:]] == ["123456789012\n", "us-east-1\n"]


def test_a_cell_that_asks_nothing_any_more_stops_there(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(Diverged) as error:
        replay(recorded, tmp_path, mine(tmp_path, REGION, ACCOUNT))
    assert error.value.where == "code cell 3"
    assert "recorded | sts:get_caller_identity" in error.value.what
    assert "asked    | nothing more in this cell" in error.value.what
    [folder] = tmp_path.glob("*-replay")
    cells = nbformat.read(folder / "mine.ipynb", as_version=4).cells
    assert cells[-1].execution_count is None


def test_a_notebook_that_ends_before_its_recorded_cells_do_has_parted(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(Diverged) as error:
        replay(recorded, tmp_path, mine(tmp_path))
    assert "recorded | cell 3: sts:get_caller_identity" in error.value.what


def test_a_cell_that_asks_once_more_stops_there(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(Diverged, match=r"recorded \| nothing more") as error:
        replay(recorded, tmp_path, mine(tmp_path, ACCOUNT, REGION, ACCOUNT))
    assert error.value.where == "code cell 5"


def test_the_command_ends_with_1_where_a_replay_parts(recorded: Path, tmp_path: Path) -> None:
    def replayed(*cells: str) -> tuple[int, str]:
        words = ["replay", str(recorded), "--to", str(tmp_path), "--notebook", str(mine(tmp_path, *cells))]
        done = CliRunner().invoke(main, words)
        return done.exit_code, " ".join(done.output.split())

    assert replayed(ACCOUNT)[0] == 0
    status, told = replayed(REGION, ACCOUNT)
    assert status == 1
    assert "recorded | sts:get_caller_identity" in told and "asked | nothing more in this cell" in told


def test_a_replay_is_not_replayed(recorded: Path, tmp_path: Path) -> None:
    done = replay(recorded, tmp_path, mine(tmp_path, ACCOUNT))
    with pytest.raises(MisuseError, match=f"gbg replay {recorded.name}"):
        replay(done.folder, tmp_path)


def test_a_connection_is_refused_and_tells_even_if_the_notebook_swallows_it(
    recorded: Path, tmp_path: Path
) -> None:
    with pytest.raises(Diverged) as error:
        replay(recorded, tmp_path, mine(tmp_path, ACCOUNT, STRANGER, REGION))
    assert "asked    | network" in error.value.what and "127.0.0.1" in error.value.what


def test_an_end_that_is_another_one_is_a_divergence(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(Diverged, match="ZeroDivisionError"):
        replay(recorded, tmp_path, mine(tmp_path, ACCOUNT, "1 / 0"))


def test_a_failure_that_was_recorded_replays_as_one(tmp_path: Path) -> None:
    notebook = write_notebook(
        tmp_path / "mine.ipynb",
        "from gbg_lib.replay import clock\nchance = clock.drawn()",
        "raise ValueError(chance)",
    )
    with pytest.raises(RunFailed):
        run(notebook, {}, tmp_path / "runs")
    [folder] = (tmp_path / "runs").iterdir()
    done = replay(folder, tmp_path / "again")
    assert done.ended.startswith("failed: ValueError")


def test_a_run_that_was_killed_replays_as_far_as_it_went(recorded: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    for path in recorded.iterdir():
        (killed / path.name).write_bytes(path.read_bytes())
    (killed / "result.json").unlink()
    done = replay(killed, tmp_path / "again", mine(tmp_path, ACCOUNT, ACCOUNT))
    assert done.ended == "killed, and there its recording ends"
