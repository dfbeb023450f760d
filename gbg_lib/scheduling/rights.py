"""What a scheduled job may do inside AWS: blueprint/jobs/rights.yaml, as policy documents.

A runbook that is no job of ours has none here: whoever schedules it says what it may do (`--policy`).
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from gbg_lib.blueprint import BLUEPRINT, TemplateLoader

FILE = BLUEPRINT / "jobs" / "rights.yaml"


def document(runbook: str) -> dict[str, Any] | None:
    """The policy for a job as a template has it, with a parameter `Deployment`; None for no job of ours."""
    told = _told()
    if runbook not in told["jobs"]:
        return None
    parts = told["jobs"][runbook]
    looks = sorted({action for part in parts for action in told["looks"].get(part, [])})
    statements = [one for part in parts for one in told["statements"].get(part, [])]
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": looks, "Resource": "*"}, *statements],
    }


def with_rights(template: str, runbook: str) -> str:
    """The jobs' template, its project's role with the rights of this job; as it was for no job of ours."""
    found = document(runbook)
    if found is None:
        return template
    made: dict[str, Any] = json.loads(template)
    made["Parameters"]["Deployment"] = {"Type": "String", "Description": "What the job works on"}
    role = made["Resources"]["ProjectRole"]["Properties"]
    role["Policies"].append({"PolicyName": "job", "PolicyDocument": found})
    return json.dumps(made, separators=(",", ":"))


def _told() -> dict[str, Any]:
    read: dict[str, Any] = yaml.load(FILE.read_text(), Loader=TemplateLoader)
    return read
