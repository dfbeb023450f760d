"""The machines of a deployment, one request a time: all are known by name first, then by what they do."""

from __future__ import annotations

from gbg_lib.aws import Aws
from gbg_lib.deployments import BATCH_TARGETS, Target, read_targets, target_ids

TO_COME = ("Pending", "InProgress")
"""statuses of a lifecycle event that is not over"""


class Machines:
    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.targets: dict[str, Target] = {}
        self._ids: list[str] = []
        self._batches: list[list[str]] = []
        self._ends = False

    @property
    def at_work(self) -> bool:
        """Whether one that is known has a lifecycle event to come; true before any is known."""
        events = [event.status for target in self.targets.values() for event in target.events]
        return not events or any(status in TO_COME for status in events)

    @property
    def has_more(self) -> bool:
        """Whether some have not been asked for as they ended."""
        return self._ends and bool(self._batches)

    def name(self, deployment: str) -> None:
        """Who there is by now."""
        self._ids = target_ids(self.aws, deployment)

    def ask(self, deployment: str, *, over: bool) -> bool:
        """A request: for a batch of the machines, by turns. Whether all were asked for as they ended."""
        if not self._ids or (over and not self._ends):
            self.name(deployment)
            self._ends, self._batches = over, self._all()
        else:
            self._batches = self._batches or self._all()
            found = read_targets(self.aws, deployment, self._batches.pop(0))
            self.targets |= {target.instance: target for target in found}
        return self._ends and not self._batches

    def _all(self) -> list[list[str]]:
        return [self._ids[at : at + BATCH_TARGETS] for at in range(0, len(self._ids), BATCH_TARGETS)]
