"""CloudFormation's properties in the words of a service's API, by botocore's model, and back.

Names differ by capitals only (`ServiceRole`, `serviceRole`) in most
places; what differs more is renamed first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from gbg_sandbox.services.cloudformation.errors import ResourceFailed
from gbg_sandbox.services.cloudformation.intrinsics import as_text
from gbg_sandbox.services.cloudformation.schemas import ResourceSchema


def to_api(client: Any, operation: str, source: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """`source` as parameters of `operation` (`CreateProject`). Raises ResourceFailed for a name it lacks."""
    shape = client.meta.service_model.operation_model(operation).input_shape
    converted: dict[str, Any] = _convert(shape, source, path)
    return converted


def from_api(schema: ResourceSchema, answer: Mapping[str, Any], **renamed: str) -> dict[str, Any]:
    """A service's description of a resource as the properties that its type has; `Property="Member"` renames.

    What the type has no property for is left out, and so is what AWS never gives back (write-only).
    """
    source = {**answer, **{name: answer[api] for name, api in renamed.items() if api in answer}}
    converted: dict[str, Any] = schema.coerced(_properties(schema, schema.raw, source))
    return {name: value for name, value in converted.items() if name not in schema.write_only}


def _properties(schema: ResourceSchema, node: Mapping[str, Any], value: Any) -> Any:
    node = schema.resolve(node)
    if isinstance(value, Mapping) and "properties" in node:
        known = {name.lower(): name for name in node["properties"]}
        named = [(known[key.lower()], item) for key, item in value.items() if key.lower() in known]
        return {name: _properties(schema, node["properties"][name], item) for name, item in named}
    if isinstance(value, list):
        return [_properties(schema, node.get("items", {}), item) for item in value]
    return value


def _convert(shape: Shape, value: Any, path: str) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        members = {name.lower(): name for name in shape.members}
        converted = {}
        for key, item in value.items():
            name = members.get(key.lower())
            if name is None:
                raise ResourceFailed(f"gbg_sandbox does not run the property {path}/{key}")
            converted[name] = _convert(shape.members[name], item, f"{path}/{key}")
        return converted
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_convert(shape.member, item, f"{path}/{index}") for index, item in enumerate(value)]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: _convert(shape.value, item, f"{path}/{key}") for key, item in value.items()}
    return _scalar(shape, value)


def _scalar(shape: Shape, value: Any) -> Any:
    kind = shape.type_name
    if kind == "string" and isinstance(value, (bool, int, float)):
        return as_text(value)
    if kind in ("integer", "long") and isinstance(value, (str, float)):
        return int(value)
    if kind in ("float", "double") and isinstance(value, (str, int)):
        return float(value)
    if kind == "boolean" and isinstance(value, str):
        return value.lower() == "true"
    return value
