"""CloudFormation's properties in the words of a service's API, by botocore's model of the operation.

Names differ by capitals only (`ServiceRole`, `serviceRole`) in most
places; what differs more is renamed first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from gbg_sandbox.services.cloudformation.errors import ResourceFailed
from gbg_sandbox.services.cloudformation.intrinsics import as_text


def to_api(client: Any, operation: str, source: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """`source` as parameters of `operation` (`CreateProject`). Raises ResourceFailed for a name it lacks."""
    shape = client.meta.service_model.operation_model(operation).input_shape
    converted: dict[str, Any] = _convert(shape, source, path)
    return converted


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
