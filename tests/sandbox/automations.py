"""Automation documents with their roles, and what becomes of their executions."""

from __future__ import annotations

import json
from typing import Any

from gbg_sandbox.cloud import Cloud
from tests.sandbox.places import eventually

ENDED = {"Success", "Failed", "TimedOut", "Cancelled"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


class Bench:
    """Documents, roles and executions of one sandbox."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.ssm = cloud.client("ssm")

    def role(self, name: str, *actions: str, trust: dict[str, Any] = TRUST) -> str:
        iam = self.cloud.client("iam")
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        statement = {"Effect": "Allow", "Action": list(actions) or ["sts:GetCallerIdentity"], "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=json.dumps(policy))
        return str(made["Role"]["Arn"])

    def document(self, *steps: dict[str, Any], name: str = "doc", **more: Any) -> str:
        content = {"schemaVersion": "0.3", "mainSteps": list(steps), **more}
        self.ssm.create_document(Name=name, DocumentType="Automation", Content=json.dumps(content))
        return name

    def begin(self, name: str = "doc", **parameters: list[str]) -> str:
        started = self.ssm.start_automation_execution(DocumentName=name, Parameters=parameters)
        return str(started["AutomationExecutionId"])

    def look(self, execution: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ssm.get_automation_execution(AutomationExecutionId=execution)[
            "AutomationExecution"
        ]
        return found

    def end(self, execution: str) -> dict[str, Any]:
        eventually(lambda: self.look(execution)["AutomationExecutionStatus"] in ENDED)
        return self.look(execution)

    def run(self, name: str = "doc", **parameters: list[str]) -> dict[str, Any]:
        return self.end(self.begin(name, **parameters))


def sleep(name: str = "rest", **more: Any) -> dict[str, Any]:
    return {"name": name, "action": "aws:sleep", "inputs": {"Duration": "PT1S"}, **more}


def broken(name: str = "fall", **more: Any) -> dict[str, Any]:
    """A step that fails: there is no such parameter."""
    inputs = {"Service": "ssm", "Api": "GetParameter", "Name": "/not/there"}
    return {"name": name, "action": "aws:executeAwsApi", "inputs": inputs} | more


def steps(execution: dict[str, Any]) -> dict[str, str]:
    return {step["StepName"]: step["StepStatus"] for step in execution["StepExecutions"]}
