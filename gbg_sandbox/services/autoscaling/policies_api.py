"""Operations on scaling policies."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from gbg_sandbox.service import AwsError, Call, modelled, runs
from gbg_sandbox.services.autoscaling import answers
from gbg_sandbox.services.autoscaling.base import Answer, AutoScalingOperations, Params, one_of, refuse_others
from gbg_sandbox.services.autoscaling.scaling import TRACKING, alarm_metric
from gbg_sandbox.services.autoscaling.state import Group, Policy
from gbg_sandbox.services.ec2.filters import page

KINDS = ("TargetTrackingScaling", "StepScaling", "SimpleScaling")
ADJUSTMENTS = ("ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity")
ALL = ("AutoScalingGroupName", "PolicyName", "PolicyType", "Enabled")
STEPPING = (*ALL, "AdjustmentType", "MinAdjustmentMagnitude", "MinAdjustmentStep")
KNOWN = {
    "TargetTrackingScaling": (*ALL, "TargetTrackingConfiguration", "EstimatedInstanceWarmup"),
    "StepScaling": (*STEPPING, "StepAdjustments", "EstimatedInstanceWarmup", "MetricAggregationType"),
    "SimpleScaling": (*STEPPING, "ScalingAdjustment", "Cooldown"),
}
NEEDED = {
    "TargetTrackingScaling": "TargetTrackingConfiguration",
    "StepScaling": "StepAdjustments",
    "SimpleScaling": "ScalingAdjustment",
}


class PolicyOperations(AutoScalingOperations):
    @runs
    def put_scaling_policy(self, call: Call, params: Params) -> Answer:
        kind = params.get("PolicyType", "SimpleScaling")
        if kind == "PredictiveScaling":
            raise AwsError("ValidationError", "gbg_sandbox does not run predictive scaling.")
        _check(kind, params)
        with self.state.changed:
            group = self.live_group(params)
            former = group.policies.get(params["PolicyName"])
            policy = self._policy(group, kind, params, former)
        if former is not None:
            self.scaling.remove_alarms([former])
        if kind == TRACKING:
            self.scaling.make_alarms(group.name, policy)
        with self.state.changed:
            group.policies[policy.name] = policy
        alarms = [{"AlarmName": name, "AlarmARN": arn} for name, arn in policy.alarms]
        return {"PolicyARN": policy.arn, "Alarms": alarms}

    def _policy(self, group: Group, kind: str, params: Params, former: Policy | None) -> Policy:
        name = params["PolicyName"]
        rest = f"{uuid.uuid4()}:autoScalingGroupName/{group.name}:policyName/{name}"
        return Policy(
            name=name,
            arn=former.arn if former else self.arn_of("scalingPolicy", rest),
            kind=kind,
            settings=dict(params),
            enabled=params.get("Enabled", True),
        )

    @runs
    def describe_policies(self, call: Call, params: Params) -> Answer:
        name = params.get("AutoScalingGroupName")
        names, kinds = params.get("PolicyNames"), params.get("PolicyTypes")
        with self.state.changed:
            groups = [self.state.group(name)] if name else list(self.state.groups.values())
            found = [
                (group.name, policy)
                for group in groups
                for policy in group.policies.values()
                if (not names or policy.name in names or policy.arn in names)
                and (not kinds or policy.kind in kinds)
            ]
        chosen, more = page(found, params, "MaxRecords")
        told = [answers.policy(group, policy, self._alarms(policy)) for group, policy in chosen]
        return {"ScalingPolicies": told, **more}

    def _alarms(self, policy: Policy) -> list[tuple[str, str]]:
        if policy.kind == TRACKING:
            return policy.alarms
        return [(alarm["AlarmName"], alarm["AlarmArn"]) for alarm in self.scaling.alarms_of(policy)]

    @runs
    def delete_policy(self, call: Call, params: Params) -> None:
        group, policy = self._policy_named(params)
        with self.state.changed:
            group.policies.pop(policy.name, None)
        self.scaling.remove_alarms([policy])

    @runs
    def execute_policy(self, call: Call, params: Params) -> None:
        group, policy = self._policy_named(params)
        if policy.kind == TRACKING:
            raise AwsError("ValidationError", "ExecutePolicy is not supported for TargetTrackingScaling.")
        self.scaling.execute(
            group,
            policy,
            f"a user request executed policy {policy.name}",
            metric=params.get("MetricValue"),
            threshold=params.get("BreachThreshold"),
            honor_cooldown=params.get("HonorCooldown", False),
        )

    def _policy_named(self, params: Params) -> tuple[Group, Policy]:
        """By ARN, or by name within the group."""
        wanted = params["PolicyName"]
        with self.state.changed:
            if wanted.startswith("arn:"):
                return self.state.policy(wanted)
            if "AutoScalingGroupName" not in params:
                raise AwsError("ValidationError", "A policy by name needs an AutoScalingGroupName.")
            group = self.state.group(params["AutoScalingGroupName"])
            if wanted not in group.policies:
                raise AwsError("ValidationError", f"There is no scaling policy {wanted} in {group.name}.")
            return group, group.policies[wanted]

    def alarm_action(self, policy_arn: str, alarm: Mapping[str, Any]) -> None:
        """CloudWatch calls this for an alarm's action that is a policy's ARN, again each minute."""
        self.scaling.alarm_action(policy_arn, alarm)

    @modelled
    def describe_adjustment_types(self, call: Call, params: Params) -> Answer:
        return {"AdjustmentTypes": [{"AdjustmentType": name} for name in ADJUSTMENTS]}


def _check(kind: str, params: dict[str, Any]) -> None:
    one_of(kind, KINDS, "PolicyType")
    refuse_others(params, KNOWN[kind], f"{kind} policies")
    if NEEDED[kind] not in params:
        raise AwsError("ValidationError", f"{NEEDED[kind]} is required for policy type {kind}")
    if kind == TRACKING:
        alarm_metric(params["AutoScalingGroupName"], params["TargetTrackingConfiguration"])
    else:
        one_of(params.get("AdjustmentType", ""), ADJUSTMENTS, "AdjustmentType")
