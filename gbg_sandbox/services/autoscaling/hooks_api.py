"""Operations on lifecycle hooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gbg_sandbox.service import AwsError, Call, modelled, runs
from gbg_sandbox.services.autoscaling import answers
from gbg_sandbox.services.autoscaling.base import Answer, AutoScalingOperations, Params, one_of
from gbg_sandbox.services.autoscaling.state import LAUNCHING, TERMINATING, Hook

TRANSITIONS = (LAUNCHING, TERMINATING)
RESULTS = ("CONTINUE", "ABANDON")
LIMIT = 50


def read_hook(params: Mapping[str, Any], former: Hook | None) -> Hook:
    """A hook from PutLifecycleHook or a specification; what isn't given stays as it was."""

    def given(name: str, before: Any) -> Any:
        return params.get(name, before)

    transition = given("LifecycleTransition", former.transition if former else "")
    target = given("NotificationTargetARN", former.notification_target if former else "")
    role = given("RoleARN", former.role if former else "")
    if target and ":sns:" not in target:
        raise AwsError("ValidationError", "gbg_sandbox notifies hooks by SNS topics only.")
    if target and not role:
        raise AwsError("ValidationError", "A hook with a NotificationTargetARN needs a RoleARN.")
    seconds = given("HeartbeatTimeout", former.heartbeat_seconds if former else 3600)
    if not 30 <= seconds <= 7200:
        raise AwsError("ValidationError", "HeartbeatTimeout must be between 30 and 7200 seconds.")
    return Hook(
        name=params["LifecycleHookName"],
        transition=one_of(transition, TRANSITIONS, "LifecycleTransition"),
        default_result=one_of(
            given("DefaultResult", former.default_result if former else "ABANDON"), RESULTS, "DefaultResult"
        ),
        heartbeat_seconds=seconds,
        notification_target=target,
        role=role,
        metadata=given("NotificationMetadata", former.metadata if former else ""),
    )


class HookOperations(AutoScalingOperations):
    @runs
    def put_lifecycle_hook(self, call: Call, params: Params) -> Answer:
        with self.state.changed:
            group = self.live_group(params)
            hook = read_hook(params, group.hooks.get(params["LifecycleHookName"]))
            if hook.name not in group.hooks and len(group.hooks) >= LIMIT:
                raise AwsError("LimitExceeded", f"A group has at most {LIMIT} lifecycle hooks.")
            group.hooks[hook.name] = hook
        return {}

    @runs
    def delete_lifecycle_hook(self, call: Call, params: Params) -> Answer:
        """Instances that wait for it go on: with ABANDON when launching, with CONTINUE when terminating."""
        with self.state.changed:
            group = self.state.group(params["AutoScalingGroupName"])
            name = params["LifecycleHookName"]
            if name not in group.hooks:
                raise AwsError("ValidationError", f"No Lifecycle Hook found with name {name}")
            hook = group.hooks.pop(name)
            for action in self.state.actions.values():
                if (action.group, action.hook.name) == (group.name, name) and not action.result:
                    action.result = "ABANDON" if hook.transition == LAUNCHING else "CONTINUE"
                    action.why = "Lifecycle Hook was deleted"
            self.state.changed.notify_all()
        return {}

    @runs
    def describe_lifecycle_hooks(self, call: Call, params: Params) -> Answer:
        names = params.get("LifecycleHookNames")
        with self.state.changed:
            group = self.state.group(params["AutoScalingGroupName"])
            chosen = [hook for hook in group.hooks.values() if not names or hook.name in names]
            return {"LifecycleHooks": [answers.hook(group.name, hook) for hook in chosen]}

    @runs
    def complete_lifecycle_action(self, call: Call, params: Params) -> Answer:
        result = one_of(params["LifecycleActionResult"], RESULTS, "LifecycleActionResult")
        self.engine.hooks.complete(*self._named(params), result)
        return {}

    @runs
    def record_lifecycle_action_heartbeat(self, call: Call, params: Params) -> Answer:
        self.engine.hooks.heartbeat(*self._named(params))
        return {}

    def _named(self, params: Params) -> tuple[str, str, str, str]:
        with self.state.changed:
            group = self.state.group(params["AutoScalingGroupName"])
        token, instance_id = params.get("LifecycleActionToken", ""), params.get("InstanceId", "")
        return group.name, params["LifecycleHookName"], token, instance_id

    @modelled
    def describe_lifecycle_hook_types(self, call: Call, params: Params) -> Answer:
        return {"LifecycleHookTypes": list(TRANSITIONS)}
