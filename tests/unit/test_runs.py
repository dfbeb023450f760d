"""Runs that were: listed, compared, pruned; what a resumed run skips, and why."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gbg_cli.run import over
from gbg_lib.errors import MisuseError, NotThere
from gbg_lib.parameters import Parameters, checked
from gbg_lib.runner import journal
from gbg_lib.runs import history, resume, schema
from gbg_lib.runs.folder import Asked, Folder, begin, close_abandoned
from gbg_lib.runs.result import Result
from tests.notebooks.small import write_notebook

STEP = "gbg_lib.steps:BaseStack"
HUNDRED_SECONDS = 20.0
"""generous: the benchmark tells what it really takes"""


def ended(folder: Folder, status: Any = "done", **more: Any) -> None:
    values: dict[str, Any] = {
        "version": 1,
        "run": folder.path.name,
        "runbook": folder.runbook,
        "status": status,
        "exit_status": 0 if status == "done" else 1,
        "error": "",
        "cell": 0,
        "where": "",
        "what": "",
        "try_this": "",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": 1.0,
        "requests": {},
        "going_on": [],
        "replies": "",
    }
    Result(**values | more).write(folder.path)


def made(runs: Path, source: Path, given: Mapping[str, Any], series: str = "", **more: Any) -> Folder:
    asked = Asked(series, (source,), given, resume.inputs(source, given))
    folder = begin(runs, source, given, given, asked)
    ended(folder, **more)
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_notebook(tmp_path / "mine.ipynb", "1")


def seen(folder: Folder, **states: str) -> None:
    line = {"kind": journal.EVIDENCE, "step": STEP, "seen": states}
    folder.journal.write_text(json.dumps(line) + "\n")


def decide(
    runs: Path, folder: Folder, source: Path, given: Mapping[str, Any], **live: str
) -> resume.Decision:
    def look(step: str, parameters: Parameters) -> Mapping[str, str]:
        assert step == STEP
        if not live:
            raise NotThere("stack gbg-base", "it does not exist", "run 01")
        return live

    return resume.decide(runs, folder.path.name, source, given, look)


class TestResuming:
    def test_what_aws_shows_as_it_was_left_is_skipped(self, tmp_path: Path, source: Path) -> None:
        folder = made(tmp_path / "runs", source, {})
        seen(folder, stack="CREATE_COMPLETE")
        decided = decide(tmp_path / "runs", folder, source, {}, stack="CREATE_COMPLETE")
        assert (decided.action, decided.comparisons[0].same) == ("skip", True)

    @pytest.mark.parametrize(
        ("live", "why"),
        [
            ({"stack": "UPDATE_COMPLETE"}, "stack differs from what"),
            ({"stack": "CREATE_COMPLETE", "fleet": "new"}, "fleet differs from what"),
            ({}, "stack gbg-base: it does not exist"),
        ],
    )
    def test_a_done_run_is_done_again_when_aws_differs(
        self, tmp_path: Path, source: Path, live: dict[str, str], why: str
    ) -> None:
        folder = made(tmp_path / "runs", source, {})
        seen(folder, stack="CREATE_COMPLETE")
        decided = decide(tmp_path / "runs", folder, source, {}, **live)
        assert decided.action == "again"
        assert decided.reason.startswith(why)

    def test_other_parameters_or_another_notebook_do_it_again(self, tmp_path: Path, source: Path) -> None:
        folder = made(tmp_path / "runs", source, {})
        seen(folder, stack="x")
        assert decide(tmp_path / "runs", folder, source, {"deployment": "b"}, stack="x").action == "again"
        write_notebook(source, "2")
        assert decide(tmp_path / "runs", folder, source, {}, stack="x").action == "again"

    def test_a_failed_run_and_one_without_evidence_are_done_again(self, tmp_path: Path, source: Path) -> None:
        failed = made(tmp_path / "runs", source, {}, status="failed", what="no more disk")
        decided = decide(tmp_path / "runs", failed, source, {}, stack="x")
        assert decided.action == "again" and "failed: no more disk" in decided.reason
        bare = made(tmp_path / "other", source, {})
        assert "no evidence" in decide(tmp_path / "other", bare, source, {}, stack="x").reason

    def test_a_runbook_that_was_not_begun_is_done_now(self, tmp_path: Path, source: Path) -> None:
        folder = made(tmp_path / "runs", source, {})
        other = write_notebook(tmp_path / "other.ipynb", "1")
        assert decide(tmp_path / "runs", folder, other, {}, stack="x").action == "first"

    def test_only_a_step_of_this_library_looks(self) -> None:
        with pytest.raises(MisuseError, match="there is no step os:system"):
            resume.look_with()("os:system", Parameters())

    def test_the_parameters_of_a_series_are_kept(self, tmp_path: Path, source: Path) -> None:
        folder = made(tmp_path / "runs", source, {"deployment": "shop"})
        series = resume.series_of(tmp_path / "runs", folder.path.name)
        assert (series.plan, series.values) == ((source,), {"deployment": "shop"})


def test_a_result_is_what_the_schema_says_and_the_schema_is_the_one_in_docs(
    tmp_path: Path, source: Path
) -> None:
    assert schema.PAGE.read_text() == schema.text(), "python -m gbg_lib.runs.schema"
    result = json.loads((made(tmp_path, source, {}).path / "result.json").read_text())
    jsonschema.validate(result, schema.schema())
    for broken in ({**result, "status": "fine"}, {**result, "more": 1}, {"version": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema.schema())


def test_a_hundred_runs_are_listed_newest_first(tmp_path: Path, source: Path) -> None:
    for _ in range(100):
        made(tmp_path, source, {})
    (tmp_path / "not-a-run").mkdir()
    began = time.monotonic()
    entries = history.entries(tmp_path)
    assert time.monotonic() - began < HUNDRED_SECONDS
    assert len(entries) == 100
    assert [entry.started for entry in entries] == sorted((entry.started for entry in entries), reverse=True)


def test_what_differs_between_two_runs_is_told(tmp_path: Path, source: Path) -> None:
    one = made(tmp_path, source, {"deployment": "a"}, requests={"ec2": 3})
    other = made(tmp_path, source, {"deployment": "b"}, requests={"ec2": 4}, status="failed")
    found = {one.what: (one.first, one.second) for one in history.compare(one.path, other.path)}
    assert found["parameter: deployment"] == ("a", "b")
    assert found["requests: ec2"] == ("3", "4")
    assert found["status"] == ("done", "failed")
    assert "runbook" not in found


def test_pruning_keeps_the_newest_and_those_that_go_on(tmp_path: Path, source: Path) -> None:
    done = [made(tmp_path, source, {}) for _ in range(3)]
    going_on = begin(tmp_path, source, {}, {}, Asked())
    later = datetime.now(UTC) + timedelta(days=40)
    chosen = history.prunable(tmp_path, keep=2, older_than_days=30, now=later)
    assert going_on.path.name not in [entry.name for entry in chosen]
    assert history.prunable(tmp_path, keep=0, older_than_days=30) == []
    history.prune(tmp_path, chosen)
    assert len(list(tmp_path.glob("*-mine*"))) == 4 - len(chosen)
    assert len(chosen) == 2 and done[2].path.exists()


def test_a_run_that_goes_on_is_not_closed_and_one_whose_process_is_gone_is(
    tmp_path: Path, source: Path
) -> None:
    mine = begin(tmp_path, source, {}, {}, Asked())
    gone = begin(tmp_path, source, {}, {}, Asked())
    told = json.loads((gone.path / "run.json").read_text())
    (gone.path / "run.json").write_text(json.dumps(told | {"pid_started": "0"}))
    elsewhere = begin(tmp_path, source, {}, {}, Asked())
    told = json.loads((elsewhere.path / "run.json").read_text())
    (elsewhere.path / "run.json").write_text(
        json.dumps(told | {"pid_started": "0", "machine": f"{told['machine'].split()[0]} pid:[1]"})
    )
    assert close_abandoned(tmp_path) == [gone.path.name]
    assert close_abandoned(tmp_path) == []
    assert not (mine.path / "result.json").exists()


def test_a_killed_run_that_can_not_be_closed_is_listed_as_what_it_is(tmp_path: Path, source: Path) -> None:
    gone = begin(tmp_path, source, {}, {}, Asked())
    told = json.loads((gone.path / "run.json").read_text())
    (gone.path / "run.json").write_text(json.dumps(told | {"pid_started": "0"}))
    (gone.path / ".result.json.part").mkdir()  # nothing can be written there
    made(tmp_path, source, {})
    assert close_abandoned(tmp_path) == []
    assert sorted(entry.status for entry in history.entries(tmp_path)) == ["done", "killed"]


@pytest.mark.parametrize(("system", "closed"), [("ours", True), ("another with our name", False)])
def test_a_run_from_before_its_machine_was_started_anew_is_closed(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, system: str, closed: bool
) -> None:
    monkeypatch.setattr("gbg_lib.runs.folder.machine_id", lambda: "ours")
    one = begin(tmp_path, source, {}, {}, Asked())
    told = json.loads((one.path / "run.json").read_text())
    before = {"machine": "an-earlier-boot pid:[1]", "machine_id": system}
    (one.path / "run.json").write_text(json.dumps(told | before))
    assert close_abandoned(tmp_path) == ([one.path.name] if closed else [])


@pytest.mark.parametrize(("word", "found"), [("last", True), ("20", False), ("nothing", False)])
def test_a_run_is_found_by_its_name_and_its_end(tmp_path: Path, source: Path, word: str, found: bool) -> None:
    names = [made(tmp_path, source, {}).path.name for _ in range(3)]
    assert history.find(tmp_path, names[1]).name == names[1]
    if found:
        assert history.find(tmp_path, word).name in names
    else:
        with pytest.raises(MisuseError):
            history.find(tmp_path, word)


BROKEN_BEGUN = [("run.json", content) for content in (b"", b"{", b"[1]", b"\xff\xfe", b'{"runbook": "mine"}')]
BROKEN_RESULTS = [("result.json", content) for content in (b'{"status": "do', b"null", b'{"requests": 3}')]


class TestBrokenFolders:
    """A disk that was full, an editor, a copy cut off: each shows as broken, and hinders no other."""

    @pytest.fixture(params=[*BROKEN_BEGUN, *BROKEN_RESULTS], ids=lambda given: f"{given[0]}-{given[1]!r}")
    def broken(self, request: pytest.FixtureRequest, tmp_path: Path, source: Path) -> str:
        made(tmp_path / "runs", source, {})
        return self.made_broken(tmp_path / "runs", source, *request.param)

    def made_broken(self, runs: Path, source: Path, file: str, content: bytes) -> str:
        folder = made(runs, source, {})
        (folder.path / file).write_bytes(content)
        return folder.path.name

    def test_they_are_listed_as_broken_and_the_others_as_they_are(self, tmp_path: Path, broken: str) -> None:
        close_abandoned(tmp_path / "runs")
        listed = {one.name: one.status for one in history.entries(tmp_path / "runs")}
        assert sorted(listed.values()) == ["broken", "done"]
        assert listed[broken] == "broken"

    @pytest.mark.parametrize(("file", "content"), BROKEN_BEGUN)
    def test_going_on_from_there_is_refused_with_the_file(
        self, tmp_path: Path, source: Path, file: str, content: bytes
    ) -> None:
        name = self.made_broken(tmp_path, source, file, content)
        with pytest.raises(MisuseError, match=r"run\.json: it can't be read"):
            resume.series_of(tmp_path, name)

    def test_they_can_be_pruned(self, tmp_path: Path, broken: str) -> None:
        chosen = history.prunable(tmp_path / "runs", 0, 0.0, datetime.now(UTC) + timedelta(seconds=5))
        history.prune(tmp_path / "runs", chosen)
        assert history.entries(tmp_path / "runs") == []


def test_half_a_line_of_a_journal_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(
        b'{"kind": "request", "service": "s3"}\n{"kind": "req{"kind": "x"}\n\xff}\n[1]\n{"a": 1}\n{"kind"'
    )
    assert journal.read(path) == [{"kind": "request", "service": "s3"}]


def test_a_webhook_is_not_kept_and_a_run_that_had_one_is_resumed_without(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"deployment": "shop", "notify": "https://hooks.example/secret-path"}
    checked(given, "parameters")
    begun = begin(tmp_path, source, given, {}, Asked(values=given))
    former = resume.series_of(tmp_path, begun.path.name)
    assert over(former, None, []) == {"deployment": "shop"}
    assert "notify is secret and was not kept" in capsys.readouterr().err
    again = "https://hooks.example/another"
    assert over(former, None, [f"notify={again}"]) == {"deployment": "shop", "notify": again}
    assert resume.inputs(source, given) == resume.inputs(source, {"deployment": "shop"})
