"""What an update would do: the order of resources, and the changes between what is deployed and a template.

Deciding only; nothing here calls AWS but the evaluation of the template itself.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets-view.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gbg_sandbox.services.cloudformation.errors import TemplateError
from gbg_sandbox.services.cloudformation.intrinsics import AFTER_APPLY, names_in, unknown
from gbg_sandbox.services.cloudformation.schemas import ResourceSchema
from gbg_sandbox.services.cloudformation.scope import StackScope
from gbg_sandbox.services.cloudformation.template import ResourceDefinition, Template

Graph = dict[str, frozenset[str]]
ATTRIBUTES = (
    ("Metadata", "metadata"),
    ("CreationPolicy", "creation_policy"),
    ("UpdatePolicy", "update_policy"),
    ("DeletionPolicy", "deletion_policy"),
    ("UpdateReplacePolicy", "update_replace_policy"),
)


def dependencies(template: Template, wanted: Collection[str]) -> Graph:
    """What each wanted resource must wait for, by Ref, GetAtt, Sub and DependsOn."""
    graph: Graph = {}
    for logical_id in wanted:
        definition = template.resources[logical_id]
        named = {
            name.split(".", 1)[0] for kind, name in names_in(definition.properties) if kind != "Condition"
        }
        graph[logical_id] = frozenset((named | set(definition.depends_on)) & set(wanted))
    return graph


def in_order(graph: Mapping[str, Collection[str]]) -> list[str]:
    """Every resource after what it depends on. Raises TemplateError on a cycle, naming its members."""
    left = {name: set(needs) for name, needs in graph.items()}
    order: list[str] = []
    while left:
        ready = [name for name, needs in left.items() if not needs]
        if not ready:
            raise TemplateError(f"Circular dependency between resources: [{', '.join(_cycle(left))}]")
        order += ready
        for name in ready:
            del left[name]
        for needs in left.values():
            needs.difference_update(ready)
    return order


def _cycle(left: Mapping[str, set[str]]) -> list[str]:
    """Of resources that can't be ordered, those on a cycle rather than behind one."""
    members = set(left)
    while True:
        needed = set().union(*(left[name] & members for name in members))
        if needed == members:
            return sorted(members)
        members &= needed


def reversed_graph(graph: Mapping[str, Collection[str]]) -> Graph:
    """What must be deleted before each resource."""
    return {name: frozenset(other for other, needs in graph.items() if name in needs) for name in graph}


def effective(
    schema: ResourceSchema, evaluated: Mapping[str, Any], tags: Mapping[str, str]
) -> dict[str, Any]:
    """Properties as the provider gets them: typed by the schema, with the stack's tags."""
    properties = schema.coerced(evaluated)
    name = schema.tag_property
    added = {key: value for key, value in tags.items() if schema.system_tags or not key.startswith("aws:")}
    if not name or not added:
        return properties
    if schema.tags_are_a_map():
        return properties | {name: added | properties.get(name, {})}
    own = list(properties.get(name, []))
    taken = {tag.get("Key") for tag in own}
    extra: dict[str, Any] = (
        {"PropagateAtLaunch": True} if schema.type == "AWS::AutoScaling::AutoScalingGroup" else {}
    )
    return properties | {
        name: own
        + [{"Key": key, "Value": value, **extra} for key, value in added.items() if key not in taken]
    }


@dataclass(frozen=True)
class Deployed:
    """A resource that the stack has."""

    definition: ResourceDefinition
    physical_id: str
    properties: Mapping[str, Any]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Detail:
    """One changed property (or resource attribute) and why."""

    attribute: str
    name: str = ""
    recreation: str = "Never"
    evaluation: str = "Static"
    source: str = "DirectModification"
    cause: str = ""
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class Change:
    action: str
    """Add, Modify or Remove"""
    logical_id: str
    type: str
    physical_id: str = ""
    replacement: str = ""
    """True, False, Conditional; empty for Add and Remove"""
    details: tuple[Detail, ...] = ()
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    policy_action: str = ""

    @property
    def scope(self) -> list[str]:
        return list(dict.fromkeys(detail.attribute for detail in self.details))


@dataclass
class Planner:
    """Walks the new template in order and compares it with what is deployed."""

    deployed: Mapping[str, Deployed]
    changed_parameters: Collection[str]
    schema: Callable[[str], ResourceSchema]
    volatile: Callable[[str, str], bool]
    """whether an attribute of a type changes when the resource is updated in place"""
    tags: Callable[[str], Mapping[str, str]]
    _fates: dict[str, str] = field(default_factory=dict)

    def physical_id(self, logical_id: str) -> str | None:
        fate = self._fates.get(logical_id)
        if fate is None:
            return None
        return AFTER_APPLY if fate in ("Add", "Replace") else self.deployed[logical_id].physical_id

    def attribute(self, logical_id: str, attribute: str) -> Any:
        fate = self._fates[logical_id]
        old = self.deployed.get(logical_id)
        if old is None or fate in ("Add", "Replace"):
            return AFTER_APPLY
        if fate == "Modify" and self.volatile(old.definition.type, attribute):
            return AFTER_APPLY
        return old.attributes.get(attribute, AFTER_APPLY)

    def changes(self, scope: StackScope) -> list[Change]:
        """In the order in which they would begin. Raises TemplateError."""
        template = scope.template
        wanted = [name for name, resource in template.resources.items() if scope.wanted(resource.condition)]
        found: list[Change] = []
        for logical_id in in_order(dependencies(template, wanted)):
            definition = template.resources[logical_id]
            path = f"Resources/{logical_id}/Properties"
            evaluated = scope.evaluator.value(dict(definition.properties), path)
            change = self._change(definition, self._effective(definition, evaluated))
            self._fates[logical_id] = _fate(change)
            if change is not None:
                found.append(change)
        removed = [name for name in self.deployed if name not in wanted]
        return found + [self._removal(name) for name in removed]

    def _effective(self, definition: ResourceDefinition, evaluated: Mapping[str, Any]) -> dict[str, Any]:
        return effective(self.schema(definition.type), evaluated, self.tags(definition.logical_id))

    def _change(self, definition: ResourceDefinition, properties: Mapping[str, Any]) -> Change | None:
        old = self.deployed.get(definition.logical_id)
        if old is None:
            return Change("Add", definition.logical_id, definition.type, after=properties)
        details = [*self._property_details(old, definition, properties), *_attribute_details(old, definition)]
        if not details:
            return None
        replacement = _replacement(details)
        policy = definition.update_replace_policy
        return Change(
            "Modify",
            definition.logical_id,
            definition.type,
            old.physical_id,
            replacement,
            tuple(details),
            before=old.properties,
            after=properties,
            policy_action="" if replacement == "False" else f"ReplaceAnd{_kept(policy)}",
        )

    def _property_details(
        self, old: Deployed, definition: ResourceDefinition, properties: Mapping[str, Any]
    ) -> Iterable[Detail]:
        schema = self.schema(definition.type)
        for name in dict.fromkeys([*old.properties, *properties]):
            before, after = old.properties.get(name), properties.get(name)
            if before == after:
                continue
            source, cause = self._cause(old.definition, definition, name)
            tags = name == schema.tag_property
            yield Detail(
                attribute="Tags" if tags else "Properties",
                name="" if tags else name,
                recreation=schema.recreation(name, before, after),
                evaluation="Dynamic" if unknown(after) else "Static",
                source=source,
                cause=cause,
                before=before,
                after=after,
            )

    def _cause(self, old: ResourceDefinition, new: ResourceDefinition, name: str) -> tuple[str, str]:
        if name not in new.properties or old.properties.get(name) != new.properties.get(name):
            return "DirectModification", ""
        for kind, mentioned in names_in(new.properties[name]):
            if kind == "Ref" and mentioned in self.changed_parameters:
                return "ParameterReference", mentioned
            if self._fates.get(mentioned.split(".", 1)[0], "Keep") != "Keep":
                return ("ResourceReference" if kind == "Ref" else "ResourceAttribute"), mentioned
        return "DirectModification", ""

    def _removal(self, logical_id: str) -> Change:
        old = self.deployed[logical_id]
        return Change(
            "Remove",
            logical_id,
            old.definition.type,
            old.physical_id,
            before=old.properties,
            policy_action=_kept(old.definition.deletion_policy),
        )


def _attribute_details(old: Deployed, definition: ResourceDefinition) -> Iterable[Detail]:
    for attribute, member in ATTRIBUTES:
        before, after = getattr(old.definition, member), getattr(definition, member)
        if before != after:
            yield Detail(attribute, before=before, after=after)


def _kept(policy: str) -> str:
    return "Delete" if policy == "Delete" else "Retain"


def _replacement(details: Iterable[Detail]) -> str:
    answer = "False"
    for detail in details:
        if detail.recreation == "Always" and detail.evaluation == "Static":
            return "True"
        if detail.recreation != "Never":
            answer = "Conditional"
    return answer


def _fate(change: Change | None) -> str:
    if change is None:
        return "Keep"
    if change.action == "Add":
        return "Add"
    always = any(detail.recreation == "Always" for detail in change.details)
    return "Replace" if always else "Modify"


def change_to_api(change: Change, *, values: bool) -> dict[str, Any]:
    """A change in DescribeChangeSet's shape; `values` adds properties before and after."""
    body: dict[str, Any] = {
        "Action": change.action,
        "LogicalResourceId": change.logical_id,
        "ResourceType": change.type,
        "Scope": change.scope,
        "Details": [_detail_to_api(detail, values=values) for detail in change.details],
    }
    optional = {
        "PhysicalResourceId": change.physical_id,
        "Replacement": change.replacement,
        "PolicyAction": change.policy_action,
    }
    body |= {key: value for key, value in optional.items() if value}
    if values:
        for key, properties in (("BeforeContext", change.before), ("AfterContext", change.after)):
            if properties is not None:
                body[key] = json.dumps({"Properties": properties}, default=str)
    return {"Type": "Resource", "ResourceChange": body}


def _detail_to_api(detail: Detail, *, values: bool) -> dict[str, Any]:
    target: dict[str, Any] = {"Attribute": detail.attribute, "RequiresRecreation": detail.recreation}
    if detail.name:
        target["Name"] = detail.name
    if values:
        target["Path"] = f"/{detail.attribute}" + (f"/{detail.name}" if detail.name else "")
        target["AttributeChangeType"] = (
            "Add" if detail.before is None else "Remove" if detail.after is None else "Modify"
        )
        for key, value in (("BeforeValue", detail.before), ("AfterValue", detail.after)):
            if value is not None:
                target[key] = value if isinstance(value, str) else json.dumps(value, default=str)
    body = {"Target": target, "Evaluation": detail.evaluation, "ChangeSource": detail.source}
    return body | ({"CausingEntity": detail.cause} if detail.cause else {})
