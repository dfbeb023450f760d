"""What names mean inside one stack: parameters, pseudo parameters, conditions, mappings, resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gbg_sandbox.services.cloudformation.errors import TemplateError, refuse
from gbg_sandbox.services.cloudformation.intrinsics import (
    CONDITION_FUNCTIONS,
    FUNCTIONS,
    NO_VALUE,
    Evaluator,
    names_in,
    unknown,
    unsupported,
)
from gbg_sandbox.services.cloudformation.lookups import AccountLookups
from gbg_sandbox.services.cloudformation.parameters import ParameterValue
from gbg_sandbox.services.cloudformation.template import Template

PSEUDO = frozenset(
    f"AWS::{name}"
    for name in (
        "AccountId",
        "NotificationARNs",
        "NoValue",
        "Partition",
        "Region",
        "StackId",
        "StackName",
        "URLSuffix",
    )
)


class Resources(Protocol):
    """The stack's resources as they are (engine) or will be (plan)."""

    def physical_id(self, logical_id: str) -> str | None: ...

    def attribute(self, logical_id: str, attribute: str) -> Any: ...


@dataclass(frozen=True)
class Identity:
    account: str
    region: str
    stack_name: str
    stack_id: str


class StackScope:
    def __init__(
        self,
        template: Template,
        parameters: Mapping[str, ParameterValue],
        identity: Identity,
        lookups: AccountLookups,
        resources: Resources,
    ) -> None:
        self.template = template
        self._parameters = parameters
        self._lookups = lookups
        self._resources = resources
        self._conditions: dict[str, bool] = {}
        self._pending: list[str] = []
        self.imports: set[str] = set()
        """names of the exports that have been asked for"""
        self._pseudo = {
            "AWS::AccountId": identity.account,
            "AWS::NotificationARNs": [],
            "AWS::NoValue": NO_VALUE,
            "AWS::Partition": "aws",
            "AWS::Region": identity.region,
            "AWS::StackId": identity.stack_id,
            "AWS::StackName": identity.stack_name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        self.evaluator = Evaluator(self)

    def wanted(self, condition: str) -> bool:
        """Whether something with this Condition attribute exists in the stack."""
        return not condition or self.condition(condition, f"Conditions/{condition}")

    def ref(self, name: str, path: str) -> Any:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            return self._parameters[name].meant
        found = self._resources.physical_id(name)
        if found is None:
            raise unresolved([name], path.split("/", 1)[0])
        return found

    def attribute(self, logical_id: str, attribute: str, path: str) -> Any:
        if self._resources.physical_id(logical_id) is None:
            raise unresolved([logical_id], path.split("/", 1)[0])
        return self._resources.attribute(logical_id, attribute)

    def condition(self, name: str, path: str) -> bool:
        if name not in self.template.conditions:
            raise TemplateError(f"Template error: unresolved condition dependency {name} in {path}")
        if name in self._pending:
            raise TemplateError(f"Template error: circular dependency between conditions: {self._pending}")
        if name not in self._conditions:
            self._pending.append(name)
            try:
                value = self.template.conditions[name]
                self._conditions[name] = self.evaluator.condition(value, f"Conditions/{name}")
            finally:
                self._pending.pop()
        return self._conditions[name]

    def mapping(self, name: str, top: str, second: str) -> Any:
        if name not in self.template.mappings:
            raise TemplateError(
                f"Template error: Mapping named '{name}' is not present in the 'Mappings' "
                "section of template."
            )
        try:
            return self.template.mappings[name][top][second]
        except KeyError as error:
            raise TemplateError(
                f"Template error: Unable to get mapping for {name}::{top}::{second}"
            ) from error

    def imported(self, name: str) -> str:
        if unknown(name):
            return name
        self.imports.add(name)
        return self._lookups.imported(name)

    def zones(self, region: str) -> list[str]:
        here = str(self._pseudo["AWS::Region"])
        if region not in ("", here):
            raise refuse(f"Fn::GetAZs of {region}: this sandbox is {here}")
        return self._lookups.zones(here)

    def parameter_store(self, reference: str) -> str:
        return self._lookups.parameter_store(reference)


def unresolved(names: list[str], section: str) -> TemplateError:
    return TemplateError(
        f"Template format error: Unresolved resource dependencies [{', '.join(names)}] "
        f"in the {section} block of the template"
    )


class Attributes(Protocol):
    """Which attributes Fn::GetAtt may ask of a type."""

    def __call__(self, type_name: str) -> frozenset[str] | None: ...


def check_references(template: Template, attributes: Attributes) -> None:
    """Raises TemplateError for a function, name, attribute or condition that does not exist."""
    for name, condition in template.conditions.items():
        _check_functions(condition, f"Conditions/{name}")
        strange = [key for kind, key in names_in(condition) if kind == "GetAtt" or not _given(template, key)]
        if strange:
            raise TemplateError(
                f"Template error: Unresolved dependencies {strange}. "
                "Cannot reference resources in the Conditions block of the template"
            )
    for name, resource in template.resources.items():
        missing = [other for other in resource.depends_on if other not in template.resources]
        if missing:
            raise unresolved(missing, "Resources")
        _check_value(template, resource.properties, f"Resources/{name}/Properties", attributes)
        _check_value(template, resource.metadata, f"Resources/{name}/Metadata", attributes)
        _check_value(template, resource.creation_policy, f"Resources/{name}/CreationPolicy", attributes)
        _check_value(template, resource.update_policy, f"Resources/{name}/UpdatePolicy", attributes)
        _check_condition(template, resource.condition, "Resources")
    for name, output in template.outputs.items():
        _check_value(template, [output.value, output.export], f"Outputs/{name}", attributes)
        _check_condition(template, output.condition, "Outputs")


def _given(template: Template, name: str) -> bool:
    return name in PSEUDO or name in template.parameters


def _check_condition(template: Template, name: str, section: str) -> None:
    if name and name not in template.conditions:
        raise TemplateError(
            f"Template format error: Unresolved condition dependency {name} in the {section} "
            "block of the template"
        )


def _check_value(template: Template, value: Any, path: str, attributes: Attributes) -> None:
    _check_functions(value, path)
    section = path.split("/", 1)[0]
    for kind, name in names_in(value):
        if kind == "Condition":
            _check_condition(template, name, section)
        elif kind == "GetAtt":
            _check_attribute(template, name, attributes)
        elif not _given(template, name) and name not in template.resources:
            raise unresolved([name], section)


def _check_attribute(template: Template, name: str, attributes: Attributes) -> None:
    logical_id, _, attribute = name.partition(".")
    if logical_id not in template.resources:
        raise TemplateError(
            f"Template error: instance of Fn::GetAtt references undefined resource {logical_id}"
        )
    known = attributes(template.resources[logical_id].type)
    if known is not None and attribute and attribute not in known:
        raise TemplateError(
            f"Template error: resource {logical_id} does not support attribute type {attribute} in Fn::GetAtt"
        )


def _functions_in(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _functions_in(item, f"{path}/{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            if str(key).startswith("Fn::"):
                yield key, path
            yield from _functions_in(item, f"{path}/{key}")


def _check_functions(value: Any, path: str) -> None:
    for name, place in _functions_in(value, path):
        if name == "Fn::Transform":
            raise refuse(f"macros (Fn::Transform in {place})")
        if name not in FUNCTIONS:
            raise unsupported(name, place)
        if name in CONDITION_FUNCTIONS and not place.startswith("Conditions/"):
            raise TemplateError(f"Template error: {name} can only be used in Conditions; see {place}")
