"""Sends readings to CloudWatch, with the dimensions that the instance's metadata gives.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
"""

from __future__ import annotations

import time
from http.client import HTTPException
from xml.etree import ElementTree

from cloudwatch_agent.gauges import Gauges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cloudwatch_agent.config import Config
    from cloudwatch_agent.gauges import Reading
    from cloudwatch_agent.place import Log

VERSION = "2010-08-01"
MOST_DATA = 150
FROM_IDENTITY = {"InstanceId": "instanceId", "ImageId": "imageId", "InstanceType": "instanceType"}
GROUP_TAG = "aws:autoscaling:groupName"


class Metrics:
    """Each plugin is read at its interval; what can't be sent is logged and lost, as figures are soon old."""

    def __init__(self, aws: Any, log: Log, config: Config, hostname: str) -> None:
        self.aws = aws
        self.log = log
        self.config = config
        self.hostname = hostname
        self._gauges = Gauges()
        self._next = dict.fromkeys(range(len(config.plugins)), 0.0)
        self._group: str | None = None

    def turn(self) -> None:
        now = time.monotonic()
        readings: list[Reading] = []
        for number, plugin in enumerate(self.config.plugins):
            if now >= self._next[number]:
                self._next[number] = now + plugin.interval
                try:
                    readings += self._gauges.read(plugin)
                except OSError as error:
                    self.log.error(f"[inputs.{plugin.section}] {error}")
        if readings:
            try:
                self._send(readings)
            except (self.aws.ServiceError, self.aws.InstanceError, OSError, HTTPException) as error:
                self.log.error(f"[outputs.cloudwatch] {self.config.namespace}: {error}")

    def due(self) -> float:
        """The monotonic time of the next reading."""
        return min(self._next.values(), default=float("inf"))

    def _send(self, readings: list[Reading]) -> None:
        common = self._dimensions()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        data = [
            (reading, dimensions)
            for reading in readings
            for dimensions in self._rolled_up(common | reading.dimensions)
        ]
        for begin in range(0, len(data), MOST_DATA):
            request = {"Namespace": self.config.namespace}
            for number, (reading, dimensions) in enumerate(data[begin : begin + MOST_DATA], 1):
                request |= _datum(f"MetricData.member.{number}", reading, dimensions, stamp)
            self.aws.call(
                "monitoring", "PutMetricData", request, protocol="query", version=VERSION, timeout=10.0
            )

    def _rolled_up(self, dimensions: dict[str, str]) -> list[dict[str, str]]:
        """The dimensions, and each smaller set that `aggregation_dimensions` asks for."""
        found = [dimensions]
        for names in self.config.aggregated:
            fewer = {name: dimensions[name] for name in names if name in dimensions}
            if len(fewer) == len(names) and fewer not in found:
                found.append(fewer)
        return found

    def _dimensions(self) -> dict[str, str]:
        if not self.config.appended:
            return {} if self.config.omit_hostname else {"host": self.hostname}
        identity = self.aws.identity()
        found = {
            name: str(identity[FROM_IDENTITY[name]]) for name in self.config.appended if name in FROM_IDENTITY
        }
        if "AutoScalingGroupName" in self.config.appended:
            group = self._auto_scaling_group(str(identity["instanceId"]))
            found |= {"AutoScalingGroupName": group} if group else {}
        return found

    def _auto_scaling_group(self, instance_id: str) -> str:
        """Empty for an instance in no group; a refusal is logged, and asked for again at the next reading."""
        if self._group is None:
            filters = {"Filter.1.Name": "resource-id", "Filter.1.Value.1": instance_id}
            filters |= {"Filter.2.Name": "key", "Filter.2.Value.1": GROUP_TAG}
            try:
                self._group = self._first_tag(filters)
            except self.aws.ServiceError as error:
                self.log.error(f"[processors.ec2tagger] AutoScalingGroupName is left out: {error}")
        return self._group or ""

    def _first_tag(self, filters: dict[str, str]) -> str:
        query = {"Action": "DescribeTags", "Version": "2016-11-15", **filters}
        answer = self.aws.request("ec2", "GET", query=query, timeout=10.0)
        root = ElementTree.fromstring(answer.body)
        told = {part.tag.rpartition("}")[2]: part.text or "" for part in root.iter()}
        if answer.status >= 300:
            raise self.aws.ServiceError(told.get("Code", "Unknown"), told.get("Message", ""), answer.status)
        return told.get("value", "")


def _datum(prefix: str, reading: Reading, dimensions: dict[str, str], stamp: str) -> dict[str, str]:
    told = {
        f"{prefix}.MetricName": reading.metric,
        f"{prefix}.Unit": reading.unit,
        f"{prefix}.Value": repr(float(reading.value)),
        f"{prefix}.Timestamp": stamp,
    }
    for number, name in enumerate(sorted(dimensions), 1):
        told[f"{prefix}.Dimensions.member.{number}.Name"] = name
        told[f"{prefix}.Dimensions.member.{number}.Value"] = dimensions[name]
    return told
