"""Parameters and documents of Systems Manager."""

from __future__ import annotations

import json
from typing import Any

import yaml

from gbg_sandbox.services.cloudformation.resources.base import (
    Made,
    Properties,
    Provider,
    Task,
    changed,
    given,
    ignore_missing,
    names,
    tag_changes,
    tag_list,
)
from gbg_sandbox.services.cloudformation.resources.shapes import from_api

SET = ("Type", "Value", "Description", "AllowedPattern", "Tier", "DataType", "Policies")


def retag(ssm: Any, kind: str, name: str, old: Properties, new: Properties) -> None:
    added, removed = tag_changes(old, new)
    if removed:
        ssm.remove_tags_from_resource(ResourceType=kind, ResourceId=name, TagKeys=removed)
    if added:
        ssm.add_tags_to_resource(ResourceType=kind, ResourceId=name, Tags=tag_list({"Tags": added}))


class Parameter(Provider):
    type = "AWS::SSM::Parameter"
    properties = names("Name", "Tags", *SET)
    attributes = names("Type", "Value")
    volatile = names("Type", "Value")
    name_property = "Name"

    def create(self, task: Task, new: Properties) -> Made:
        name = new.get("Name") or f"CFN-{new['Type']}-{task.name(64)}"
        tags = {"Tags": tag_list(new)} if tag_list(new) else {}
        task.client("ssm").put_parameter(Name=name, **given(new, *SET), **tags)
        return Made(name, given(new, "Type", "Value"))

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        ssm = task.client("ssm")
        if changed(old, new, *SET):
            ssm.put_parameter(Name=made.physical_id, Overwrite=True, **given(new, *SET))
        retag(ssm, "Parameter", made.physical_id, old, new)
        return Made(made.physical_id, given(new, "Type", "Value"))

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("ssm").delete_parameter, Name=made.physical_id)

    def find(self, task: Task, identifier: str) -> Made | None:
        found = self._find(task, identifier)
        return Made(identifier, given(found, "Type", "Value")) if found else None

    def read(self, task: Task, made: Made) -> Properties | None:
        found = self._find(task, made.physical_id)
        if not found:
            return None
        listed = task.client("ssm").list_tags_for_resource(
            ResourceType="Parameter", ResourceId=made.physical_id
        )
        tags = {tag["Key"]: tag["Value"] for tag in listed["TagList"]}
        return from_api(task.schema, {**found, "Tags": tags})

    @staticmethod
    def _find(task: Task, name: str) -> dict[str, Any]:
        found = task.client("ssm").get_parameters(Names=[name])["Parameters"]
        return found[0] if found else {}


class Document(Provider):
    type = "AWS::SSM::Document"
    properties = names(
        "Name",
        "Content",
        "DocumentType",
        "DocumentFormat",
        "TargetType",
        "VersionName",
        "UpdateMethod",
        "Tags",
    )
    name_property = "Name"

    def create(self, task: Task, new: Properties) -> Made:
        name = new.get("Name") or task.name(128)
        tags = {"Tags": tag_list(new)} if tag_list(new) else {}
        task.client("ssm").create_document(
            Name=name,
            Content=self._content(new),
            **given(new, "DocumentType", "DocumentFormat", "TargetType", "VersionName"),
            **tags,
        )
        return Made(name)

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        ssm = task.client("ssm")
        if changed(old, new, "Content", "VersionName", "DocumentFormat", "TargetType"):
            answer = ssm.update_document(
                Name=made.physical_id,
                Content=self._content(new),
                DocumentVersion="$LATEST",
                **given(new, "DocumentFormat", "TargetType", "VersionName"),
            )
            version = answer["DocumentDescription"]["DocumentVersion"]
            ssm.update_document_default_version(Name=made.physical_id, DocumentVersion=version)
        retag(ssm, "Document", made.physical_id, old, new)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("ssm").delete_document, Name=made.physical_id)

    def replaces(self, old: Properties, new: Properties) -> bool:
        in_place = new.get("UpdateMethod") == "NewVersion"
        return not in_place and changed(old, new, "Content", "VersionName", "DocumentFormat", "TargetType")

    @staticmethod
    def _content(new: Properties) -> str:
        content = new["Content"]
        if isinstance(content, str):
            return content
        if new.get("DocumentFormat") == "YAML":
            return str(yaml.safe_dump(content, sort_keys=False, width=10_000))
        return json.dumps(content)
