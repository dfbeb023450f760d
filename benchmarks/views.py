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
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from common import ROOT, Sandbox, sandbox, tell

sys.path.insert(0, str(ROOT))

from IPython.core.formatters import DisplayFormatter

from gbg_lib.exchange import Exchange
from gbg_lib.parameters import Parameters
from gbg_lib.steps import ReleaseRun
from gbg_lib.views.live.following import following
from gbg_lib.views.live.release import ReleaseView

PAIRS = 3
Key = tuple[str, str, str]
"""kind, name, status"""


class Measured(ReleaseView):
    """Knows when each state was shown, and what showing it cost."""

    def __init__(self, step: ReleaseRun) -> None:
        super().__init__(step)
        self.cpu = self.after = 0.0
        self.late: dict[Key, float] = {}
        self.asked: list[Exchange] = []
        """by whom ever: by this view, by who follows the release, by the gates"""
        self.own: list[Exchange] = []
        self._ends: dict[Key, datetime] = {}
        self._format = DisplayFormatter()
        step.aws.listeners.append(self._heard)

    def look(self) -> None:
        self._timed(super().look)

    def go_round(self) -> None:
        self._timed(super().go_round)

    def finish(self) -> None:
        began = time.monotonic()
        self._timed(super().finish)
        self.after = time.monotonic() - began

    def draw(self, **given: Any) -> None:
        self._timed(lambda: ReleaseView.draw(self, **given))
        if self.screen.shown is not None:
            self._format.format(self.screen.shown.markup)
        self._note()

    def _timed(self, work: Callable[[], None]) -> None:
        cpu, before = time.process_time(), len(self.asked)
        work()
        self.cpu += time.process_time() - cpu
        self.own += self.asked[before:]

    def _note(self) -> None:
        """How late each thing is that is shown for the first time."""
        now = datetime.now(UTC)
        for action in self.actions:
            if action.status != "InProgress":
                self._ends.setdefault(("action", action.name, action.status), action.updated)
        for key in self._shown():
            if key in self._ends and key not in self.late:
                self.late[key] = (now - self._ends[key]).total_seconds()

    def _shown(self) -> Iterator[Key]:
        for action in self.actions:
            yield "action", action.name, action.status
        if self.inside:
            for kind, pieces in (
                ("step of the bake", self.inside.bake),
                ("phase of the build", self.inside.build),
            ):
                for piece in pieces:
                    yield kind, piece.name, piece.status
            for target in self.inside.targets.values():
                for event in target.events:
                    yield "lifecycle event", f"{target.side} {target.instance} {event.name}", event.status

    def _heard(self, told: Exchange) -> None:
        """When things ended, as AWS tells; whether they are shown, the view's state tells."""
        self.asked.append(told)
        reply = told.reply
        for step in reply.get("AutomationExecution", {}).get("StepExecutions", ()):
            if "ExecutionEndTime" in step:
                key = ("step of the bake", step["StepName"], step["StepStatus"])
                self._ends.setdefault(key, step["ExecutionEndTime"])
        for build in reply.get("builds", ()):
            for phase in build.get("phases", ()):
                if "endTime" in phase:
                    key = ("phase of the build", phase["phaseType"], phase["phaseStatus"])
                    self._ends.setdefault(key, phase["endTime"])
        for target in (one["instanceTarget"] for one in reply.get("deploymentTargets", ())):
            for event in target.get("lifecycleEvents", ()):
                if "endTime" in event:
                    side, event_name = target["instanceLabel"].title(), event["lifecycleEventName"]
                    name = f"{side} {target['targetId']} {event_name}"
                    self._ends.setdefault(("lifecycle event", name, event["status"]), event["endTime"])


def spread(what: str, late: list[float]) -> dict[str, Any]:
    """Of what is in order."""
    named = {
        "events": len(late),
        "median s": statistics.median(late),
        "95 % s": late[int(len(late) * 0.95)],
        "worst s": late[-1],
    }
    return {f"{what} {name}".strip(): value for name, value in named.items()}


def most_in_a_second(asked: Sequence[Exchange]) -> int:
    at = sorted(one.started.timestamp() for one in asked)
    return max(sum(first <= one < first + 1 for one in at) for first in at)


def release(step: ReleaseRun, view: Measured | None) -> float:
    execution = step.begin("a measured release")
    if view is not None:
        view.asked.clear()
    states = step.follow(execution)
    if view is None:
        for _ in states:
            pass
    else:
        with contextlib.redirect_stdout(io.StringIO()):  # without a notebook a display is printed
            following(states, view.hear, view.draw, step.aws, view.look, view.finish, "", view.go_round)
    return step.release(execution).seconds


def main(one: Sandbox) -> None:
    one.gbg("up")
    os.environ |= {"GBG_HOME": one.home}
    one.gbg("run", "01", "02", "03", "04", "-p", "termination_wait_minutes=1")
    bare, watched, views = [], [], []
    for _ in range(PAIRS):
        bare.append(release(ReleaseRun(Parameters(watch_minutes=0)), None))
        step = ReleaseRun(Parameters(watch_minutes=0))
        views.append(Measured(step))
        watched.append(release(step, views[-1]))
    rows = zip(bare, watched, views, strict=True)
    late = sorted(seconds for view in views for seconds in view.late.values())
    tell(
        "A release with and without a live view",
        [
            {
                "release": number,
                "without s": without,
                "with s": with_,
                "and then s": view.after,
                "view's processor s": view.cpu,
            }
            for number, (without, with_, view) in enumerate(rows, 1)
        ],
        ratio=statistics.median(watched) / statistics.median(bare),
        processor_share=statistics.median(view.cpu for view in views) / statistics.median(watched),
        most_requests_in_a_second=max(most_in_a_second(view.own) for view in views),
        most_of_all_in_a_second=max(most_in_a_second(view.asked) for view in views),
        **spread("all", late),
    )
    kinds = sorted({key[0] for view in views for key in view.late})
    found = {
        kind: sorted(seconds for view in views for key, seconds in view.late.items() if key[0] == kind)
        for kind in kinds
    }
    tell("How long after an event it is shown", [{"kind": kind, **spread("", found[kind])} for kind in kinds])


if __name__ == "__main__":
    with sandbox() as made:
        main(made)
