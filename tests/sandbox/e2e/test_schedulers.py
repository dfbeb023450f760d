"""What `gbg schedule --install` leaves to a real systemd and a real cron begins at its minute, and ends there
as docs/scheduling.md says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.command import ROOT
from tests.notebooks.small import PARAMETERS, write_notebook
from tests.sandbox.booted import Booted, skip_unless_bootable
from tests.sandbox.environments import GATE, LOCK, light_runbook
from tests.sandbox.places import eventually

pytestmark = pytest.mark.xdist_group("schedulers")

FIRST = PARAMETERS + 'cloud = "sandbox"\ndeployment = "gbg"'
LONG = """\
import time
from pathlib import Path
Path({mark!r}).touch()
time.sleep(600)"""
ENDS = {
    "shut": GATE,
    "locked": LOCK,
    "broken": "1 / 0",
    "long": LONG,
}
JOBS = {"systemd": ("light", *ENDS), "cron": ("light", "broken")}
LONGEST_SECONDS = 900
OVER = ("dead", "failed", "auto-restart")
LEAD = 3
"""how many times as long as it took before all may take to install, for its minute is still to come then"""


@dataclass(frozen=True)
class Night:
    booted: Booted
    folder: Path

    def gbg(self, *words: str, kind: str = "") -> str:
        kept = {"GBG_HOME": str(self.folder / "gbg"), "GBG_RUNS": str(self.folder / kind)}
        return self.booted(str(ROOT / "gbg"), *words, cwd=self.folder, **kept)

    def schedule(self, kind: str, job: str, *words: str) -> str:
        return self.gbg("schedule", f"{job}.ipynb", "--name", job, "--as", kind, *words, kind=kind)

    def install(self, hour: datetime) -> None:
        """Every job, for the same minute. cron goes by this machine's own zone."""
        local = self.booted("date", f"--date={hour:%FT%TZ}", "+%H:%M")
        for kind, at in (("systemd", f"{hour:%H:%M} UTC"), ("cron", local)):
            for job in JOBS[kind]:
                told = self.schedule(kind, job, "-f", f"{kind}.yaml", "--at", f"daily {at}", "--install")
                assert "to undo" in told, told

    def result(self, kind: str, job: str) -> dict[str, Any]:
        """What the one run of a job says when it is over."""
        eventually(lambda: self._files(kind, job, "result.json"))
        [found] = self._files(kind, job, "result.json")
        return dict(json.loads(found.read_text()))

    def _files(self, kind: str, job: str, name: str) -> list[Path]:
        return list((self.folder / kind).glob(f"*-{job}/{name}"))

    def ended(self, job: str) -> tuple[str, str]:
        """How a job's service stands when its program is over, and the program's exit status."""
        unit = f"gbg-{job}.service"
        eventually(lambda: self.booted.property(unit, "ExecMainExitTimestampMonotonic") != "0")
        eventually(lambda: self.booted.property(unit, "SubState") in OVER)
        return self.booted.property(unit, "SubState"), self.booted.property(unit, "ExecMainStatus")


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """Up, with nothing installed yet."""
    skip_unless_bootable()
    folder = tmp_path_factory.mktemp("schedulers")
    for kind in JOBS:
        (folder / f"{kind}.yaml").write_text(f"cloud: sandbox\ndeployment: {kind}\n")
    light_runbook(folder)
    for name, cell in ENDS.items():
        write_notebook(folder / f"{name}.ipynb", FIRST, cell.format(mark=str(folder / f"{name}-began")))
    booted = Booted(tmp_path_factory.mktemp("booted"))
    try:
        made = Night(booted, folder)
        told = made.gbg("up")  # from another pid namespace it is one in another container
        assert told.startswith("sandbox up at"), told
        yield made
        made.gbg("down")
    finally:
        booted.close()


@pytest.fixture(scope="module")
def hour(night: Night) -> datetime:
    """The minute for which all is installed; it has come. What is installed too late would begin in parts."""
    began = datetime.now(UTC)
    night.install(began + timedelta(hours=12))
    now = datetime.now(UTC)
    found = (now + LEAD * (now - began) + timedelta(minutes=1)).replace(second=0, microsecond=0)
    night.install(found)
    assert datetime.now(UTC) < found
    eventually(lambda: datetime.now(UTC) >= found, real_seconds=LONGEST_SECONDS)
    return found


def test_a_timer_begins_its_run_at_its_minute_and_waits_for_the_next_day(
    night: Night, hour: datetime
) -> None:
    assert night.ended("light") == ("dead", "0")
    result = night.result("systemd", "light")
    assert (result["status"], result["requests"]["ssm"]) == ("done", 1)
    began = night.booted.property("gbg-light.timer", "LastTriggerUSec")
    following = night.booted.property("gbg-light.timer", "NextElapseUSecRealtime")
    assert f"{hour:%Y-%m-%d %H:%M}" in began
    assert f"{hour + timedelta(days=1):%Y-%m-%d %H:%M}:00" in following


def test_a_shut_gate_fails_no_unit(night: Night, hour: datetime) -> None:
    assert night.ended("shut") == ("dead", "3")
    assert night.result("systemd", "shut")["what"] == "window: shut until Monday"


def test_a_failed_run_fails_its_unit_for_all_to_see(night: Night, hour: datetime) -> None:
    assert night.ended("broken") == ("failed", "1")
    assert "gbg-broken.service" in night.booted("systemctl", "--failed", "--plain", "--no-legend")


def test_a_locked_pipeline_is_tried_again(night: Night, hour: datetime) -> None:
    assert night.ended("locked") == ("auto-restart", "5")
    night.booted("systemctl", "restart", "gbg-locked.service")  # ten minutes are not waited for
    assert night.ended("locked") == ("dead", "0")


def test_a_run_that_is_stopped_closes_its_notebook_and_fails_no_unit(night: Night, hour: datetime) -> None:
    eventually((night.folder / "long-began").exists)
    night.booted("systemctl", "stop", "gbg-long.service")
    assert night.ended("long") == ("dead", "4")
    assert night.result("systemd", "long")["status"] == "interrupted"


def test_cron_begins_its_runs_too_and_mails_what_failed_alone(night: Night, hour: datetime) -> None:
    assert night.result("cron", "light")["status"] == "done"
    assert night.result("cron", "broken")["status"] == "failed"
    eventually(lambda: all(word in night.booted.mail() for word in ("ZeroDivisionError", "try: ")))
    assert night.booted.mail().count("Subject:") == 1


def test_what_was_installed_is_taken_away_whole(night: Night, hour: datetime) -> None:
    for kind, jobs in JOBS.items():
        for job in jobs:
            night.schedule(kind, job, "--remove")
    assert night.booted("systemctl", "list-unit-files", "gbg-*", "--no-legend") == ""
    assert night.booted("crontab", "-l") == ""
