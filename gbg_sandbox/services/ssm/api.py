"""Systems Manager: parameters, documents, managed instances, Run Command and Automation.

Maintenance windows, patch baselines, associations and the rest are refused by name.
"""

from __future__ import annotations

from typing import Any

from gbg_sandbox.service import AwsError, Call, runs
from gbg_sandbox.services.ssm.automation.api import AutomationOperations
from gbg_sandbox.services.ssm.commands.api import CommandOperations
from gbg_sandbox.services.ssm.documents.api import DocumentOperations
from gbg_sandbox.services.ssm.documents.state import AMAZON
from gbg_sandbox.services.ssm.instances.api import InstanceOperations
from gbg_sandbox.services.ssm.parameters.api import FORWARDED, ParameterOperations
from gbg_sandbox.services.ssm.tags import as_list, as_map


class SystemsManager(
    CommandOperations, AutomationOperations, InstanceOperations, DocumentOperations, ParameterOperations
):
    name = "ssm"
    forwards = FORWARDED

    @runs
    def add_tags_to_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        if params["ResourceType"] == "Parameter":
            return self._stored("add_tags_to_resource", **params)
        self._tags(params).update(as_map(params["Tags"]))
        return {}

    @runs
    def remove_tags_from_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        if params["ResourceType"] == "Parameter":
            return self._stored("remove_tags_from_resource", **params)
        tags = self._tags(params)
        for key in params["TagKeys"]:
            tags.pop(key, None)
        return {}

    @runs
    def list_tags_for_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        if params["ResourceType"] == "Parameter":
            return self._stored("list_tags_for_resource", **params)
        return {"TagList": as_list(self._tags(params))}

    def tagged_resources(self) -> dict[str, dict[str, str]]:
        own = [one for one in self.documents.all() if one.owner != AMAZON]
        return {self.cloud.arn("ssm", f"document/{one.name}"): dict(one.tags) for one in own}

    def _tags(self, params: dict[str, Any]) -> dict[str, str]:
        kind, resource = params["ResourceType"], params["ResourceId"]
        if kind == "Document":
            return self._own(resource).tags
        if kind == "Automation":
            execution = self.executions.find(resource)
            if execution is not None:
                return execution.tags
            raise AwsError("InvalidResourceId", f"There is no automation execution {resource}")
        raise AwsError("InvalidResourceType", f"gbg_sandbox does not tag resources of type {kind}")


SERVICE = SystemsManager
