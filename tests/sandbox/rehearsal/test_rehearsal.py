"""Recorded releases run again for real: they go the same way, and fail at the same step for the same reason.

One sandbox is set up from a record that looks like AWS's. Records that begin from the same release are
rehearsed on it one after the other: each is rolled back before the next one comes. One more has a sandbox of
its own.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gbg_cli.rehearse import offered as offer
from gbg_lib.errors import INTERRUPTED
from gbg_lib.record.archive import Archive, open_archive
from gbg_lib.record.reading import EXAMPLES, SUCCEEDED
from gbg_lib.rehearsal.comparison import Comparison, compare
from gbg_lib.rehearsal.likeness import Likeness
from gbg_lib.rehearsal.plan import Plan, plan
from gbg_lib.rehearsal.rehearse import Rehearsal
from gbg_lib.rehearsal.timetable import visited
from gbg_lib.steps import ReleaseRun
from gbg_lib.waiting import wait_until
from tests.command import clean_environment, gbg
from tests.sandbox.e2e.world import World, exhaust
from tests.sandbox.processes import below, outliving
from tests.unit.aws_record import ACCOUNT, as_on_aws

pytestmark = pytest.mark.xdist_group("rehearsal")
START_SECONDS = 120
KEPT = EXAMPLES / "failures"
HOOK, HEALTH, BUILD = "hook-fails-everywhere", "health-check-never-passes", "does-not-compile"
ALARM = "connections-run-out"


def kept(name: str) -> Archive:
    return open_archive(KEPT / f"{name}.zip")


class Stage:
    """A sandbox that is set up once, and what was rehearsed on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.aws_record = open_archive(as_on_aws(kept(HOOK), folder / "aws"))
        self.world = World(folder / "home", None)
        self.done: dict[str, Archive] = {}
        exhaust(self._rehearsal(plan(self.aws_record, None, offer())).prepare())

    def rehearse(self, planned: Plan, name: str) -> Archive:
        if name not in self.done:
            rehearsal = self._rehearsal(planned)
            self._quiet(rehearsal.run)
            exhaust(rehearsal.bring())
            exhaust(rehearsal.release())
            self.done[name] = open_archive(rehearsal.record())
        return self.done[name]

    def _quiet(self, run: ReleaseRun) -> None:
        """No alarm of the rehearsal before stops this one."""
        wait_until(
            self.world.aws,
            lambda: None if on(run) else True,
            limit_seconds=START_SECONDS,
            what="alarms that are off",
            try_this="read the sandbox's log",
        )

    def _rehearsal(self, planned: Plan) -> Rehearsal:
        return Rehearsal(planned, self.world.aws, self.folder / "records")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("rehearsal"))
    yield made
    made.world.close()


def on(run: ReleaseRun) -> list[str]:
    found = run.aws.call("cloudwatch", "describe_alarms", AlarmNamePrefix=f"{run.parameters.deployment}-")
    return [one["AlarmName"] for one in found["MetricAlarms"] if one["StateValue"] == "ALARM"]


def told(found: Comparison) -> str:
    return "\n".join(f"{one.place}: {one.differences}" for one in found.divergences)


def test_a_record_of_aws_fails_again_at_the_same_step_for_the_same_reason(stage: Stage) -> None:
    planned = plan(stage.aws_record, None, offer())
    assert ACCOUNT in {one.recorded for one in planned.unlike}
    rehearsed = stage.rehearse(planned, HOOK)
    found = compare(stage.aws_record, rehearsed, planned.likeness)
    assert found.same, told(found)
    assert found.same_ending
    assert found.endings[1] is not None
    assert found.endings[1].place == "deployment 1, green: BeforeInstall"
    assert dict(found.endings[1].results)["log"] == "[stderr]FAILED: no licence"


def test_the_same_release_recorded_in_a_sandbox_is_the_same_to_the_last_word(stage: Stage) -> None:
    rehearsed = stage.rehearse(plan(stage.aws_record, None, offer()), HOOK)
    found = compare(kept(HOOK), rehearsed, Likeness())
    assert found.same, told(found)


@pytest.mark.parametrize(
    ("name", "place", "says"),
    [
        (BUILD, "build: BUILD", "Health.java:["),
        (HEALTH, "deployment 1, green: AllowTraffic", ""),
    ],
)
def test_a_release_fails_again_by_its_own_fault(stage: Stage, name: str, place: str, says: str) -> None:
    planned = plan(kept(name), None, offer())
    found = compare(kept(name), stage.rehearse(planned, name), planned.likeness)
    assert found.same_ending, found.endings
    assert found.endings[1] is not None
    assert found.endings[1].place == place
    assert says in str(found.endings[1].results)
    assert found.same, told(found)


def test_an_alarm_that_visitors_set_off_on_aws_is_set_off_again(stage: Stage, tmp_path: Path) -> None:
    """Hooks and health checks pass: it takes visitors to find this fault, and they come as they came then."""
    recorded = open_archive(as_on_aws(kept(ALARM), tmp_path))
    planned = plan(recorded, None, offer())
    rehearsed = stage.rehearse(planned, ALARM)
    assert visited(rehearsed)[0] > 0
    for former, likeness in ((recorded, planned.likeness), (kept(ALARM), Likeness())):
        found = compare(former, rehearsed, likeness)
        assert found.same_ending, found.endings
        assert found.endings[1] is not None
        assert found.endings[1].place == "deployments: deployment 1"
        told_of = dict(found.endings[1].results)
        assert (told_of["error"], told_of["alarms"]) == ("ALARM_ACTIVE", "gbg-target-5xx")


def test_a_fault_on_top_of_a_good_commit_is_the_first_divergence(stage: Stage) -> None:
    """A what-if on a release that failed in its hooks: with other code it fails in the build already."""
    from_here = plan(kept(HOOK), None, offer())
    planned = replace(from_here, source=plan(kept(BUILD), None, offer()).source)
    rehearsed = stage.rehearse(planned, BUILD)
    found = compare(kept(HOOK), rehearsed, planned.likeness, ("pipeline: Source/Source",))
    assert found.divergences[0].place == "build: BUILD"
    assert not found.same_ending


def test_a_bake_document_that_someone_changed_runs_as_it_was_recorded(stage: Stage) -> None:
    """Beside the template, with names of a fleet that is gone."""
    planned = plan(kept(BUILD), None, offer())
    by_hand = planned.document.replace("dnf upgrade -y", "echo No mirror answers; exit 7; dnf upgrade -y")
    assert by_hand != planned.document
    rehearsed = stage.rehearse(replace(planned, document=by_hand), "by hand")
    ending = compare(rehearsed, rehearsed, Likeness()).endings[0]
    assert ending is not None
    assert ending.place == "bake: updateSystem"
    assert "No mirror answers" in dict(ending.results)["output"]


def test_the_command_takes_a_sandbox_of_its_own_and_leaves_nothing(tmp_path: Path) -> None:
    home, records = tmp_path / "home", tmp_path / "records"
    done = gbg(home, "rehearse", str(EXAMPLES / SUCCEEDED), "--json", GBG_RECORDS=str(records))
    assert done.returncode == 0, done.stdout + done.stderr
    line = json.loads(done.stdout)
    assert (line["status"], line["divergences"], line["first"]) == ("same", 0, None)
    assert {one["what"] for one in line["not_reproduced"]} >= {"people", "visitors"}
    assert all(Path(one).is_file() for one in line["pages"])
    assert open_archive(Path(line["rehearsed"])).manifest.summary["status"] == "Succeeded"
    assert list((home / "rehearsals").iterdir()) == []
    assert not (home / "sandbox.json").exists(), "the user's own sandbox is another one"


def test_an_interrupted_rehearsal_takes_its_sandbox_with_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-m", "gbg_cli", "rehearse", "example"]
    environment = clean_environment(GBG_HOME=str(home), GBG_RECORDS=str(tmp_path / "records"))
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + START_SECONDS
    while not list(home.glob("rehearsals/*/sandbox.json")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    [state] = home.glob("rehearsals/*/sandbox.json")
    family = below(json.loads(state.read_text())["pid"])
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=START_SECONDS)
    assert process.returncode == INTERRUPTED, said
    assert b"interrupted by SIGTERM" in said
    assert outliving(family) == set()
    assert list((home / "rehearsals").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nowhere.zip",), "no path"),
        (("example", "--what-if", "fault=does-not-compil"), "did you mean does-not-compile"),
    ],
)
def test_misuse_is_told_before_a_sandbox_is_started(
    words: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    done = gbg(tmp_path / "home", "rehearse", *words, "--json", GBG_RECORDS=str(tmp_path / "records"))
    assert done.returncode == 2, done.stderr
    assert json.loads(done.stdout)["status"] == "misuse"
    assert says in done.stderr
    assert not (tmp_path / "home").exists()


def test_a_cut_off_record_is_refused_before_a_sandbox_starts(tmp_path: Path) -> None:
    cut = tmp_path / "cut.zip"
    cut.write_bytes((EXAMPLES / SUCCEEDED).read_bytes()[:-500])
    done = gbg(tmp_path / "home", "rehearse", str(cut), "--json", GBG_RECORDS=str(tmp_path / "records"))
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["status"] == "failed"
    assert not (tmp_path / "home").exists()
