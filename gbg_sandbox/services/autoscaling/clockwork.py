"""Runs scheduled actions when they are due. Their times are real: only waits are scaled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gbg_sandbox.services.autoscaling import plan, schedule
from gbg_sandbox.services.autoscaling.engine import AutoScalingEngine
from gbg_sandbox.services.autoscaling.state import AutoScalingState, Group, ScheduledAction

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

LOOK_SECONDS = 1.0


class Clockwork:
    def __init__(self, cloud: Cloud, state: AutoScalingState, engine: AutoScalingEngine) -> None:
        self._cloud = cloud
        self._state = state
        self._engine = engine

    def start(self) -> None:
        self._cloud.keep("autoscaling schedule", self._run)

    def _run(self) -> None:
        now = self._cloud.clock.now()
        with self._state.changed:
            due = {
                f"{group.name}/{action.name}": (group, action)
                for group in self._state.groups.values()
                if group.runs("ScheduledActions") and not group.deleting
                for action in group.schedule.values()
                if action.next_run is not None and action.next_run <= now
            }
            self._cloud.each("a scheduled action", due, lambda one: self._act(*one))
        self._cloud.clock.pause(LOOK_SECONDS)

    def _act(self, group: Group, action: ScheduledAction) -> None:
        """Set the sizes; an action without recurrence, or at its end, is gone afterwards."""
        group.min_size = action.sizes.get("MinSize", group.min_size)
        group.max_size = max(group.min_size, action.sizes.get("MaxSize", group.max_size))
        wanted = action.sizes.get("DesiredCapacity", group.desired)
        why = f"a scheduled action update of AutoScalingGroup constraints by {action.name}"
        self._engine.resize(group, plan.limited(group, wanted), why)
        now = self._cloud.clock.now()
        action.next_run = (
            schedule.parse(action.recurrence).next_after(now, action.time_zone) if action.recurrence else None
        )
        over = action.end is not None and action.next_run is not None and action.next_run > action.end
        if action.next_run is None or over:
            del group.schedule[action.name]
