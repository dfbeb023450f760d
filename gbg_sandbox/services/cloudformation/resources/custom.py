"""Custom resources: a Lambda function of the template's author creates, changes and deletes.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gbg_sandbox.services.cloudformation.errors import ResourceFailed
from gbg_sandbox.services.cloudformation.intrinsics import as_text
from gbg_sandbox.services.cloudformation.resources.base import (
    Made,
    Properties,
    Provider,
    Task,
    changed,
    names,
)
from gbg_sandbox.services.cloudformation.responses import Pending

DEFAULT_TIMEOUT = 3600
REAL_FLOOR = 120
"""Real seconds that a function has at least, for its work can't be hurried."""


def stringified(value: Any) -> Any:
    """CloudFormation hands every number and boolean over as text."""
    if isinstance(value, Mapping):
        return {key: stringified(item) for key, item in value.items()}
    if isinstance(value, list):
        return [stringified(item) for item in value]
    return as_text(value)


class CustomResource(Provider):
    type = "AWS::CloudFormation::CustomResource"
    properties = names("ServiceToken", "ServiceTimeout")

    def create(self, task: Task, new: Properties) -> Made:
        answer = self._ask(task, new, {"RequestType": "Create"})
        physical_id = str(answer.get("PhysicalResourceId") or "")
        if not physical_id and answer["Status"] == "SUCCESS":
            raise ResourceFailed("Invalid PhysicalResourceId")
        task.initiated(physical_id or task.name())
        return self._made(answer, physical_id)

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        """A new physical id in the answer means that the function has replaced the resource."""
        if changed(old, new, "ServiceToken"):
            raise ResourceFailed("Modifying service token is not allowed.")
        answer = self._ask(
            task,
            new,
            {
                "RequestType": "Update",
                "PhysicalResourceId": made.physical_id,
                "OldResourceProperties": stringified(old),
            },
        )
        return self._made(answer, str(answer.get("PhysicalResourceId") or made.physical_id))

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        request = {"RequestType": "Delete", "PhysicalResourceId": made.physical_id}
        self._made(self._ask(task, old, request), made.physical_id)

    @staticmethod
    def _made(answer: Mapping[str, Any], physical_id: str) -> Made:
        if answer["Status"] != "SUCCESS":
            raise ResourceFailed(
                "Received response status [FAILED] from custom resource. Message returned: "
                f"{answer.get('Reason') or 'See the logs of the function'} (RequestId: {answer['RequestId']})"
            )
        return Made(physical_id, dict(answer.get("Data") or {}))

    @staticmethod
    def _ask(task: Task, wanted: Properties, request: dict[str, Any]) -> Mapping[str, Any]:
        """Invoke the function and wait until it has put its answer to the ResponseURL."""
        token = str(wanted["ServiceToken"])
        if ":lambda:" not in token:
            raise ResourceFailed(
                f"gbg_sandbox runs custom resources behind Lambda functions only, not {token}"
            )
        box = task.cloud.service("cloudformation").responses
        pending = box.expect(task.host.stack_id, task.logical_id)
        try:
            event = {
                "ServiceToken": token,
                "ResponseURL": pending.url,
                "StackId": task.host.stack_id,
                "RequestId": pending.request_id,
                "LogicalResourceId": task.logical_id,
                "ResourceType": task.type,
                "ResourceProperties": stringified(wanted),
                **request,
            }
            payload = json.dumps(event).encode()
            task.client("lambda").invoke(FunctionName=token, InvocationType="Event", Payload=payload)
            _await_answer(task, pending, int(wanted.get("ServiceTimeout", DEFAULT_TIMEOUT)))
        finally:
            box.forget(pending)
        answer: Mapping[str, Any] = pending.read()
        return answer


def _await_answer(task: Task, pending: Pending, seconds: int) -> None:
    task.wait(
        pending.answered.is_set,
        "CloudFormation did not receive a response from your Custom Resource. Please check your logs "
        f"for requestId [{pending.request_id}].",
        aws_seconds=seconds,
        real_floor=min(seconds, REAL_FLOOR),
    )
