"""A pipeline with one execution and the deployment behind it, to be told as AWS tells them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from gbg_lib.pipeline import Action
from tests.unit.aws_fakes import refusal

BEGIN = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
EXECUTION = "11111111-2222-3333-4444-555555555555"
COMMIT = "5f2c9e4d1b7a8c3e6f0d2b4a9c8e7f6d5a4b3c2d"
DEPLOYMENT = "d-ABCDEFGHI"
OF = {"applicationName": "gbg-app", "deploymentGroupName": "gbg-fleet"}


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def action(stage: str, begin: float, end: float, status: str = "Succeeded", **result: Any) -> dict[str, Any]:
    """As list_action_executions tells one. `result`: external id, summary, error, outputs."""
    return {
        "actionExecutionId": f"{stage}-{begin}",
        "stageName": stage,
        "actionName": result.get("name", stage),
        "status": status,
        "startTime": at(begin),
        "lastUpdateTime": at(end),
        "output": {
            "outputVariables": result.get("outputs", {}),
            "executionResult": {
                "externalExecutionId": result.get("external", ""),
                "externalExecutionSummary": result.get("summary", ""),
                "errorDetails": {"message": result.get("error", "")},
            },
        },
        "input": {
            "configuration": result.get("configuration", {}),
            "actionTypeId": {"category": "Source" if stage == "Source" else "Build", "provider": "Manual"},
        },
    }


GOOD = [
    action("Source", 0, 1),
    action("BuildGoldenAMI", 2, 40, outputs={"ImageId": "ami-1"}),
    action("Build", 41, 50, external="gbg-build:1"),
    action("Deploy", 51, 52, outputs={"LaunchTemplateVersion": "2"}, name="PinFleet"),
    action("Deploy", 53, 90, external=DEPLOYMENT),
]


class FakeCodePipeline:
    """Lists newest first, two actions a page. `news` are called one a look, to let something happen."""

    def __init__(self, actions: list[dict[str, Any]], status: str = "Succeeded") -> None:
        self.actions = actions
        self.status = status
        self.started = 0
        self.listed = True
        self.news: list[Callable[[], None]] = []

    def list_pipeline_executions(self, **given: Any) -> dict[str, Any]:
        if self.news:
            self.news.pop(0)()
        if not self.listed:
            return {"pipelineExecutionSummaries": []}
        found = {
            "pipelineExecutionId": EXECUTION,
            "status": self.status,
            "startTime": BEGIN,
            "sourceRevisions": [{"revisionId": COMMIT, "revisionSummary": "First"}],
            "trigger": {"triggerType": "CloudWatchEvent"},
        }
        return {"pipelineExecutionSummaries": [found]}

    def get_pipeline_execution(self, **given: Any) -> dict[str, Any]:
        if given["pipelineExecutionId"] != EXECUTION:
            raise refusal("PipelineExecutionNotFoundException", "no such execution")
        revision = {"revisionId": COMMIT, "revisionSummary": "First", "created": BEGIN}
        return {"pipelineExecution": {"status": self.status, "artifactRevisions": [revision]}}

    def list_action_executions(self, **given: Any) -> dict[str, Any]:
        assert given["filter"]["pipelineExecutionId"]
        newest = sorted(self.actions, key=lambda found: found["startTime"], reverse=True)
        first = int(given.get("nextToken", 0))
        page = {"actionExecutionDetails": newest[first : first + 2]}
        return page | ({"nextToken": str(first + 2)} if first + 2 < len(newest) else {})

    def start_pipeline_execution(self, **given: Any) -> dict[str, Any]:
        self.started += 1
        self.listed = True
        return {"pipelineExecutionId": EXECUTION}


def lifecycle(name: str, status: str = "Succeeded", **diagnostics: str) -> dict[str, Any]:
    return {
        "lifecycleEventName": name,
        "status": status,
        "startTime": at(52),
        "endTime": at(55),
        "diagnostics": diagnostics,
    }


class FakeCodeDeploy:
    """`info` is what get_deployment tells beside status and id; by deployment id in `others`."""

    def __init__(
        self, targets: list[tuple[str, str, list[dict[str, Any]]]], info: dict[str, Any] | None = None
    ) -> None:
        self.info = info or {}
        self.alarms: list[str] = []
        self.others: dict[str, dict[str, Any]] = {}
        self.targets = {
            instance: {
                "targetId": instance,
                "instanceLabel": label,
                "status": "Failed" if any(event["status"] == "Failed" for event in events) else "Succeeded",
                "lifecycleEvents": events,
            }
            for instance, label, events in targets
        }

    def get_deployment(self, **given: str) -> dict[str, Any]:
        asked = given["deploymentId"]
        found = self.others.get(asked, self.info if asked == DEPLOYMENT else None)
        if found is None:
            raise refusal("DeploymentDoesNotExistException", f"{asked} does not exist")
        return {"deploymentInfo": {"deploymentId": asked, "status": "Failed", **OF, **found}}

    def get_deployment_group(self, **given: str) -> dict[str, Any]:
        alarms = [{"name": name} for name in self.alarms]
        return {"deploymentGroupInfo": {"alarmConfiguration": {"enabled": True, "alarms": alarms}}}

    def list_deployment_targets(self, **given: str) -> dict[str, Any]:
        return {"targetIds": list(self.targets)}

    def batch_get_deployment_targets(self, **given: Any) -> dict[str, Any]:
        assert len(given["targetIds"]) <= 25, "the API's limit"
        found = [self.targets[instance] for instance in given["targetIds"]]
        return {"deploymentTargets": [{"instanceTarget": target} for target in found]}


class FakeTrail:
    """CloudTrail: operation, caller and parameters of each call, newest first, and when they were."""

    def __init__(self, *calls: tuple[str, str, dict[str, str]], minutes: float = 0, apart: float = 1) -> None:
        self.calls = calls
        self.minutes = minutes
        self.apart = apart
        """seconds between two calls"""

    def lookup_events(self, **given: Any) -> dict[str, Any]:
        [wanted] = given["LookupAttributes"]
        found = [
            {
                "EventName": name,
                "EventTime": at(self.minutes * 60 - place * self.apart),
                "CloudTrailEvent": json.dumps(told(caller, parameters)),
            }
            for place, (name, caller, parameters) in enumerate(self.calls)
            if name == wanted["AttributeValue"]
        ]
        return {"Events": found}


def told(caller: str, parameters: dict[str, str]) -> dict[str, Any]:
    return {"userIdentity": {"arn": caller}, "requestParameters": parameters}


class FakeMachines:
    """EC2's word on machines: id → state and reason; any other is unknown."""

    def __init__(self, **machines: tuple[str, str]) -> None:
        self.machines = machines

    def describe_instances(self, **given: Any) -> dict[str, Any]:
        [asked] = given["InstanceIds"]
        if asked not in self.machines:
            raise refusal("InvalidInstanceID.NotFound", f"The instance ID '{asked}' does not exist")
        state, reason = self.machines[asked]
        found = {"InstanceId": asked, "State": {"Name": state}, "StateReason": {"Message": reason}}
        return {"Reservations": [{"Instances": [found]}]}


class FakeLogs:
    """Lines by log group."""

    def __init__(self, **lines: list[str]) -> None:
        self.lines = lines

    def filter_log_events(self, **given: Any) -> dict[str, Any]:
        return {"events": [{"message": line} for line in self.lines.get(given["logGroupName"], [])]}


BEHIND = "be410318-e912-4b51-b80e-9c8a0af50dca"


def heard(stage: str, begin: float, end: float, status: str = "Succeeded", behind: str = BEHIND) -> Action:
    """As who follows a release hears of one; `behind` is what does its work."""
    return Action(f"{stage}-1", stage, stage, status, at(begin), at(end), behind)
