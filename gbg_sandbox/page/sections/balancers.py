"""Load balancers with the health of their targets, and the alarms that watch over them."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.page.asking import Asking

SETTLED = frozenset({"healthy", "unused"})


def read(ask: Asking) -> list[dict[str, Any]]:
    groups = ask("elbv2", "describe_target_groups")["TargetGroups"]
    balancers = ask("elbv2", "describe_load_balancers")["LoadBalancers"]
    return [_balancer(ask, one, groups) for one in balancers]


def _balancer(ask: Asking, one: dict[str, Any], groups: list[dict[str, Any]]) -> dict[str, Any]:
    arn = one["LoadBalancerArn"]
    own = [_group(ask, group) for group in groups if arn in group["LoadBalancerArns"]]
    listeners = ask.maybe("elbv2", "describe_listeners", LoadBalancerArn=arn).get("Listeners", [])
    return {
        "name": one["LoadBalancerName"],
        "arn": arn,
        "site": f"http://{one['DNSName']}/",
        "state": one["State"]["Code"],
        "listeners": [f"{listener['Protocol']} {listener['Port']}" for listener in listeners],
        "groups": own,
        "going_on": any(target["state"] not in SETTLED for group in own for target in group["targets"]),
    }


def _group(ask: Asking, group: dict[str, Any]) -> dict[str, Any]:
    arn = group["TargetGroupArn"]
    health = ask.maybe("elbv2", "describe_target_health", TargetGroupArn=arn)
    return {
        "name": group["TargetGroupName"],
        "arn": arn,
        "check": f"{group['HealthCheckPath']} every {group['HealthCheckIntervalSeconds']} s",
        "targets": [
            {
                "instance": one["Target"]["Id"],
                "port": one["Target"]["Port"],
                "state": one["TargetHealth"]["State"],
                "why": one["TargetHealth"].get("Description", ""),
            }
            for one in health.get("TargetHealthDescriptions", [])
        ],
    }


def read_alarms(ask: Asking) -> list[dict[str, Any]]:
    return [
        {
            "name": one["AlarmName"],
            "state": one["StateValue"],
            "why": one.get("StateReason", ""),
            "since": one["StateUpdatedTimestamp"],
            "metric": one.get("MetricName", ""),
        }
        for one in ask("cloudwatch", "describe_alarms")["MetricAlarms"]
    ]
