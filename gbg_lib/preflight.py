"""Before anything is done: is this machine ready, is the cloud there, how far has the deployment come?"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from gbg_lib.checks import Check
from gbg_lib.errors import GbgError
from gbg_lib.fleet import read_page
from gbg_lib.steps import PipelineStack

LEAST_FREE_GIB = 3


def readiness(step: PipelineStack) -> list[Check]:
    """What a learner should know before the first runbook; nothing is changed, nothing is raised."""
    python = sys.version_info
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    return [
        Check("Python", python >= (3, 11), f"{python.major}.{python.minor}", "Python 3.11 or newer"),
        Check("disk", free >= LEAST_FREE_GIB, _free(free), f"{LEAST_FREE_GIB} GiB are needed"),
        _cloud(step),
        *(_stack(step, name, runbook) for name, runbook in _stacks(step)),
    ]


def _free(gib: float) -> str:
    return f"{LEAST_FREE_GIB} GiB or more are free" if gib >= LEAST_FREE_GIB else f"{gib:.1f} GiB are free"


def _stacks(step: PipelineStack) -> tuple[tuple[str, str], ...]:
    return ((step.base_stack, "01"), (step.pipeline_stack, "03"))


def _cloud(step: PipelineStack) -> Check:
    cloud = step.parameters.cloud
    try:
        return Check(cloud, True, f"account {step.aws.account()}, {step.aws.region}", "")
    except GbgError as error:
        return Check(cloud, False, error.what, error.try_this)


def _stack(step: PipelineStack, name: str, runbook: str) -> Check:
    try:
        status = step.stacks.status_or_none(name)
    except GbgError as error:
        return Check(name, False, error.what, error.try_this)
    if status is None:
        return Check(name, False, "not there yet", f"runbook {runbook}, which makes it", pending=True)
    if name == step.base_stack and status.endswith("_COMPLETE") and (url := step.base.get("SiteUrl")):
        return Check(name, True, f"{status}; its site answers {read_page(url).status}", "")
    return Check(name, not status.endswith("FAILED"), status, f"runbook {runbook} tells more")
