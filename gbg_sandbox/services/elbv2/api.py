"""Elastic Load Balancing v2: Application Load Balancers over HTTP."""

from __future__ import annotations

import functools
import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import Call, modelled
from gbg_sandbox.services.elbv2.base import paged
from gbg_sandbox.services.elbv2.counters import NAMESPACE, Counters, Sample
from gbg_sandbox.services.elbv2.listeners import Listeners
from gbg_sandbox.services.elbv2.load_balancers import LoadBalancers
from gbg_sandbox.services.elbv2.state import LoadBalancer
from gbg_sandbox.services.elbv2.target_groups import TargetGroups

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

MOST_UNREAD = 60
"""seconds that are made up for; the machine may have slept"""
LIMITS = {
    "application-load-balancers": 50,
    "target-groups": 3000,
    "targets-per-application-load-balancer": 1000,
    "listeners-per-application-load-balancer": 1,
    "rules-per-application-load-balancer": 100,
    "targets-per-target-group": 1000,
    "target-groups-per-application-load-balancer": 100,
}


class Elbv2(LoadBalancers, TargetGroups, Listeners):
    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._counters: dict[str, Counters] = {}
        self._told = 0
        """the last second whose metrics were told"""

    def start(self) -> None:
        self.engine.start()
        self._told = math.floor(time.time()) - 1
        self.cloud.keep("load balancers' counters", self._count)

    def stop(self) -> None:
        self.engine.stop()
        with self.lock:
            for load_balancer in self.records.load_balancers.values():
                load_balancer.socket.close()

    def series(self, load_balancer_arn: str) -> list[Sample]:
        """What each target did in each real second, oldest first; kept after the load balancer is gone."""
        counters = self._counters.get(load_balancer_arn)
        return list(counters.samples) if counters else []

    @modelled
    def add_tags(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            for arn in params["ResourceArns"]:
                self.records.tagged(arn).update({tag["Key"]: tag.get("Value", "") for tag in params["Tags"]})
        return {}

    @modelled
    def remove_tags(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            for arn in params["ResourceArns"]:
                for key in params["TagKeys"]:
                    self.records.tagged(arn).pop(key, None)
        return {}

    def tagged_resources(self) -> dict[str, dict[str, str]]:
        with self.lock:
            balancers = {one.arn: dict(one.tags) for one in self.records.load_balancers.values()}
            return balancers | {one.arn: dict(one.tags) for one in self.records.groups.values()}

    @modelled
    def describe_tags(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            return {
                "TagDescriptions": [
                    {
                        "ResourceArn": arn,
                        "Tags": [
                            {"Key": key, "Value": value} for key, value in self.records.tagged(arn).items()
                        ],
                    }
                    for arn in params["ResourceArns"]
                ]
            }

    @modelled
    def describe_account_limits(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return paged("Limits", [{"Name": name, "Max": str(most)} for name, most in LIMITS.items()], params)

    def _count(self) -> None:
        """Read the counters at the end of each real second, and date them into its middle.

        On a busy machine a second may pass unread; what was counted comes with the next, and of the targets'
        health, which lasts, that second is told too: an alarm shall not take it for missing. Where counters
        can't be read there are no figures of that second.
        """
        self.cloud.clock.pause(1 - time.time() % 1)
        second = math.floor(time.time()) - 1
        with self.lock:
            listening = {
                one.name: one for one in self.records.load_balancers.values() if one.listener is not None
            }
        unread = range(max(self._told + 1, second - MOST_UNREAD), second)
        self._told = max(self._told, second)
        count = functools.partial(self._count_one, unread=unread, second=second)
        self.cloud.each("a load balancer's counters", listening, count)

    def _count_one(self, load_balancer: LoadBalancer, unread: range, second: int) -> None:
        rows = self.engine.look_after(load_balancer)
        counters = self._counters.setdefault(load_balancer.arn, Counters(load_balancer.dimension))
        with self.lock:
            groups = [self.records.group(arn) for arn in load_balancer.target_groups()]
            sampled = [(group, group.samples()) for group in groups]
        record = self.cloud.service("cloudwatch").record
        for missed in unread:
            for group, samples in sampled:
                counters.hosts(group, samples, functools.partial(record, NAMESPACE, time=_middle(missed)))
        now = _middle(second)
        counters.read(rows, sampled, now, functools.partial(record, NAMESPACE, time=now))


def _middle(second: int) -> datetime:
    return datetime.fromtimestamp(second + 0.5, UTC)


SERVICE = Elbv2
