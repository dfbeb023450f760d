"""What each action type does."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gbg_sandbox.services.codepipeline.actions.approval import approve
from gbg_sandbox.services.codepipeline.actions.build import build
from gbg_sandbox.services.codepipeline.actions.context import (
    ActionAbandoned,
    ActionContext,
    ActionFailed,
)
from gbg_sandbox.services.codepipeline.actions.deploy import deploy
from gbg_sandbox.services.codepipeline.actions.invoke import invoke
from gbg_sandbox.services.codepipeline.actions.source import codecommit_source, s3_source

__all__ = ["PERFORM", "ActionAbandoned", "ActionContext", "ActionFailed"]

PERFORM: Mapping[tuple[str, str], Callable[[ActionContext], None]] = {
    ("Source", "CodeCommit"): codecommit_source,
    ("Source", "S3"): s3_source,
    ("Build", "CodeBuild"): build,
    ("Test", "CodeBuild"): build,
    ("Invoke", "Lambda"): invoke,
    ("Deploy", "CodeDeploy"): deploy,
    ("Approval", "Manual"): approve,
}
"""(category, provider) → what it does; raises ActionFailed, ActionAbandoned or botocore's ClientError"""
