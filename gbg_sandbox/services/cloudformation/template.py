"""A template as typed records, and everything about it that can be refused before a stack is touched.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gbg_sandbox.services.cloudformation.document import read_document
from gbg_sandbox.services.cloudformation.errors import TemplateError, refuse

VERSION = "2010-09-09"
SECTIONS = frozenset(
    [
        "AWSTemplateFormatVersion",
        "Description",
        "Metadata",
        "Parameters",
        "Rules",
        "Mappings",
        "Conditions",
        "Transform",
        "Hooks",
        "Resources",
        "Outputs",
    ]
)
RESOURCE_KEYS = frozenset(
    [
        "Type",
        "Properties",
        "Condition",
        "DependsOn",
        "Metadata",
        "DeletionPolicy",
        "UpdateReplacePolicy",
        "CreationPolicy",
        "UpdatePolicy",
        "Description",
    ]
)
OUTPUT_KEYS = frozenset({"Value", "Description", "Export", "Condition"})
PARAMETER_KEYS = frozenset(
    [
        "Type",
        "Default",
        "AllowedPattern",
        "AllowedValues",
        "ConstraintDescription",
        "Description",
        "MaxLength",
        "MaxValue",
        "MinLength",
        "MinValue",
        "NoEcho",
    ]
)
DELETION_POLICIES = frozenset({"Delete", "Retain", "RetainExceptOnCreate"})
UPDATE_POLICIES = frozenset(
    {"AutoScalingRollingUpdate", "AutoScalingReplacingUpdate", "AutoScalingScheduledAction"}
)
CREATION_POLICIES = frozenset({"ResourceSignal", "AutoScalingCreationPolicy"})
LOGICAL_ID = re.compile(r"[A-Za-z0-9]{1,255}")
CUSTOM_RESOURCE = "AWS::CloudFormation::CustomResource"

CAPABILITY_IAM = "CAPABILITY_IAM"
CAPABILITY_NAMED_IAM = "CAPABILITY_NAMED_IAM"
NAMED_IAM = {
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::Policy": "",
    "AWS::IAM::AccessKey": "",
}


@dataclass(frozen=True)
class ParameterDeclaration:
    name: str
    type: str
    default: str | None = None
    description: str = ""
    no_echo: bool = False
    allowed_values: tuple[str, ...] = ()
    allowed_pattern: str = ""
    constraint_description: str = ""
    min_length: int | None = None
    max_length: int | None = None
    min_value: float | None = None
    max_value: float | None = None


@dataclass(frozen=True)
class ResourceDefinition:
    logical_id: str
    type: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    condition: str = ""
    depends_on: tuple[str, ...] = ()
    metadata: Any = None
    deletion_policy: str = "Delete"
    keeps_by_word: bool = False
    """whether the template itself gives a DeletionPolicy, as it must for what is imported"""
    update_replace_policy: str = "Delete"
    creation_policy: Mapping[str, Any] = field(default_factory=dict)
    update_policy: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OutputDefinition:
    name: str
    value: Any
    description: str = ""
    export: Any = None
    condition: str = ""


@dataclass(frozen=True)
class Template:
    body: str
    document: Mapping[str, Any]
    parameters: Mapping[str, ParameterDeclaration]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    resources: Mapping[str, ResourceDefinition]
    outputs: Mapping[str, OutputDefinition]

    @property
    def description(self) -> str:
        return str(self.document.get("Description", ""))

    @property
    def version(self) -> str:
        return str(self.document.get("AWSTemplateFormatVersion", ""))

    @property
    def metadata(self) -> str:
        """The Metadata section as JSON text, or empty."""
        return json.dumps(self.document["Metadata"]) if "Metadata" in self.document else ""

    def capabilities(self) -> tuple[list[str], list[str]]:
        """The capabilities that must be acknowledged, and the resource types that need them."""
        types = [resource.type for resource in self.resources.values() if resource.type in NAMED_IAM]
        named = any(
            NAMED_IAM.get(r.type) and NAMED_IAM[r.type] in r.properties for r in self.resources.values()
        )
        if not types:
            return [], []
        return [CAPABILITY_NAMED_IAM if named else CAPABILITY_IAM], sorted(set(types))


def parse_template(text: str) -> Template:
    """Read and check a template's structure. Raises TemplateError with AWS's words."""
    document = read_document(text)
    unknown = [key for key in document if key not in SECTIONS]
    if unknown:
        raise TemplateError(f"Invalid template property or properties [{', '.join(unknown)}]")
    _refuse_sections(document)
    resources = _section(document, "Resources")
    if not resources:
        raise TemplateError("Template format error: At least one Resources member must be defined.")
    return Template(
        body=text,
        document=document,
        parameters={name: _parameter(name, body) for name, body in _section(document, "Parameters").items()},
        mappings=_mappings(_section(document, "Mappings")),
        conditions=_section(document, "Conditions"),
        resources={name: _resource(name, body) for name, body in resources.items()},
        outputs={name: _output(name, body) for name, body in _section(document, "Outputs").items()},
    )


def _refuse_sections(document: Mapping[str, Any]) -> None:
    version = document.get("AWSTemplateFormatVersion", VERSION)
    if version != VERSION:
        raise TemplateError("Template format error: unsupported value for AWSTemplateFormatVersion.")
    if not isinstance(document.get("Description", ""), str):
        raise TemplateError("Template format error: Description must be a string.")
    for section in ("Transform", "Hooks", "Rules"):
        if document.get(section):
            names = (
                document[section] if isinstance(document[section], (str, list)) else list(document[section])
            )
            raise refuse(f"the template section {section} ({names})")


def _section(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = document.get(name, {})
    if not isinstance(section, dict):
        raise TemplateError(f"Template format error: {name} section must be an object.")
    return section


def _object(place: str, body: Any, known: Iterable[str]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise TemplateError(f"Template format error: {place} must be an object.")
    unknown = [key for key in body if key not in known]
    if unknown:
        kind = place.split("/", 1)[0].rstrip("s").lower()
        raise TemplateError(f"Invalid template {kind} property '{unknown[0]}' in {place}")
    return body


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _parameter(name: str, body: Any) -> ParameterDeclaration:
    body = _object(f"Parameters/{name}", body, PARAMETER_KEYS)
    if not LOGICAL_ID.fullmatch(name):
        raise TemplateError(f"Template format error: Parameter name {name} is non alphanumeric.")
    if "Type" not in body:
        raise TemplateError("Template format error: Every Parameters object must contain a Type member.")
    default = body.get("Default")
    if isinstance(default, (dict, list)):
        raise TemplateError("Template format error: Every Default member must be a string.")
    return ParameterDeclaration(
        name=name,
        type=str(body["Type"]),
        default=None if default is None else _text(default),
        description=str(body.get("Description", "")),
        no_echo=_text(body.get("NoEcho", "false")).lower() == "true",
        allowed_values=tuple(_text(value) for value in body.get("AllowedValues", ())),
        allowed_pattern=str(body.get("AllowedPattern", "")),
        constraint_description=str(body.get("ConstraintDescription", "")),
        min_length=_number(name, body, "MinLength", int),
        max_length=_number(name, body, "MaxLength", int),
        min_value=_number(name, body, "MinValue", float),
        max_value=_number(name, body, "MaxValue", float),
    )


def _number(name: str, body: Mapping[str, Any], key: str, kind: type) -> Any:
    if key not in body:
        return None
    try:
        return kind(body[key])
    except (TypeError, ValueError) as error:
        raise TemplateError(f"Template format error: {key} of parameter {name} must be a number.") from error


def _mappings(section: Mapping[str, Any]) -> Mapping[str, Any]:
    for name, top in section.items():
        if not isinstance(top, dict) or not all(isinstance(second, dict) for second in top.values()):
            raise TemplateError(
                f"Template format error: Mapping {name} must be an object of objects (two levels of keys)."
            )
        for second in top.values():
            for value in second.values():
                if isinstance(value, dict):
                    raise TemplateError(
                        "Template format error: Every Mappings attribute must be a String or a List."
                    )
    return section


def _resource(name: str, body: Any) -> ResourceDefinition:
    body = _object(f"Resources/{name}", body, RESOURCE_KEYS)
    if not LOGICAL_ID.fullmatch(name):
        raise TemplateError(f"Template format error: Resource name {name} is non alphanumeric.")
    if not isinstance(body.get("Type"), str):
        raise TemplateError(
            f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
        )
    properties = body.get("Properties") or {}
    if not isinstance(properties, dict):
        raise TemplateError(f"Template format error: [/Resources/{name}/Properties] must be an object.")
    depends_on = body.get("DependsOn", ())
    return ResourceDefinition(
        logical_id=name,
        type=body["Type"],
        properties=properties,
        condition=str(body.get("Condition", "")),
        depends_on=(depends_on,) if isinstance(depends_on, str) else tuple(depends_on),
        metadata=body.get("Metadata"),
        deletion_policy=_deletion_policy(name, body, "DeletionPolicy"),
        keeps_by_word="DeletionPolicy" in body,
        update_replace_policy=_deletion_policy(name, body, "UpdateReplacePolicy"),
        creation_policy=_object(
            f"Resources/{name}/CreationPolicy", body.get("CreationPolicy") or {}, CREATION_POLICIES
        ),
        update_policy=_object(
            f"Resources/{name}/UpdatePolicy", body.get("UpdatePolicy") or {}, UPDATE_POLICIES
        ),
    )


def _deletion_policy(name: str, body: Mapping[str, Any], key: str) -> str:
    policy = body.get(key, "Delete")
    if policy == "Snapshot":
        raise refuse(f"{key}: Snapshot (Resources/{name})")
    if policy not in DELETION_POLICIES:
        raise TemplateError(f"Template error: Unrecognized {key} {policy} for resource {name}")
    return str(policy)


def _output(name: str, body: Any) -> OutputDefinition:
    body = _object(f"Outputs/{name}", body, OUTPUT_KEYS)
    if not LOGICAL_ID.fullmatch(name):
        raise TemplateError(f"Template format error: Output name {name} is non alphanumeric.")
    if "Value" not in body:
        raise TemplateError(
            f"Template format error: [/Outputs/{name}] Every Outputs member must contain a Value object"
        )
    export = body.get("Export")
    if export is not None and (not isinstance(export, dict) or set(export) != {"Name"}):
        raise TemplateError(
            f"Template format error: [/Outputs/{name}/Export] must contain a Name and nothing else."
        )
    return OutputDefinition(
        name=name,
        value=body["Value"],
        description=str(body.get("Description", "")),
        export=export["Name"] if export else None,
        condition=str(body.get("Condition", "")),
    )
