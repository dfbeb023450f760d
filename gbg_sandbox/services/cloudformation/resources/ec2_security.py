"""Security groups and their rules."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.services.cloudformation.resources.base import (
    Made,
    Properties,
    Provider,
    Task,
    given,
    if_there,
    ignore_missing,
    names,
)
from gbg_sandbox.services.cloudformation.resources.ec2_network import retag, tag_specifications
from gbg_sandbox.services.cloudformation.resources.shapes import from_api

RULE = ("IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6", "Description")
EVERYTHING = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def permission(rule: Properties) -> dict[str, Any]:
    """A rule of a template as an IpPermission."""
    made = given(rule, "IpProtocol", "FromPort", "ToPort")
    said = given(rule, "Description")
    group = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    if "CidrIp" in rule:
        made["IpRanges"] = [{"CidrIp": rule["CidrIp"], **said}]
    if "CidrIpv6" in rule:
        made["Ipv6Ranges"] = [{"CidrIpv6": rule["CidrIpv6"], **said}]
    if group:
        made["UserIdGroupPairs"] = [{"GroupId": group, **said}]
    return made


def rules(permissions: list[dict[str, Any]], other_group: str) -> list[dict[str, Any]]:
    """IpPermissions as the rules of a template; a permission of several ranges is several rules."""
    found = []
    for one in permissions:
        ports = given(one, "IpProtocol", "FromPort", "ToPort")
        ranges = [
            *({"CidrIp": item["CidrIp"], **given(item, "Description")} for item in one.get("IpRanges", [])),
            *(
                {"CidrIpv6": item["CidrIpv6"], **given(item, "Description")}
                for item in one.get("Ipv6Ranges", [])
            ),
            *(
                {other_group: item["GroupId"], **given(item, "Description")}
                for item in one.get("UserIdGroupPairs", [])
            ),
        ]
        found += [{**ports, **item} for item in ranges]
    return found


class SecurityGroup(Provider):
    type = "AWS::EC2::SecurityGroup"
    properties = names(
        "GroupDescription", "GroupName", "VpcId", "SecurityGroupIngress", "SecurityGroupEgress", "Tags"
    )
    attributes = names("GroupId", "Id", "VpcId", "GroupName")
    name_property = "GroupName"

    def create(self, task: Task, new: Properties) -> Made:
        ec2 = task.client("ec2")
        name = new.get("GroupName") or task.name(255)
        group: str = ec2.create_security_group(
            GroupName=name,
            Description=new["GroupDescription"],
            **given(new, "VpcId"),
            **tag_specifications("security-group", new),
        )["GroupId"]
        task.initiated(group)
        self._set_rules(ec2, group, {}, new)
        return Made(group, {"GroupId": group, "Id": group, "GroupName": name, "VpcId": new.get("VpcId", "")})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        ec2 = task.client("ec2")
        self._set_rules(ec2, made.physical_id, old, new)
        retag(ec2, made.physical_id, old, new)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("ec2").delete_security_group, GroupId=made.physical_id)

    def read(self, task: Task, made: Made) -> Properties | None:
        answer = if_there(task.client("ec2").describe_security_groups, GroupIds=[made.physical_id])
        if answer is None or not answer["SecurityGroups"]:
            return None
        group = answer["SecurityGroups"][0]
        shown = {
            **group,
            "SecurityGroupIngress": rules(group.get("IpPermissions", []), "SourceSecurityGroupId"),
            "SecurityGroupEgress": rules(group.get("IpPermissionsEgress", []), "DestinationSecurityGroupId"),
        }
        return from_api(task.schema, shown, GroupDescription="Description")

    @staticmethod
    def _set_rules(ec2: Any, group: str, old: Properties, new: Properties) -> None:
        for way, name in (("ingress", "SecurityGroupIngress"), ("egress", "SecurityGroupEgress")):
            before = [permission(rule) for rule in old.get(name, [])]
            after = [permission(rule) for rule in new.get(name, [])]
            if way == "egress":
                before, after = before or [EVERYTHING], after or [EVERYTHING]
            gone = [rule for rule in before if rule not in after]
            added = [rule for rule in after if rule not in before]
            if gone:
                getattr(ec2, f"revoke_security_group_{way}")(GroupId=group, IpPermissions=gone)
            if added:
                getattr(ec2, f"authorize_security_group_{way}")(GroupId=group, IpPermissions=added)


class SecurityGroupRule(Provider):
    """A rule as a resource of its own."""

    way: str

    def create(self, task: Task, new: Properties) -> Made:
        authorize = getattr(task.client("ec2"), f"authorize_security_group_{self.way}")
        answer = authorize(GroupId=new["GroupId"], IpPermissions=[permission(new)])
        rules = answer.get("SecurityGroupRules") or [{}]
        rule = rules[0].get("SecurityGroupRuleId") or task.name()
        return Made(rule, {"Id": rule})

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        revoke = getattr(task.client("ec2"), f"revoke_security_group_{self.way}")
        ignore_missing(revoke, GroupId=old["GroupId"], IpPermissions=[permission(old)])


class SecurityGroupIngress(SecurityGroupRule):
    type = "AWS::EC2::SecurityGroupIngress"
    way = "ingress"
    properties = names("GroupId", "SourceSecurityGroupId", *RULE)
    attributes = names("Id")


class SecurityGroupEgress(SecurityGroupRule):
    type = "AWS::EC2::SecurityGroupEgress"
    way = "egress"
    properties = names("GroupId", "DestinationSecurityGroupId", *RULE)
    attributes = names("Id")
