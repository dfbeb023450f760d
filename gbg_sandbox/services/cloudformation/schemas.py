"""What AWS's resource registry says of a type, from the schemas that cfn-lint carries.

They tell which properties exist, which of them need a replacement, what Fn::GetAtt may ask, and how values
are typed.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gbg_sandbox.services.cloudformation.intrinsics import as_text, function_of, unknown

CUSTOM_RESOURCE = "AWS::CloudFormation::CustomResource"

# GetAtt takes these properties too, though the registry does not mark them read-only.
MORE_ATTRIBUTES = {
    "AWS::EC2::VPC": ("CidrBlock",),
    "AWS::EC2::Subnet": ("AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "VpcId"),
    "AWS::EC2::SecurityGroup": ("VpcId", "GroupName"),
    "AWS::EC2::Instance": ("AvailabilityZone",),
    "AWS::SNS::Topic": ("TopicName",),
    "AWS::SSM::Parameter": ("Type", "Value"),
    "AWS::AutoScaling::AutoScalingGroup": ("AutoScalingGroupARN",),
}
# CloudFormation tags these, though the registry says nothing of it.
MORE_TAGGED = {"AWS::CodeBuild::Project": "Tags"}


def _pointer(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split("/")[1:] if part != "properties")


class ResourceSchema:
    """One resource type."""

    def __init__(self, type_name: str, raw: Mapping[str, Any]) -> None:
        self.type = type_name
        self.raw = raw
        custom = type_name.startswith("Custom::") or type_name == CUSTOM_RESOURCE
        self.create_only = [] if custom else [_pointer(text) for text in raw.get("createOnlyProperties", ())]
        self.conditional = [_pointer(text) for text in raw.get("conditionalCreateOnlyProperties", ())]
        self.read_only = [_pointer(text) for text in raw.get("readOnlyProperties", ())]
        self.write_only = frozenset(
            pointer[0] for text in raw.get("writeOnlyProperties", ()) if len(pointer := _pointer(text)) == 1
        )
        """properties that AWS never gives back, so that no drift of them is seen"""
        self.identifier = [".".join(_pointer(text)) for text in raw.get("primaryIdentifier", ())]

    def attributes(self) -> frozenset[str]:
        """What Fn::GetAtt may ask for."""
        return frozenset([".".join(pointer) for pointer in self.read_only]) | frozenset(
            MORE_ATTRIBUTES.get(self.type, ())
        )

    @property
    def tag_property(self) -> str:
        """The property that carries tags, or empty."""
        tagging = self.raw.get("tagging") or {}
        if tagging.get("taggable") and "Tags" in self.raw["properties"]:
            return "Tags"
        return MORE_TAGGED.get(self.type, "")

    @property
    def system_tags(self) -> bool:
        """Whether CloudFormation adds its aws:cloudformation: tags."""
        return bool((self.raw.get("tagging") or {}).get("cloudFormationSystemTags"))

    def tags_are_a_map(self) -> bool:
        return bool(self.raw["properties"]["Tags"].get("type") == "object")

    def recreation(self, name: str, old: Any, new: Any) -> str:
        """Whether changing a top-level property recreates the resource: Never, Conditionally, Always."""
        for pointers, answer in ((self.create_only, "Always"), (self.conditional, "Conditionally")):
            for pointer in pointers:
                if pointer[0] == name and _at(old, pointer[1:]) != _at(new, pointer[1:]):
                    return answer
        return "Never"

    def problems(self, properties: Mapping[str, Any]) -> list[str]:
        """Why AWS would refuse these properties; functions and unknown values pass."""
        return list(self._problems(self.raw, properties, ""))

    def coerced(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """The properties with numbers, booleans and text as the schema types them."""
        result: dict[str, Any] = self._coerced(self.raw, properties)
        return result

    def resolve(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """A part of the schema, behind its references."""
        while "$ref" in node:
            found: Any = self.raw
            for part in str(node["$ref"]).removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def _problems(self, node: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
        node = self.resolve(node)
        if function_of(value) or unknown(value):
            return
        if isinstance(value, dict) and "properties" in node:
            yield from self._object_problems(node, value, path)
        elif isinstance(value, list) and isinstance(node.get("items"), dict):
            for index, item in enumerate(value):
                yield from self._problems(node["items"], item, f"{path}/{index}")
        elif "enum" in node and not isinstance(value, (dict, list)) and not _among(value, node["enum"]):
            yield f"#{path}: {as_text(value)} is not a valid enum value"

    def _object_problems(self, node: Mapping[str, Any], value: Mapping[str, Any], path: str) -> Iterator[str]:
        known = node["properties"]
        patterns = node.get("patternProperties", {})
        if node.get("additionalProperties") is False or not path:
            strange = [key for key in value if key not in known and not _matches(key, patterns)]
            if strange and not path:
                yield f"Encountered unsupported property {strange[0]}"
            elif strange:
                yield f"Encountered unsupported properties in {{{path}}}: [{', '.join(strange)}]"
        for key in node.get("required", ()):
            if key not in value:
                yield f"#{path}: required key [{key}] not found"
        for key, item in value.items():
            if key in known:
                yield from self._problems(known[key], item, f"{path}/{key}")

    def _coerced(self, node: Mapping[str, Any], value: Any) -> Any:
        node = self.resolve(node)
        kind = node.get("type")
        if isinstance(value, dict):
            known = node.get("properties", {})
            inner: Mapping[str, Any] = next(iter(node.get("patternProperties", {}).values()), {})
            return {key: self._coerced(known.get(key, inner), item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._coerced(node.get("items", {}), item) for item in value]
        if kind == "array" and isinstance(value, str):
            return [self._coerced(node.get("items", {}), value)]
        return _scalar(kind, value)


def _scalar(kind: Any, value: Any) -> Any:
    if kind == "string" and not isinstance(value, str):
        return as_text(value)
    if kind == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind in ("integer", "number") and isinstance(value, str):
        if re.fullmatch(r"-?\d+", value):
            return int(value)
        if kind == "number" and re.fullmatch(r"-?\d+\.\d+", value):
            return float(value)
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _among(value: Any, allowed: list[Any]) -> bool:
    return as_text(value) in {as_text(item) for item in allowed}


def _matches(key: str, patterns: Mapping[str, Any]) -> bool:
    return any("p{" in pattern or re.search(pattern, key) for pattern in patterns)


def _at(value: Any, pointer: tuple[str, ...]) -> Any:
    if not pointer:
        return value
    if pointer[0] == "*" and isinstance(value, list):
        return [_at(item, pointer[1:]) for item in value]
    return _at(value.get(pointer[0]), pointer[1:]) if isinstance(value, dict) else None


@functools.cache
def _folder() -> Path:
    found = importlib.util.find_spec("cfnlint")
    if found is None or found.origin is None:
        raise RuntimeError(
            "cfn-lint is not installed: its schemas describe every CloudFormation resource type"
        )
    return Path(found.origin).parent / "data" / "schemas"


@functools.cache
def _index(region: str) -> dict[str, str]:
    index: dict[str, str] = json.loads((_folder() / "providers" / f"{region}.json").read_text())
    return index


@functools.cache
def schema_of(type_name: str, region: str = "us-east-1") -> ResourceSchema | None:
    """The schema of a resource type; None when AWS has no such type in the region."""
    key = CUSTOM_RESOURCE if type_name.startswith("Custom::") else type_name
    name = _index(region).get(key)
    if name is None:
        return None
    return ResourceSchema(type_name, json.loads((_folder() / "resources" / f"{name}.json").read_text()))
