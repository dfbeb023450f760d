"""Recording every release: one that can't be recorded keeps none of the others from it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from gbg_lib.errors import TimedOut
from gbg_lib.parameters import Parameters
from gbg_lib.pipeline import Execution
from gbg_lib.record.archive import Archive, open_archive
from gbg_lib.record.format import RecordError
from gbg_lib.record.gathering import Gathering, Subject, still_missing
from gbg_lib.record.recorder import NeverBegan, Recorded, Recorder
from gbg_lib.steps import ReleaseRun
from tests.unit.serving_fakes import FakeServing
from tests.unit.serving_state import NEW, OLD
from tests.unit.serving_state import Execution as FakeExecution
from tests.unit.site import serving


class Recording(Recorder):
    """Without what is gathered: the record of `broken` ones is damaged, that of `never_sent` ones missing."""

    broken: frozenset[str] = frozenset()
    never_sent: frozenset[str] = frozenset()

    def _write(self, execution: Execution) -> Recorded:
        self._subject(execution, ())
        if execution.id in self.broken:
            raise RecordError("record", "it is damaged", "")
        if execution.id in self.never_sent:
            raise TimedOut("record", "another recorder began it and has not sent it", "")
        return Recorded(Path(execution.id), "written", "it had no record")


@pytest.fixture
def cloud() -> Iterator[FakeServing]:
    made = FakeServing()
    with serving(made.pages) as site:
        made.base["SiteUrl"] = site
        yield made


def recorder(cloud: FakeServing, folder: Path) -> Recording:
    return Recording(ReleaseRun(Parameters(), cloud.connect()), folder)


def test_a_release_that_ended_before_it_began_is_passed_over(cloud: FakeServing, tmp_path: Path) -> None:
    """A queued one that was stopped, or cancelled by an update of the pipeline."""
    cloud.executions.insert(1, FakeExecution("e-queued", "Cancelled", [], NEW))
    made = recorder(cloud, tmp_path)
    assert [one.path.name for one in made.record_all()] == [OLD, NEW]
    with pytest.raises(NeverBegan, match="it is Cancelled, and CodePipeline tells no action of it"):
        made.record("e-queued")


def test_a_damaged_record_is_told_after_the_others_are_written(cloud: FakeServing, tmp_path: Path) -> None:
    made = recorder(cloud, tmp_path)
    made.broken = frozenset({OLD})
    written = []
    with pytest.raises(RecordError, match="it is damaged"):
        for one in made.record_all():
            written.append(one.path.name)
    assert written == [NEW]


def test_all_that_could_not_be_recorded_is_told_in_the_end(cloud: FakeServing, tmp_path: Path) -> None:
    """Also what another recorder has entered and never sent: later releases are recorded all the same."""
    cloud.executions.insert(1, FakeExecution("e-between", "Succeeded", cloud.executions[0].actions, NEW))
    made = recorder(cloud, tmp_path)
    made.broken, made.never_sent = frozenset({"e-between"}), frozenset({OLD})
    written = []
    with pytest.raises(RecordError, match=r"2 releases could not be recorded: .*has not sent it; .*damaged"):
        for one in made.record_all():
            written.append(one.path.name)
    assert written == [NEW]


class Losing(Recorder):
    """Gathers nothing but what is `lost`, with another reason each time."""

    lost: frozenset[str] = frozenset()
    asked: tuple[str, ...] = ()
    reasons = itertools.count(1)

    def _gathered(
        self, subject: Subject, names: tuple[str, ...], archive: Archive | None = None
    ) -> Gathering:
        found, self.asked = Gathering(), names
        found.add("execution", "", "codepipeline:get_pipeline_execution", {"status": "Succeeded"})
        for name in self.lost & set(names):
            found.miss(name, f"request {next(self.reasons)} was refused", name)
        return found


def test_what_could_not_be_had_is_asked_for_again_and_noted_once(cloud: FakeServing, tmp_path: Path) -> None:
    step = ReleaseRun(Parameters(), cloud.connect())
    vars(step)["parts"] = {"PipelineName": "gbg-release", "PipelineArn": "arn:pipeline"}
    made = Losing(step, tmp_path)
    made.lost = frozenset({"traffic", "images"})
    first = made.record(NEW)
    archive = open_archive(first.path)
    assert archive.settled and archive.manifest.summary["missing"] == 2
    for _ in range(2):
        again = made.record(NEW)
        assert (again.action, again.reason) == ("nothing", "it is settled, and what it lacks can't be had")
        assert {"traffic", "images"} <= set(made.asked)
    assert len(open_archive(first.path).manifest_names) == 1
    made.lost = frozenset({"images"})
    assert made.record(NEW).action == "added"
    archive = open_archive(first.path)
    assert [one.data["what"] for one in still_missing(archive.of("missing"))] == ["images"]
    assert made.record(NEW).action == "nothing" and "traffic" not in made.asked
