"""CloudFormation stacks with a fate: what happens to one after its change set was executed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.unit.aws_fakes import refusal
from tests.unit.shapes import checked

NOW = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
STACK = "AWS::CloudFormation::Stack"
QUEUE = ("Queue", "AWS::SQS::Queue")
CHANGE = {
    "ResourceChange": {"Action": "Add", "LogicalResourceId": "Queue", "ResourceType": "AWS::SQS::Queue"}
}
Event = tuple[str, str, str, str]
"""resource, type, status, reason"""
MADE: list[Event] = [
    ("shop", STACK, "CREATE_IN_PROGRESS", ""),
    (*QUEUE, "CREATE_IN_PROGRESS", ""),
    (*QUEUE, "CREATE_COMPLETE", ""),
    ("shop", STACK, "CREATE_COMPLETE", ""),
]


@dataclass
class FakeStack:
    status: str
    outputs: dict[str, str] = field(default_factory=dict)
    wanted: tuple[str, tuple[tuple[str, str], ...]] | None = None
    """template and parameters"""
    events: list[dict[str, Any]] = field(default_factory=list)
    executed: bool = False

    def happens(self, stack: str, event: Event) -> None:
        name, kind, status, reason = event
        told = {"LogicalResourceId": name, "ResourceType": kind, "ResourceStatus": status}
        identity = {"EventId": f"{stack}-{len(self.events)}", "Timestamp": NOW}
        self.events.append({**identity, **told, "ResourceStatusReason": reason})
        if name == stack:
            self.status = status


class FakeCloudFormation:
    """After an execution, each look lets one event of `fate` happen; `late` looks still see no event."""

    def __init__(self, fate: list[Event], late: int = 0) -> None:
        self.fate = list(fate)
        self.late = late
        self.stacks: dict[str, FakeStack] = {}
        self.change_sets: dict[str, dict[str, Any]] = {}
        self.asked: dict[str, dict[str, str]] = {}
        """stack → the parameters last asked for"""
        self.edited: dict[str, list[tuple[str, str, str]]] = {}
        """logical id → path, expected and actual value of what was changed; an empty list: it was deleted"""

    def create_change_set(self, **given: Any) -> dict[str, Any]:
        if given["TemplateBody"] == "broken":
            raise refusal("ValidationError", "Template format error: unsupported structure.")
        parameters = {item["ParameterKey"]: item["ParameterValue"] for item in given["Parameters"]}
        self.asked[given["StackName"]] = parameters
        stack = self.stacks.get(given["StackName"])
        exists = stack is not None and stack.status != "REVIEW_IN_PROGRESS"
        assert given["ChangeSetType"] == ("UPDATE" if exists else "CREATE")
        if stack is None:
            stack = self.stacks[given["StackName"]] = FakeStack("REVIEW_IN_PROGRESS")
        wanted = (given["TemplateBody"], tuple(sorted(parameters.items())))
        made = {**self._planned(stack, wanted), "stack": stack, "wanted": wanted}
        self.change_sets["arn:" + given["ChangeSetName"]] = made
        return {"Id": "arn:" + given["ChangeSetName"]}

    def _planned(self, stack: FakeStack, wanted: tuple[str, Any]) -> dict[str, Any]:
        if wanted == stack.wanted:
            reason = "The submitted information didn't contain changes. Submit different information"
            return {"Status": "FAILED", "StatusReason": reason}
        if wanted[0] == "refused later":
            return {"Status": "FAILED", "StatusReason": "Transform failed"}
        return {"Status": "CREATE_COMPLETE", "Changes": [CHANGE]}

    def describe_change_set(self, **given: str) -> dict[str, Any]:
        return self.change_sets[given["ChangeSetName"]]

    def list_change_sets(self, **given: str) -> dict[str, Any]:
        """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListChangeSets.html"""
        stack = self.stacks[given["StackName"]]
        ours = [name for name, one in self.change_sets.items() if one["stack"] is stack]
        return {"Summaries": [{"ChangeSetId": name} for name in ours]}

    def delete_change_set(self, **given: str) -> dict[str, Any]:
        del self.change_sets[given["ChangeSetName"]]
        return {}

    def delete_stack(self, **given: str) -> dict[str, Any]:
        del self.stacks[given["StackName"]]
        return {}

    def execute_change_set(self, **given: str) -> dict[str, Any]:
        made = self.change_sets[given["ChangeSetName"]]
        made["stack"].wanted = made["wanted"]
        made["stack"].executed = True
        return {}

    def describe_stacks(self, **given: str) -> dict[str, Any]:
        stack = self.stacks.get(given["StackName"])
        if stack is None:
            raise refusal("ValidationError", f"Stack with id {given['StackName']} does not exist")
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in stack.outputs.items()]
        return {"Stacks": [{"StackStatus": stack.status, "Outputs": outputs}]}

    def describe_stack_events(self, **given: str) -> dict[str, Any]:
        stack = self.stacks[given["StackName"]]
        if stack.executed:
            self._go_on(given["StackName"], stack)
        return {"StackEvents": list(reversed(stack.events))}

    def detect_stack_resource_drift(self, **given: str) -> dict[str, Any]:
        checked("cloudformation", "detect_stack_resource_drift", given)
        name = given["LogicalResourceId"]
        differs = [
            {"PropertyPath": path, "ExpectedValue": old, "ActualValue": new, "DifferenceType": "NOT_EQUAL"}
            for path, old, new in self.edited.get(name, [])
        ]
        status = "IN_SYNC" if name not in self.edited else "MODIFIED" if differs else "DELETED"
        told = {"LogicalResourceId": name, "PhysicalResourceId": name, "StackResourceDriftStatus": status}
        return {"StackResourceDrift": {**told, "PropertyDifferences": differs}}

    def _go_on(self, name: str, stack: FakeStack) -> None:
        if self.late:
            self.late -= 1
        elif self.fate:
            stack.happens(name, self.fate.pop(0))
