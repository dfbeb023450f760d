"""Load balancers, target groups, listeners and their rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gbg_sandbox.services.cloudformation.resources.base import (
    Made,
    Properties,
    Provider,
    Task,
    changed,
    given,
    if_there,
    ignore_missing,
    names,
    tag_changes,
)
from gbg_sandbox.services.cloudformation.resources.shapes import from_api, to_api

HEALTH = (
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckEnabled",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
)


def retag(elb: Any, arn: str, old: Properties, new: Properties) -> None:
    added, removed = tag_changes(old, new)
    if removed:
        elb.remove_tags(ResourceArns=[arn], TagKeys=removed)
    if added:
        elb.add_tags(ResourceArns=[arn], Tags=[{"Key": key, "Value": value} for key, value in added.items()])


def set_attributes(
    call: Callable[..., Any], source: Properties, name: str, old: Properties, **which: str
) -> None:
    wanted = source.get(name, [])
    if wanted and wanted != old.get(name):
        call(Attributes=wanted, **which)


class LoadBalancer(Provider):
    type = "AWS::ElasticLoadBalancingV2::LoadBalancer"
    created_with = (
        "Name", "Subnets", "SubnetMappings", "SecurityGroups", "Scheme", "Type", "IpAddressType", "Tags",
    )  # fmt: skip
    properties = names(*created_with, "LoadBalancerAttributes")
    attributes = names(
        "DNSName", "LoadBalancerArn", "LoadBalancerFullName", "LoadBalancerName", "CanonicalHostedZoneID"
    )
    name_property = "Name"

    def create(self, task: Task, new: Properties) -> Made:
        elb = task.client("elbv2")
        wanted = {"Name": task.name(32), **given(new, *self.created_with)}
        answer = elb.create_load_balancer(**to_api(elb, "CreateLoadBalancer", wanted))
        arn: str = answer["LoadBalancers"][0]["LoadBalancerArn"]
        task.initiated(arn)
        self._set(elb, arn, {}, new)
        task.wait(lambda: self._find(elb, arn)["State"]["Code"] == "active", f"{arn} did not become active")
        found = self._find(elb, arn)
        return Made(
            arn,
            {
                "LoadBalancerArn": arn,
                "LoadBalancerFullName": arn.split(":loadbalancer/", 1)[1],
                "LoadBalancerName": found["LoadBalancerName"],
                "DNSName": found["DNSName"],
                "CanonicalHostedZoneID": found.get("CanonicalHostedZoneId", ""),
            },
        )

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        elb = task.client("elbv2")
        arn = made.physical_id
        if changed(old, new, "Subnets", "SubnetMappings", "IpAddressType"):
            elb.set_subnets(LoadBalancerArn=arn, **given(new, "Subnets", "SubnetMappings", "IpAddressType"))
        if changed(old, new, "SecurityGroups"):
            elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=new.get("SecurityGroups", []))
        self._set(elb, arn, old, new)
        retag(elb, arn, old, new)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("elbv2").delete_load_balancer, LoadBalancerArn=made.physical_id)

    @staticmethod
    def _find(elb: Any, arn: str) -> Any:
        return elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]

    @staticmethod
    def _set(elb: Any, arn: str, old: Properties, new: Properties) -> None:
        call = elb.modify_load_balancer_attributes
        set_attributes(call, new, "LoadBalancerAttributes", old, LoadBalancerArn=arn)


class TargetGroup(Provider):
    type = "AWS::ElasticLoadBalancingV2::TargetGroup"
    unread = names("Targets")
    partly = names("TargetGroupAttributes")
    created_with = (
        "Name", "Protocol", "ProtocolVersion", "Port", "VpcId", "TargetType", "IpAddressType", "Tags",
        *HEALTH,
    )  # fmt: skip
    properties = names(*created_with, "TargetGroupAttributes", "Targets")
    attributes = names("TargetGroupArn", "TargetGroupFullName", "TargetGroupName", "LoadBalancerArns")
    name_property = "Name"

    def create(self, task: Task, new: Properties) -> Made:
        elb = task.client("elbv2")
        wanted = {"Name": task.name(32), **given(new, *self.created_with)}
        answer = elb.create_target_group(**to_api(elb, "CreateTargetGroup", wanted))
        group = answer["TargetGroups"][0]
        arn: str = group["TargetGroupArn"]
        task.initiated(arn)
        self._set(elb, arn, {}, new)
        return Made(
            arn,
            {
                "TargetGroupArn": arn,
                "TargetGroupFullName": arn.rsplit(":", 1)[1],
                "TargetGroupName": group["TargetGroupName"],
                "LoadBalancerArns": group.get("LoadBalancerArns", []),
            },
        )

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        elb = task.client("elbv2")
        if changed(old, new, *HEALTH):
            wanted = {"TargetGroupArn": made.physical_id, **given(new, *HEALTH)}
            elb.modify_target_group(**to_api(elb, "ModifyTargetGroup", wanted))
        self._set(elb, made.physical_id, old, new)
        retag(elb, made.physical_id, old, new)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("elbv2").delete_target_group, TargetGroupArn=made.physical_id)

    def read(self, task: Task, made: Made) -> Properties | None:
        elb, arn = task.client("elbv2"), made.physical_id
        answer = if_there(elb.describe_target_groups, TargetGroupArns=[arn])
        if answer is None or not answer["TargetGroups"]:
            return None
        settings = elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        tags = elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
        shown = {**answer["TargetGroups"][0], "TargetGroupAttributes": settings, "Tags": tags}
        return from_api(task.schema, shown, Name="TargetGroupName")

    @staticmethod
    def _set(elb: Any, arn: str, old: Properties, new: Properties) -> None:
        call = elb.modify_target_group_attributes
        set_attributes(call, new, "TargetGroupAttributes", old, TargetGroupArn=arn)
        before, after = old.get("Targets", []), new.get("Targets", [])
        if gone := [target for target in before if target not in after]:
            elb.deregister_targets(TargetGroupArn=arn, Targets=gone)
        if added := [target for target in after if target not in before]:
            elb.register_targets(TargetGroupArn=arn, Targets=added)


class Listener(Provider):
    type = "AWS::ElasticLoadBalancingV2::Listener"
    changeable = ("Port", "Protocol", "DefaultActions", "SslPolicy", "Certificates")
    properties = names("LoadBalancerArn", "Tags", *changeable)
    attributes = names("ListenerArn")

    def create(self, task: Task, new: Properties) -> Made:
        elb = task.client("elbv2")
        answer = elb.create_listener(**to_api(elb, "CreateListener", new))
        arn = answer["Listeners"][0]["ListenerArn"]
        return Made(arn, {"ListenerArn": arn})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        elb = task.client("elbv2")
        if changed(old, new, *self.changeable):
            wanted = {"ListenerArn": made.physical_id, **given(new, *self.changeable)}
            elb.modify_listener(**to_api(elb, "ModifyListener", wanted))
        retag(elb, made.physical_id, old, new)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("elbv2").delete_listener, ListenerArn=made.physical_id)


class ListenerRule(Provider):
    type = "AWS::ElasticLoadBalancingV2::ListenerRule"
    properties = names("ListenerArn", "Priority", "Conditions", "Actions", "Tags")
    attributes = names("RuleArn", "IsDefault")

    def create(self, task: Task, new: Properties) -> Made:
        elb = task.client("elbv2")
        answer = elb.create_rule(**to_api(elb, "CreateRule", new))
        arn = answer["Rules"][0]["RuleArn"]
        return Made(arn, {"RuleArn": arn, "IsDefault": False})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        elb = task.client("elbv2")
        arn = made.physical_id
        if changed(old, new, "Priority"):
            elb.set_rule_priorities(RulePriorities=[{"RuleArn": arn, "Priority": new["Priority"]}])
        if changed(old, new, "Conditions", "Actions"):
            wanted = {"RuleArn": arn, **given(new, "Conditions", "Actions")}
            elb.modify_rule(**to_api(elb, "ModifyRule", wanted))
        retag(elb, arn, old, new)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("elbv2").delete_rule, RuleArn=made.physical_id)
