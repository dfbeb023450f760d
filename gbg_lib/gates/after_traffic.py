"""The gate after traffic has moved: green against blue, and the alarms, while blue still stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gbg_lib.aws import Aws
from gbg_lib.deployments import Target, targets
from gbg_lib.gates.before_bake import of_alarms
from gbg_lib.gates.figures import Figures, figures
from gbg_lib.gates.gate import Finding
from gbg_lib.replay import clock
from gbg_lib.way_back.situation import Alarm

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Tolerance:
    error_percent: float
    """how many more errors in a hundred answers than blue"""
    latency_percent: float
    """how much slower than blue"""
    latency_milliseconds: float
    """a mean that is good enough, whatever blue's was"""
    fewest_requests: int


@dataclass(frozen=True)
class Change:
    """When the traffic moved."""

    began: datetime
    """the first green machine got traffic"""
    ended: datetime
    """the last blue one had none any more"""


def change_of_traffic(aws: Aws, deployment_id: str) -> Change | None:
    """None while it hasn't moved."""
    return _change(targets(aws, deployment_id))


def _change(machines: list[Target]) -> Change | None:
    events = [(machine.side, event) for machine in machines for event in machine.events]
    allowed = [
        one.started for side, one in events if side == "Green" and one.name == "AllowTraffic" and one.started
    ]
    blocked = [
        one.ended for side, one in events if side == "Blue" and one.name == "BlockTraffic" and one.ended
    ]
    return Change(min(allowed), max(blocked)) if allowed and blocked else None


def compared(blue: Figures, green: Figures, tolerance: Tolerance) -> Finding:
    """Green's errors and time to answer against blue's, or what is good enough where blue had no visitors."""
    told = f"green: {green.told}; blue: {blue.told}"
    if green.requests < tolerance.fewest_requests:
        wanted = f"{told}; {tolerance.fewest_requests} are needed"
        return Finding("can't tell", wanted, "wait for visitors, or set fewest_requests")
    known = blue.requests >= tolerance.fewest_requests
    errors = tolerance.error_percent + (blue.error_percent if known else 0.0)
    slowest = tolerance.latency_milliseconds / 1000
    if known:
        slowest = max(slowest, blue.mean_seconds * (1 + tolerance.latency_percent / 100))
    if green.error_percent > errors:
        return Finding("fail", f"{told}; {errors:.1f} % errors are allowed", "traffic goes back to blue")
    if green.mean_seconds > slowest:
        return Finding("fail", f"{told}; {1000 * slowest:.0f} ms are allowed", "traffic goes back to blue")
    return Finding("pass", told if known else f"{told}, too few to compare with")


class AfterTraffic:
    """Watches from the moment that blue has lost the traffic; passes only when the whole time is over."""

    def __init__(
        self,
        aws: Aws,
        load_balancer: str,
        target_group: str,
        change: Change,
        watch_seconds: float,
        tolerance: Tolerance,
        alarms: Callable[[], list[Alarm]],
        now: Clock = clock.now,
    ) -> None:
        self.aws = aws
        self.arns = (load_balancer, target_group)
        self.change = change
        self.watch_seconds = watch_seconds
        self.tolerance = tolerance
        self.alarms = alarms
        self.now = now

    def look(self) -> Finding:
        """An alarm is CodeDeploy's to act on first; one that still fires at the end is a fail."""
        now = self.now()
        left = self.watch_seconds - (now - self.change.ended).total_seconds()
        alarms = of_alarms(self.alarms())
        green = figures(self.aws, *self.arns, self.change.ended, now)
        finding = compared(self._blue(), green, self.tolerance)
        if alarms.verdict == "fail" and left > 0:
            return Finding("can't tell", f"{alarms.found}; CodeDeploy stops a deployment whose alarm fires")
        if finding.verdict == "fail" or (left <= 0 and alarms.verdict == "pass"):
            return finding
        if left <= 0:
            return alarms
        return Finding("can't tell", f"{finding.found}; watched for another {left:.0f} s")

    def _blue(self) -> Figures:
        """As long a time before the change as green is watched after it, and not less than five minutes."""
        before = timedelta(seconds=max(self.watch_seconds, 5 * self.aws.minute_seconds))
        return figures(self.aws, *self.arns, self.change.began - before, self.change.began)
