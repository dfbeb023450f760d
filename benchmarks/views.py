"""What a live view adds to a release: time, requests to AWS, and how long after an event it is seen.

Releases with and without a view alternate on one sandbox. The display is a kernel's: every state is made into
what a notebook gets. An event's time is AWS's own: the end of a bake's step, of a build's phase, of a
lifecycle event, of a stage.
"""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from common import ROOT, Sandbox, sandbox, tell

sys.path.insert(0, str(ROOT))

from IPython.core.formatters import DisplayFormatter

from gbg_lib.parameters import Parameters
from gbg_lib.steps import ReleaseRun
from gbg_lib.views.live.following import following
from gbg_lib.views.live.release import ReleaseView

PAIRS = 3
WATCHED = {"describe_target_health", "batch_get_deployment_targets", "list_deployment_targets"}
WATCHED |= {"batch_get_builds", "filter_log_events", "get_automation_execution"}


class Measured(ReleaseView):
    """Knows when each state was shown, and what showing it cost."""

    def __init__(self, step: ReleaseRun) -> None:
        super().__init__(step)
        self.seconds = self.cpu = 0.0
        self.late: list[float] = []
        self._known: set[tuple[str, str]] = set()
        self._format = DisplayFormatter()

    def look(self) -> None:
        self._timed(super().look)

    def draw(self, **given: Any) -> None:
        self._timed(lambda: ReleaseView.draw(self, **given))
        if self.screen.shown is not None:
            self._format.format(self.screen.shown.markup)
        self._note()

    def _timed(self, work: Callable[[], None]) -> None:
        began, cpu = time.monotonic(), time.process_time()
        work()
        self.seconds += time.monotonic() - began
        self.cpu += time.process_time() - cpu

    def _note(self) -> None:
        """How late each thing is that is seen for the first time."""
        now = datetime.now(UTC)
        first = not self._known
        for key, at in self._ended():
            if key not in self._known:
                self._known.add(key)
                if not first:
                    self.late.append((now - at).total_seconds())

    def _ended(self) -> list[tuple[tuple[str, str], datetime]]:
        found = [
            ((action.stage, action.status), action.updated)
            for action in self.actions
            if action.status != "InProgress"
        ]
        if self.inside:
            for target in self.inside.targets.values():
                found += [
                    ((f"{target.instance} {event.name}", event.status), event.ended)
                    for event in target.events
                    if event.ended is not None
                ]
        return found


def release(step: ReleaseRun, view: Measured | None) -> float:
    execution = step.begin("a measured release")
    states = step.follow(execution)
    if view is None:
        for _ in states:
            pass
    else:
        with contextlib.redirect_stdout(io.StringIO()):  # without a notebook a display is printed
            following(states, view.hear, view.draw, step.aws, view.look, view.finish)
    return step.release(execution).seconds


def main(one: Sandbox) -> None:
    one.gbg("up")
    os.environ |= {"GBG_HOME": one.home}
    one.gbg("run", "01", "02", "03", "04", "-p", "termination_wait_minutes=1")
    bare, watched, cpu, late, rates = [], [], [], [], []
    for _ in range(PAIRS):
        step = ReleaseRun(Parameters(watch_minutes=0))
        bare.append(release(step, None))
        step = ReleaseRun(Parameters(watch_minutes=0))
        asked: list[float] = []
        step.aws.listeners.append(
            lambda told, asked=asked: (
                asked.append(told.started.timestamp()) if told.operation in WATCHED else None
            )
        )
        view = Measured(step)
        watched.append(release(step, view))
        cpu.append(view.cpu)
        late += view.late
        rates.append(max(sum(first <= at < first + 1 for at in asked) for first in asked))
    late.sort()
    tell(
        "A release with and without a live view",
        [
            {"release": number, "without s": without, "with s": with_, "view's processor s": own}
            for number, (without, with_, own) in enumerate(zip(bare, watched, cpu, strict=True), 1)
        ],
        ratio=statistics.median(watched) / statistics.median(bare),
        processor_share=statistics.median(cpu) / statistics.median(watched),
        most_requests_in_a_second=max(rates),
        events=len(late),
        seen_after_median=statistics.median(late),
        seen_after_95_percent=late[int(len(late) * 0.95)],
        seen_at_worst=late[-1],
    )


if __name__ == "__main__":
    with sandbox() as made:
        main(made)
