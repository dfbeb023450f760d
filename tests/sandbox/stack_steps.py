"""Steps that the CloudFormation tests share."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud


class Steps:
    """A boto3 client with waiting that suits a test."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.client: Any = cloud.client("cloudformation")

    def create(self, name: str, template: str, **options: Any) -> dict[str, Any]:
        """Create and wait to the end, good or bad; returns the stack."""
        self.client.create_stack(StackName=name, TemplateBody=template, **options)
        return self.settle(name)

    def update(self, name: str, template: str, **options: Any) -> dict[str, Any]:
        self.client.update_stack(StackName=name, TemplateBody=template, **options)
        return self.settle(name)

    def delete(self, name: str, **options: Any) -> dict[str, Any]:
        stack_id = self.stack(name)["StackId"]
        self.client.delete_stack(StackName=name, **options)
        return self.settle(stack_id)

    def change(self, name: str, template: str, **options: Any) -> dict[str, Any]:
        """A change set named `change`, described."""
        self.client.create_change_set(
            StackName=name, ChangeSetName="change", TemplateBody=template, **options
        )
        described: dict[str, Any] = self.client.describe_change_set(StackName=name, ChangeSetName="change")
        return described

    def settle(self, name: str) -> dict[str, Any]:
        """Wait until nothing is in progress any more."""
        done = self.cloud.clock.wait_until(
            lambda: not self.stack(name)["StackStatus"].endswith("_IN_PROGRESS"), aws_seconds=0, real_floor=60
        )
        assert done, self.events(name)
        return self.stack(name)

    def stack(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.describe_stacks(StackName=name)["Stacks"][0]
        return found

    def outputs(self, name: str) -> dict[str, str]:
        return {o["OutputKey"]: o["OutputValue"] for o in self.stack(name)["Outputs"]}

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """Oldest first: logical id, status, reason."""
        pages = self.client.get_paginator("describe_stack_events").paginate(StackName=name)
        newest_first = [event for page in pages for event in page["StackEvents"]]
        return [
            (e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", ""))
            for e in reversed(newest_first)
        ]

    def failures(self, name: str) -> list[tuple[str, str, str]]:
        return [event for event in self.events(name) if event[1].endswith("_FAILED")]

    def statuses(self, name: str, logical_id: str) -> list[str]:
        return [status for who, status, _ in self.events(name) if who == logical_id]

    def reason(self, name: str, logical_id: str, status: str) -> str:
        return next(why for who, what, why in self.events(name) if (who, what) == (logical_id, status))

    def physical(self, name: str) -> dict[str, str]:
        found = self.client.list_stack_resources(StackName=name)["StackResourceSummaries"]
        return {r["LogicalResourceId"]: r.get("PhysicalResourceId", "") for r in found}


def refused(call: Any, **arguments: Any) -> tuple[str, str]:
    """Code and message of the error that a call must end in."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError("the call was not refused")
