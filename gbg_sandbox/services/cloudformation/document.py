"""Reading a template's text: JSON, or YAML with CloudFormation's short tags.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from gbg_sandbox.services.cloudformation.errors import TemplateError

SHORT_TAGS = frozenset(
    [
        "And",
        "Base64",
        "Cidr",
        "Equals",
        "FindInMap",
        "GetAtt",
        "GetAZs",
        "If",
        "ImportValue",
        "Join",
        "Not",
        "Or",
        "Select",
        "Split",
        "Sub",
        "Transform",
    ]
)
PLAIN_TAGS = frozenset({"Ref", "Condition"})


class _Loader(yaml.CSafeLoader):
    """Dates stay text, as in CloudFormation, and a key may be written once."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen:
                raise _not_well_formed(key_node.start_mark, f"duplicate key {key}")
            seen.add(key)
        return {str(key): value for key, value in super().construct_mapping(node, deep=True).items()}


def _not_well_formed(mark: yaml.Mark | None, why: str = "") -> TemplateError:
    place = f"(line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return TemplateError(
        f"Template format error: YAML not well-formed. {place}{' ' + why if why else ''}".rstrip()
    )


def _tagged(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if suffix not in SHORT_TAGS | PLAIN_TAGS:
        raise _not_well_formed(node.start_mark, f"unknown tag !{suffix}")
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in PLAIN_TAGS else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tagged)


def read_document(text: str) -> dict[str, Any]:
    """The template as plain data; short tags become their long form. Raises TemplateError."""
    document = _read_json(text) if text.lstrip().startswith("{") else _read_yaml(text)
    if not isinstance(document, dict):
        raise TemplateError("Template format error: unsupported structure.")
    return document


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"(line {error.lineno}, column {error.colno})"
        raise TemplateError(f"Template format error: JSON not well-formed. {place}") from error


def _read_yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise _not_well_formed(error.problem_mark, error.problem or "") from error
    except yaml.YAMLError as error:
        raise TemplateError(f"Template format error: YAML not well-formed. {error}") from error
