"""A sandbox process of the tests' own, and deployments in it, driven by the steps that the runbooks take."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gbg_lib.aws import Aws, open_aws
from gbg_lib.diagnosis import require_succeeded
from gbg_lib.errors import StackFailed
from gbg_lib.parameters import Parameters
from gbg_lib.release import Release
from gbg_lib.repository import Commit
from gbg_lib.steps import BaseStack, PipelineStack, ReleaseRun, SeedRepository
from gbg_lib.waiting import wait_until
from gbg_sandbox.home import Home
from tests.command import clean_environment
from tests.sandbox.processes import below, outliving

SHELL_SECONDS = 600


class World:
    """One sandbox that is up. `folder` is its GBG_HOME."""

    def __init__(self, folder: Path, kind: str | None) -> None:
        self.home = Home(folder)
        self.running = self.home.up(kind=kind)
        with _home(folder):
            self.aws = open_aws(Parameters())

    def close(self) -> None:
        """Fails when a process outlives the sandbox."""
        family = below(self.running.pid)
        self.home.down()
        assert outliving(family) == set()

    def deployment(self, **parameters: Any) -> Deployment:
        """Without the watch after traffic, whose own visits would be counted among the visitors'."""
        return Deployment(self.aws, Parameters(**{"watch_minutes": 0} | parameters))

    def shell(self, script: str, *, cwd: Path | None = None, status: int = 0) -> str:
        """What a script tells in a shell after `eval "$(gbg env)"`. Fails unless it ends with `status`."""
        exports = f'exports=$({shlex.quote(sys.executable)} -m gbg_cli env) && eval "$exports"'
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{exports}\n{script}"],
            cwd=cwd or self.home.folder,
            env=clean_environment(GBG_HOME=str(self.home.folder)),
            capture_output=True,
            text=True,
            timeout=SHELL_SECONDS,
            check=False,
        )
        assert done.returncode == status, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout + (done.stderr if status else "")


class Deployment:
    """Stacks, repository and releases under one deployment name."""

    def __init__(self, aws: Aws, parameters: Parameters) -> None:
        self.aws = aws
        self.name = parameters.deployment
        self.releases: list[Release] = []
        """those that succeeded, oldest first"""
        self._take(parameters)

    def change(self, **parameters: Any) -> None:
        """Other parameters from now on; the stacks have yet to follow."""
        self._take(self.parameters.model_copy(update=parameters))

    def _take(self, parameters: Parameters) -> None:
        aws = self.aws
        self.parameters = parameters
        self.base = BaseStack(parameters, aws)
        self.seed = SeedRepository(parameters, aws)
        self.pipeline_stack = PipelineStack(parameters, aws)
        self.run = ReleaseRun(parameters, aws)

    @property
    def serving(self) -> Release:
        return self.releases[-1]

    @property
    def group(self) -> dict[str, Any]:
        """The Auto Scaling group that serves, as AWS tells it."""
        name = f"CodeDeploy_{self.name}-fleet_{self.serving.deployment_id}"
        [found] = self.aws.call("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[name])[
            "AutoScalingGroups"
        ]
        return dict(found)

    def make_base(self) -> None:
        exhaust(self.base.apply(self.base.plan()))
        self.base.check()

    def make_pipeline(self) -> None:
        self.seed.apply(self.seed.plan())
        exhaust(self.pipeline_stack.apply(self.pipeline_stack.plan()))
        self.pipeline_stack.check()

    def follow(self, execution_id: str) -> Release:
        """The release when it is over, however it ended."""
        exhaust(self.run.follow(execution_id))
        return self.run.release(execution_id)

    def succeed(self, execution_id: str) -> Release:
        """Follow a release to its good end. Raises ReleaseFailed."""
        release = require_succeeded(self.aws, self.follow(execution_id))
        self.run.check(execution_id)
        self.releases.append(release)
        return release

    def push(self, edit: Callable[[Path], None], message: str) -> Commit:
        return self.seed.repository.change(edit, message)

    def release_of(self, commit: str) -> str:
        """The pipeline execution that pushing this commit started."""
        return self.run.pipeline.execution_for(commit).id

    def delete_stack(self, stack: str) -> None:
        """Raises StackFailed when something stays."""
        stack_id = self.aws.call("cloudformation", "describe_stacks", StackName=stack)["Stacks"][0]["StackId"]
        self.aws.call("cloudformation", "delete_stack", StackName=stack_id)
        stacks = self.base.stacks
        self.until(
            lambda: stacks.status(stack_id) in ("DELETE_COMPLETE", "DELETE_FAILED"), f"the end of {stack}"
        )
        if stacks.status(stack_id) == "DELETE_FAILED":
            events = self.aws.call("cloudformation", "describe_stack_events", StackName=stack_id)
            kept = [
                f"{one['LogicalResourceId']}: {one['ResourceStatusReason']}"
                for one in events["StackEvents"]
                if one["ResourceStatus"] == "DELETE_FAILED" and one["PhysicalResourceId"] != stack_id
            ]
            raise StackFailed(stack, f"it ended in DELETE_FAILED; {'; '.join(kept)}", "empty it first")

    def until(self, true: Callable[[], object], what: str, *, limit_seconds: float = 300) -> None:
        """Raises TimedOut."""
        wait_until(
            self.aws,
            lambda: True if true() else None,
            limit_seconds=limit_seconds,
            what=what,
            try_this="read the sandbox's log",
        )


def exhaust(events: Iterable[object]) -> None:
    for _ in events:
        pass


@contextmanager
def _home(folder: Path) -> Iterator[None]:
    """GBG_HOME, for as long as a door is being opened."""
    former = os.environ.get("GBG_HOME")
    os.environ["GBG_HOME"] = str(folder)
    try:
        yield
    finally:
        if former is None:
            del os.environ["GBG_HOME"]
        else:
            os.environ["GBG_HOME"] = former
