"""CloudFormation's operations that only look; those that act are in stacks.py and change_sets.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gbg_sandbox.service import Call, Route, runs
from gbg_sandbox.services.cloudformation import stack_api
from gbg_sandbox.services.cloudformation.drift_api import DriftOperations
from gbg_sandbox.services.cloudformation.errors import TemplateError
from gbg_sandbox.services.cloudformation.resources import provider_of
from gbg_sandbox.services.cloudformation.schemas import schema_of
from gbg_sandbox.services.cloudformation.state import Stack
from gbg_sandbox.services.cloudformation.template import ParameterDeclaration, Template


class CloudFormation(DriftOperations):
    def routes(self) -> Sequence[Route]:
        return (self.responses.route(),)

    def tagged_resources(self) -> dict[str, dict[str, str]]:
        living = [stack for stack in self.stacks.all() if not stack.gone and stack.revision]
        return {stack.id: dict(stack.revision.tags) for stack in living if stack.revision}

    @runs
    def describe_stacks(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        if "StackName" in params:
            return {"Stacks": [stack_api.stack(self.find(params["StackName"]))]}
        living = [stack for stack in self.stacks.all() if not stack.gone]
        found, more = stack_api.page(living, params.get("NextToken", ""))
        return {"Stacks": [stack_api.stack(stack) for stack in found], **more}

    @runs
    def list_stacks(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        wanted = params.get("StackStatusFilter")
        chosen = [stack for stack in self.stacks.all() if not wanted or stack.status in wanted]
        found, more = stack_api.page(chosen, params.get("NextToken", ""))
        return {"StackSummaries": [stack_api.stack_summary(stack) for stack in found], **more}

    @runs
    def describe_stack_events(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        if "StackName" not in params:
            raise TemplateError("StackName must be specified")
        stack = self.find(params["StackName"], f"Stack [{params['StackName']}] does not exist")
        with stack.lock:
            newest_first = stack.events[::-1]
        found, more = stack_api.page(newest_first, params.get("NextToken", ""))
        return {"StackEvents": [stack_api.stack_event(stack, event) for event in found], **more}

    @runs
    def describe_stack_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        stack = self.find(params["StackName"], f"Stack '{params['StackName']}' does not exist")
        found = self._resource(stack, params["LogicalResourceId"])
        return {"StackResourceDetail": stack_api.resource_detail(stack, found)}

    @runs
    def describe_stack_resources(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        if "StackName" not in params and "PhysicalResourceId" not in params:
            raise TemplateError("Must specify one of StackName or PhysicalResourceId")
        stack = self._owner(params)
        found = list(stack.resources.values())
        if "LogicalResourceId" in params:
            found = [self._resource(stack, params["LogicalResourceId"])]
        shown = [stack_api.resource(stack, resource, stamp="Timestamp") for resource in found[:100]]
        return {"StackResources": shown}

    @runs
    def list_stack_resources(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        stack = self.find(params["StackName"])
        found, more = stack_api.page(list(stack.resources.values()), params.get("NextToken", ""))
        shown = [stack_api.resource(stack, r, stamp="LastUpdatedTimestamp", summary=True) for r in found]
        return {"StackResourceSummaries": shown, **more}

    @runs
    def get_template(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "TemplateBody": self._template_of(params).body,
            "StagesAvailable": ["Original", "Processed"],
        }

    @runs
    def get_template_summary(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        if "StackSetName" in params:
            raise TemplateError("gbg_sandbox does not run stack sets")
        template = self._template_of(params) if "StackName" in params else self.templates.read(call, params)
        types: dict[str, list[str]] = {}
        for name, resource in template.resources.items():
            types.setdefault(resource.type, []).append(name)
        summary = {
            "Parameters": [_declaration(p) for p in template.parameters.values()],
            "ResourceTypes": list(types),
            "ResourceIdentifierSummaries": [
                {"ResourceType": kind, "LogicalResourceIds": names, **self._identifiers(kind)}
                for kind, names in types.items()
            ],
            "DeclaredTransforms": [],
            **stack_api.capabilities(template),
        }
        optional = {
            "Description": template.description,
            "Version": template.version,
            "Metadata": template.metadata,
        }
        return summary | stack_api.present(optional)

    @runs
    def validate_template(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        template = self.templates.read(call, params)
        return {
            "Parameters": [_template_parameter(p) for p in template.parameters.values()],
            "DeclaredTransforms": [],
            **stack_api.present({"Description": template.description}),
            **stack_api.capabilities(template),
        }

    @runs
    def list_exports(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        exports = sorted(self.stacks.exports().items())
        found, more = stack_api.page(exports, params.get("NextToken", ""))
        shown = [{"ExportingStackId": s.id, "Name": name, "Value": value} for name, (s, value) in found]
        return {"Exports": shown, **more}

    @runs
    def list_imports(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        name = params["ExportName"]
        if name not in self.stacks.exports():
            raise TemplateError(f"Export '{name}' does not exist.")
        importers = self.stacks.importers(name)
        if not importers:
            raise TemplateError(f"Export '{name}' is not imported by any stack.")
        found, more = stack_api.page(importers, params.get("NextToken", ""))
        return {"Imports": found, **more}

    def _identifiers(self, kind: str) -> dict[str, list[str]]:
        """The properties that an import names a resource by; nothing for a type that can't be imported."""
        schema = schema_of(kind, self.cloud.region)
        if schema is None or not provider_of(kind).imports:
            return {}
        return {"ResourceIdentifiers": schema.identifier}

    def _owner(self, params: dict[str, Any]) -> Stack:
        if "StackName" in params:
            return self.find(params["StackName"])
        wanted = params["PhysicalResourceId"]
        for stack in self.stacks.all():
            if any(r.physical_id == wanted for r in stack.resources.values()) and not stack.gone:
                return stack
        raise TemplateError(f"Stack for {wanted} does not exist")

    def _template_of(self, params: dict[str, Any]) -> Template:
        if "ChangeSetName" in params:
            return self._find(params)[1].revision.template
        if "StackName" not in params:
            raise TemplateError("StackName is required")
        stack = self.find(params["StackName"])
        if stack.revision is None:
            raise TemplateError(f"Stack with id {params['StackName']} does not exist")
        return stack.revision.template


def _template_parameter(declaration: ParameterDeclaration) -> dict[str, Any]:
    shown = {"ParameterKey": declaration.name, "NoEcho": declaration.no_echo}
    if declaration.default is not None:
        shown["DefaultValue"] = declaration.default
    return shown | stack_api.present({"Description": declaration.description})


def _declaration(declaration: ParameterDeclaration) -> dict[str, Any]:
    allowed = list(declaration.allowed_values)
    return _template_parameter(declaration) | {
        "ParameterType": declaration.type,
        "ParameterConstraints": {"AllowedValues": allowed} if allowed else {},
    }


SERVICE = CloudFormation
