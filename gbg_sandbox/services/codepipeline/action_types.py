"""The action types that run here, with what their configuration may hold.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ActionType:
    category: str
    provider: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    inputs: tuple[int, int] = (0, 0)
    """least and most number of input artifacts"""
    outputs: tuple[int, int] = (0, 0)
    fixed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """configuration that runs with one value only: key → (value, AWS's default)"""


NO_POLLING = {"PollForSourceChanges": ("false", "true")}

TYPES = {
    (one.category, one.provider): one
    for one in (
        ActionType(
            "Source",
            "CodeCommit",
            ("RepositoryName", "BranchName"),
            ("PollForSourceChanges", "OutputArtifactFormat"),
            outputs=(1, 1),
            fixed={**NO_POLLING, "OutputArtifactFormat": ("CODE_ZIP", "CODE_ZIP")},
        ),
        ActionType(
            "Source",
            "S3",
            ("S3Bucket", "S3ObjectKey"),
            ("PollForSourceChanges",),
            outputs=(1, 1),
            fixed=NO_POLLING,
        ),
        *(
            ActionType(
                category,
                "CodeBuild",
                ("ProjectName",),
                ("PrimarySource", "EnvironmentVariables", "BatchEnabled", "CombineArtifacts"),
                inputs=(1, 5),
                outputs=(0, 5),
                fixed={"BatchEnabled": ("false", "false"), "CombineArtifacts": ("false", "false")},
            )
            for category in ("Build", "Test")
        ),
        ActionType("Invoke", "Lambda", ("FunctionName",), ("UserParameters",), inputs=(0, 5), outputs=(0, 5)),
        ActionType("Deploy", "CodeDeploy", ("ApplicationName", "DeploymentGroupName"), inputs=(1, 1)),
        ActionType("Approval", "Manual", (), ("NotificationArn", "CustomData", "ExternalEntityLink")),
    )
}


def find(type_id: Mapping[str, Any]) -> ActionType | None:
    if type_id["owner"] != "AWS" or type_id["version"] != "1":
        return None
    return TYPES.get((type_id["category"], type_id["provider"]))


def known() -> str:
    return ", ".join(f"{category}/{provider}" for category, provider in TYPES)
