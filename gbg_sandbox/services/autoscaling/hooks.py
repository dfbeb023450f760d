"""Lifecycle hooks: an instance on its way in or out waits for somebody's word, or for a time limit.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks-overview.html
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from gbg_sandbox.clock import ShuttingDown
from gbg_sandbox.service import AwsError
from gbg_sandbox.services.autoscaling.activities import Activities
from gbg_sandbox.services.autoscaling.state import (
    LAUNCHING,
    Activity,
    AutoScalingState,
    Group,
    GroupInstance,
    HookAction,
)

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

REAL_FLOOR_SECONDS = 60.0
"""Behind grace periods and heartbeats stands real work (a boot, a JVM) that scaled time would cut off."""


class Patience:
    """Waits on the state's condition, and how long AWS's limits are here."""

    def __init__(self, cloud: Cloud, state: AutoScalingState) -> None:
        self._cloud = cloud
        self._state = state
        self.real_floor = REAL_FLOOR_SECONDS

    def real_seconds(self, aws_seconds: float) -> float:
        """Scaled, but never shorter than the floor where AWS itself would wait that long."""
        return max(self._cloud.clock.real_seconds(aws_seconds), min(aws_seconds, self.real_floor))

    def until(self, condition: Callable[[], object], deadline: float = float("inf")) -> bool:
        """Wait for a change that makes `condition` true; False when the deadline passed. Raises ShuttingDown.

        Holds the state's lock while `condition` is looked at.
        """
        with self._state.changed:
            while not condition():
                if self._cloud.clock.stopped:
                    raise ShuttingDown
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._state.changed.wait(min(left, 0.5))
        return True


class Hooks:
    def __init__(self, state: AutoScalingState, activities: Activities, patience: Patience) -> None:
        self._state = state
        self._activities = activities
        self._patience = patience

    def run(self, group: Group, instance: GroupInstance, transition: str, activity: Activity) -> bool:
        """Let every hook of a transition have its say; False when one was abandoned.

        A launching instance that is to be ended meanwhile waits no longer.
        """
        word = "Pending" if transition == LAUNCHING else "Terminating"
        with self._state.changed:
            actions = [self._action(group, instance, name) for name in group.hooks]
            actions = [one for one in actions if one.hook.transition == transition]
            ending = instance.leaving if transition == LAUNCHING else group.deleting
            if not actions or ending:
                return True
            self._state.actions.update({one.token: one for one in actions})
            instance.state, activity.status = f"{word}:Wait", "MidLifecycleAction"
            self._state.changed.notify_all()
        for action in actions:
            self._activities.tell_hook(group, instance, action)
        self._wait(group, instance, actions, word)
        return self._finish(instance, actions, word, activity)

    def _action(self, group: Group, instance: GroupInstance, name: str) -> HookAction:
        hook = group.hooks[name]
        now = time.monotonic()
        return HookAction(
            hook,
            group.name,
            instance.id,
            now + self._patience.real_seconds(hook.heartbeat_seconds),
            now + self._patience.real_seconds(hook.global_seconds),
        )

    def _wait(self, group: Group, instance: GroupInstance, actions: list[HookAction], word: str) -> None:
        def over() -> bool:
            now = time.monotonic()
            for one in actions:
                if not one.result and now >= one.deadline:
                    one.result, one.why = one.hook.default_result, "Heartbeat Timeout"
            done = all(one.result for one in actions) or _abandoned(actions) is not None
            return done or group.deleting or instance.state != f"{word}:Wait"

        while not self._patience.until(over, min(one.deadline for one in actions if not one.result)):
            pass

    def _finish(
        self, instance: GroupInstance, actions: list[HookAction], word: str, activity: Activity
    ) -> bool:
        with self._state.changed:
            for one in actions:
                self._state.actions.pop(one.token, None)
            if instance.state == f"{word}:Wait":
                instance.state = f"{word}:Proceed"
            activity.status = "InProgress"
            abandoned = _abandoned(actions)
            if abandoned:
                activity.message = (
                    "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token "
                    f"{abandoned.token} was abandoned: {abandoned.why}"
                )
            self._state.changed.notify_all()
        return abandoned is None

    def complete(self, group: str, hook: str, token: str, instance_id: str, result: str) -> None:
        with self._state.changed:
            action = self._find(group, hook, token, instance_id)
            action.result = result
            action.why = f"Lifecycle Action Completed with {result} Result"
            self._state.changed.notify_all()

    def heartbeat(self, group: str, hook: str, token: str, instance_id: str) -> None:
        with self._state.changed:
            action = self._find(group, hook, token, instance_id)
            longer = time.monotonic() + self._patience.real_seconds(action.hook.heartbeat_seconds)
            action.deadline = min(longer, action.last_deadline)
            self._state.changed.notify_all()

    def _find(self, group: str, hook: str, token: str, instance_id: str) -> HookAction:
        if not token and not instance_id:
            raise AwsError("ValidationError", "Give a LifecycleActionToken or an InstanceId.")
        for one in self._state.actions.values():
            named = (one.group, one.hook.name) == (group, hook)
            if named and not one.result and (one.token == token if token else one.instance_id == instance_id):
                return one
        sought = f"token {token}" if token else f"instance ID {instance_id}"
        raise AwsError("ValidationError", f"No active Lifecycle Action found with {sought}")


def _abandoned(actions: list[HookAction]) -> HookAction | None:
    return next((one for one in actions if one.result == "ABANDON"), None)
