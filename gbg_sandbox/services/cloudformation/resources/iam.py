"""Roles, policies and instance profiles."""

from __future__ import annotations

import json
from collections.abc import Iterable
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
    tag_list,
)
from gbg_sandbox.services.cloudformation.resources.shapes import from_api

HOLDERS = (("role", "Roles", "RoleName"), ("user", "Users", "UserName"), ("group", "Groups", "GroupName"))


INLINE = ("PolicyName", "PolicyDocument")


def as_json(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


def inline(source: Properties) -> dict[str, str]:
    """Inline policies: name → JSON text."""
    return {policy["PolicyName"]: as_json(policy["PolicyDocument"]) for policy in source.get("Policies", [])}


class Role(Provider):
    type = "AWS::IAM::Role"
    properties = names(
        "RoleName", "Path", "AssumeRolePolicyDocument", "Description", "MaxSessionDuration",
        "PermissionsBoundary", "ManagedPolicyArns", "Policies", "Tags",
    )  # fmt: skip
    attributes = names("Arn", "RoleId")
    name_property = "RoleName"

    def create(self, task: Task, new: Properties) -> Made:
        iam = task.client("iam")
        name = new.get("RoleName") or task.name(64)
        role = iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=as_json(new["AssumeRolePolicyDocument"]),
            **given(new, "Path", "Description", "MaxSessionDuration", "PermissionsBoundary"),
            **({"Tags": tag_list(new)} if tag_list(new) else {}),
        )["Role"]
        task.initiated(name)
        self._set_policies(iam, name, {}, new)
        return Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        iam = task.client("iam")
        name = made.physical_id
        if changed(old, new, "AssumeRolePolicyDocument"):
            document = as_json(new["AssumeRolePolicyDocument"])
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
        if changed(old, new, "Description", "MaxSessionDuration"):
            iam.update_role(RoleName=name, **given(new, "Description", "MaxSessionDuration"))
        self._set_boundary(iam, name, old, new)
        self._set_policies(iam, name, old, new)
        added, removed = tag_changes(old, new)
        if removed:
            iam.untag_role(RoleName=name, TagKeys=removed)
        if added:
            iam.tag_role(RoleName=name, Tags=[{"Key": key, "Value": value} for key, value in added.items()])
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        iam = task.client("iam")
        for arn in old.get("ManagedPolicyArns", []):
            ignore_missing(iam.detach_role_policy, RoleName=made.physical_id, PolicyArn=arn)
        for policy in inline(old):
            ignore_missing(iam.delete_role_policy, RoleName=made.physical_id, PolicyName=policy)
        ignore_missing(iam.delete_role, RoleName=made.physical_id)

    def read(self, task: Task, made: Made) -> Properties | None:
        iam, name = task.client("iam"), made.physical_id
        answer = if_there(iam.get_role, RoleName=name)
        if answer is None:
            return None
        role = answer["Role"]
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        own = iam.list_role_policies(RoleName=name)["PolicyNames"]
        boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        shown = {
            **role,
            "ManagedPolicyArns": [policy["PolicyArn"] for policy in attached],
            "Policies": [given(iam.get_role_policy(RoleName=name, PolicyName=one), *INLINE) for one in own],
        }
        shown.pop("PermissionsBoundary", None)
        return from_api(task.schema, shown | ({"PermissionsBoundary": boundary} if boundary else {}))

    @staticmethod
    def _set_boundary(iam: Any, name: str, old: Properties, new: Properties) -> None:
        if not changed(old, new, "PermissionsBoundary"):
            return
        if "PermissionsBoundary" in new:
            iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=new["PermissionsBoundary"])
        else:
            iam.delete_role_permissions_boundary(RoleName=name)

    @staticmethod
    def _set_policies(iam: Any, name: str, old: Properties, new: Properties) -> None:
        before, after = inline(old), inline(new)
        for policy in before.keys() - after.keys():
            ignore_missing(iam.delete_role_policy, RoleName=name, PolicyName=policy)
        for policy, document in after.items():
            if before.get(policy) != document:
                iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document)
        had, wanted = old.get("ManagedPolicyArns", []), new.get("ManagedPolicyArns", [])
        for arn in [arn for arn in had if arn not in wanted]:
            ignore_missing(iam.detach_role_policy, RoleName=name, PolicyArn=arn)
        for arn in [arn for arn in wanted if arn not in had]:
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)


class InstanceProfile(Provider):
    type = "AWS::IAM::InstanceProfile"
    properties = names("InstanceProfileName", "Path", "Roles")
    attributes = names("Arn")
    name_property = "InstanceProfileName"

    def create(self, task: Task, new: Properties) -> Made:
        iam = task.client("iam")
        name = new.get("InstanceProfileName") or task.name(128)
        profile = iam.create_instance_profile(InstanceProfileName=name, **given(new, "Path"))[
            "InstanceProfile"
        ]
        task.initiated(name)
        for role in new["Roles"]:
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
        return Made(name, {"Arn": profile["Arn"]})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        iam = task.client("iam")
        self._remove(iam, made.physical_id, old["Roles"])
        for role in new["Roles"]:
            iam.add_role_to_instance_profile(InstanceProfileName=made.physical_id, RoleName=role)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        iam = task.client("iam")
        self._remove(iam, made.physical_id, old.get("Roles", []))
        ignore_missing(iam.delete_instance_profile, InstanceProfileName=made.physical_id)

    @staticmethod
    def _remove(iam: Any, name: str, roles: Iterable[str]) -> None:
        for role in roles:
            ignore_missing(iam.remove_role_from_instance_profile, InstanceProfileName=name, RoleName=role)


class Policy(Provider):
    """An inline policy, put into each of its roles, users and groups."""

    type = "AWS::IAM::Policy"
    properties = names("PolicyName", "PolicyDocument", "Roles", "Users", "Groups")
    attributes = names("Id")

    def create(self, task: Task, new: Properties) -> Made:
        name = task.name(64)
        task.initiated(name)
        self._put(task.client("iam"), new)
        return Made(name, {"Id": name})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        iam = task.client("iam")
        self._put(iam, new)
        renamed = changed(old, new, "PolicyName")
        for kind, holders, key in HOLDERS:
            for holder in old.get(holders, []):
                if renamed or holder not in new.get(holders, []):
                    remove = getattr(iam, f"delete_{kind}_policy")
                    ignore_missing(remove, **{key: holder}, PolicyName=old["PolicyName"])
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        iam = task.client("iam")
        for kind, holders, key in HOLDERS:
            for holder in old.get(holders, []):
                remove = getattr(iam, f"delete_{kind}_policy")
                ignore_missing(remove, **{key: holder}, PolicyName=old["PolicyName"])

    @staticmethod
    def _put(iam: Any, new: Properties) -> None:
        document = as_json(new["PolicyDocument"])
        for kind, holders, key in HOLDERS:
            for holder in new.get(holders, []):
                put = getattr(iam, f"put_{kind}_policy")
                put(**{key: holder}, PolicyName=new["PolicyName"], PolicyDocument=document)


class ManagedPolicy(Provider):
    type = "AWS::IAM::ManagedPolicy"
    properties = names(
        "ManagedPolicyName", "Path", "Description", "PolicyDocument", "Roles", "Users", "Groups"
    )
    attributes = names("PolicyArn", "PolicyId")
    name_property = "ManagedPolicyName"

    def create(self, task: Task, new: Properties) -> Made:
        iam = task.client("iam")
        policy = iam.create_policy(
            PolicyName=new.get("ManagedPolicyName") or task.name(128),
            PolicyDocument=as_json(new["PolicyDocument"]),
            **given(new, "Path", "Description"),
        )["Policy"]
        arn: str = policy["Arn"]
        task.initiated(arn)
        self._attach(iam, arn, {}, new)
        return Made(arn, {"PolicyArn": arn, "PolicyId": policy["PolicyId"]})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        iam = task.client("iam")
        if changed(old, new, "PolicyDocument"):
            self._drop_versions(iam, made.physical_id, keep=4)
            document = as_json(new["PolicyDocument"])
            iam.create_policy_version(PolicyArn=made.physical_id, PolicyDocument=document, SetAsDefault=True)
        self._attach(iam, made.physical_id, old, new)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        iam = task.client("iam")
        self._attach(iam, made.physical_id, old, {})
        ignore_missing(self._drop_versions, iam=iam, arn=made.physical_id, keep=1)
        ignore_missing(iam.delete_policy, PolicyArn=made.physical_id)

    @staticmethod
    def _drop_versions(iam: Any, arn: str, keep: int) -> None:
        """A policy has at most five versions; the default one can't go."""
        versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        others = sorted((v for v in versions if not v["IsDefaultVersion"]), key=lambda v: v["CreateDate"])
        for version in others[: max(0, len(versions) - keep)]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])

    @staticmethod
    def _attach(iam: Any, arn: str, old: Properties, new: Properties) -> None:
        for kind, holders, key in HOLDERS:
            had, wanted = old.get(holders, []), new.get(holders, [])
            for holder in [holder for holder in had if holder not in wanted]:
                ignore_missing(getattr(iam, f"detach_{kind}_policy"), **{key: holder}, PolicyArn=arn)
            for holder in [holder for holder in wanted if holder not in had]:
                getattr(iam, f"attach_{kind}_policy")(**{key: holder}, PolicyArn=arn)
