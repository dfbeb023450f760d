"""A template's parameters: what the caller gave, checked by declaration, and what Ref then yields.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gbg_sandbox.services.cloudformation.errors import TemplateError, refuse
from gbg_sandbox.services.cloudformation.template import ParameterDeclaration, Template

EXISTENCE = {
    "AWS::EC2::AvailabilityZone::Name": ("describe_availability_zones", "ZoneNames"),
    "AWS::EC2::Image::Id": ("describe_images", "ImageIds"),
    "AWS::EC2::Instance::Id": ("describe_instances", "InstanceIds"),
    "AWS::EC2::KeyPair::KeyName": ("describe_key_pairs", "KeyNames"),
    "AWS::EC2::SecurityGroup::GroupName": ("describe_security_groups", "GroupNames"),
    "AWS::EC2::SecurityGroup::Id": ("describe_security_groups", "GroupIds"),
    "AWS::EC2::Subnet::Id": ("describe_subnets", "SubnetIds"),
    "AWS::EC2::Volume::Id": ("describe_volumes", "VolumeIds"),
    "AWS::EC2::VPC::Id": ("describe_vpcs", "VpcIds"),
}
PLAIN = frozenset({"String", "Number", "CommaDelimitedList", "List<Number>", "AWS::SSM::Parameter::Name"})
STORE = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
LIST = re.compile(r"List<(.+)>")


@dataclass(frozen=True)
class ParameterValue:
    declaration: ParameterDeclaration
    value: str
    """what the caller gave, or the default"""
    resolved: str | None = None
    """the parameter store's value behind it, for AWS::SSM::Parameter::Value types"""

    @property
    def meant(self) -> Any:
        """What Ref yields: text, or a list for list types."""
        text = self.value if self.resolved is None else self.resolved
        kind = inner_type(self.declaration.type)
        if kind == "CommaDelimitedList" or LIST.fullmatch(kind):
            return [part.strip() for part in text.split(",")]
        return text

    @property
    def shown(self) -> str:
        return "****" if self.declaration.no_echo else self.value


class Lookups(Protocol):
    """What checking parameters needs of the account."""

    def parameter_store(self, reference: str) -> str: ...

    def exists(self, operation: str, argument: str, value: str) -> bool: ...


def inner_type(declared: str) -> str:
    """The type of the value itself: without the AWS::SSM::Parameter::Value<> around it."""
    match = STORE.fullmatch(declared)
    return match[1] if match else declared


def check_types(template: Template) -> None:
    """Raises TemplateError for a parameter type that AWS does not have."""
    for declaration in template.parameters.values():
        kind = inner_type(declaration.type)
        match = LIST.fullmatch(kind)
        base = match[1] if match else kind
        if base == "AWS::Route53::HostedZone::Id":
            raise refuse(f"the parameter type {declaration.type} (Parameters/{declaration.name})")
        plain = kind in PLAIN or (match is not None and base == "String" and kind != declaration.type)
        if not plain and base not in EXISTENCE:
            raise TemplateError(f"Template format error: Unrecognized parameter type: {declaration.type}")


def resolve(
    template: Template,
    given: list[dict[str, Any]],
    previous: Mapping[str, ParameterValue],
    lookups: Lookups,
) -> dict[str, ParameterValue]:
    """The values a stack operation runs with. Raises TemplateError for a missing, unknown or unfit one."""
    asked = {entry["ParameterKey"]: entry for entry in given}
    strange = [key for key in asked if key not in template.parameters]
    if strange:
        raise TemplateError(f"Parameters: [{', '.join(strange)}] do not exist in the template")
    texts = {
        name: _text(declaration, asked.get(name), previous.get(name))
        for name, declaration in template.parameters.items()
    }
    missing = [name for name, text in texts.items() if text is None]
    if missing:
        raise TemplateError(f"Parameters: [{', '.join(missing)}] must have values")
    return {
        name: _checked(template.parameters[name], text, lookups)
        for name, text in texts.items()
        if text is not None
    }


def _text(
    declaration: ParameterDeclaration, asked: Mapping[str, Any] | None, previous: ParameterValue | None
) -> str | None:
    if asked is None:
        return declaration.default
    if not asked.get("UsePreviousValue"):
        return str(asked["ParameterValue"]) if "ParameterValue" in asked else declaration.default
    if previous is None:
        raise TemplateError(
            f"Invalid input for parameter key {declaration.name}. Cannot specify "
            "usePreviousValue as true for a "
            "parameter key not in the previous template"
        )
    return previous.value


def _checked(declaration: ParameterDeclaration, text: str, lookups: Lookups) -> ParameterValue:
    _check_constraints(declaration, text)
    kind = inner_type(declaration.type)
    resolved = lookups.parameter_store(text) if kind != declaration.type else None
    value = ParameterValue(declaration, text, resolved)
    match = LIST.fullmatch(kind)
    base = match[1] if match else kind
    if base == "Number":
        for item in value.meant if isinstance(value.meant, list) else [value.meant]:
            _check_number(declaration, item)
    if base in EXISTENCE:
        for item in value.meant if isinstance(value.meant, list) else [value.meant]:
            if not lookups.exists(*EXISTENCE[base], item):
                raise TemplateError(
                    f"Parameter validation failed: parameter value {item} for parameter name "
                    f"{declaration.name} does not exist"
                )
    return value


def _fail(declaration: ParameterDeclaration, constraint: str) -> TemplateError:
    if declaration.constraint_description:
        return TemplateError(
            f"Parameter '{declaration.name}' failed to satisfy constraint: "
            f"{declaration.constraint_description}"
        )
    return TemplateError(f"Parameter '{declaration.name}' must {constraint}")


def _check_constraints(declaration: ParameterDeclaration, text: str) -> None:
    items = text.split(",") if "List" in declaration.type else [text]
    for item in (part.strip() if len(items) > 1 else part for part in items):
        if declaration.allowed_values and item not in declaration.allowed_values:
            raise _fail(declaration, "be one of AllowedValues")
        if declaration.allowed_pattern and not re.fullmatch(declaration.allowed_pattern, item):
            raise _fail(declaration, f"match pattern {declaration.allowed_pattern}")
    if declaration.min_length is not None and len(text) < declaration.min_length:
        raise _fail(declaration, f"contain at least {declaration.min_length} characters")
    if declaration.max_length is not None and len(text) > declaration.max_length:
        raise _fail(declaration, f"contain at most {declaration.max_length} characters")


def _check_number(declaration: ParameterDeclaration, text: str) -> None:
    try:
        number = float(text)
    except ValueError as error:
        raise TemplateError(f"Parameter '{declaration.name}' must be a number.") from error
    if declaration.min_value is not None and number < declaration.min_value:
        raise _fail(declaration, f"be a number not less than {declaration.min_value:g}")
    if declaration.max_value is not None and number > declaration.max_value:
        raise _fail(declaration, f"be a number not greater than {declaration.max_value:g}")
