"""Takes a way back: traffic to blue, a good release again on its own image, or a stage once more.

Afterwards the fleet's template version and the golden AMI parameter say what serves. Nothing here waits
without telling, and nothing takes the last healthy machine out of service.
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from gbg_lib.alarms_of_fleets import put_on
from gbg_lib.aws import Aws
from gbg_lib.deployment_group import Deployment, deployment
from gbg_lib.errors import AccessRefused, AwsError, GateRefused, GbgError, NotThere, ReleaseFailed
from gbg_lib.fleet import Fleet
from gbg_lib.gates.serving import require_serving
from gbg_lib.pipeline import DEPLOY, Action, Pipeline
from gbg_lib.release import Release
from gbg_lib.smoke import Answers, smoke
from gbg_lib.waiting import rounds
from gbg_lib.way_back.situation import Situation, read_situation
from gbg_lib.way_back.ways import Way, blue_fleet, running

ROLLBACK_SECONDS = 3600
NOT_BY_STAGE = ("PipelineExecutionOutdatedException", "UnableToRollbackStageException")
"""why CodePipeline would not run the stage of an execution again; CodeDeploy itself still can"""


@dataclass(frozen=True)
class Progress:
    step: str
    status: str
    """done | skipped | going on"""
    told: str


Follow = Callable[[str], Iterator[list[Action]]]
"""follows a pipeline execution to its end"""


class Beside(Protocol):
    """The gates of a deployment that no pipeline runs."""

    def look(self, found: Deployment) -> None:
        """At each look at it."""

    def finish(self) -> None:
        """After its end. Raises GateRefused."""


class Rollback:
    """`base` holds Part 1's outputs."""

    def __init__(
        self, aws: Aws, base: Mapping[str, str], pipeline: Pipeline, follow: Follow, beside: Beside
    ) -> None:
        self.aws = aws
        self.base = base
        self.pipeline = pipeline
        self._follow = follow
        self._beside = beside

    def take(self, way: Way) -> Iterator[Progress]:
        """Raises GateRefused when the way has been shut meanwhile, ReleaseFailed when it leads nowhere."""
        taken = {"blue": self._to_blue, "redeploy": self._redeploy, "retry": self._retry}
        if way.kind in taken:
            yield from taken[way.kind](way)
        yield from self.agree()

    def agree(self) -> Iterator[Progress]:
        """Put the fleet's template version and the golden AMI parameter on what its machines run.

        Alarms that are about a group which is gone are put on the fleet.
        """
        situation = self._read()
        fleet = situation.listed or situation.serving
        if fleet is None:
            raise NotThere("fleet", "no fleet is there", "runbook 07 shows what differs and mends it")
        version, image = running(fleet)
        if situation.versions.get(version) is None:
            raise NotThere(
                f"fleet {fleet.group}",
                f"its machines run version {version or 'of no template'}, which is not there",
                "write a version with their image, or release",
            )
        yield self._pin(fleet, version)
        yield self._name_image(situation, image)
        for moved in put_on(self.aws, situation, fleet.group):
            yield Progress("put alarms on the fleet", "done", moved)

    # -- traffic back to blue

    def _to_blue(self, way: Way) -> Iterator[Progress]:
        situation = self._read()
        green, blue = situation.going_on, None
        if green is not None:
            blue = blue_fleet(situation)
        if green is None or blue is None:
            raise GateRefused(
                f"way back: {way.means}", "the deployment or blue has ended meanwhile", "plan once more"
            )
        answers = smoke(self.aws, sorted(blue.ids))
        yield Progress("look at blue", "done", answers.told)
        self._require_blue(situation, blue, answers)
        self.aws.call("codedeploy", "stop_deployment", deploymentId=green.id, autoRollbackEnabled=True)
        yield Progress("stop the deployment", "done", green.id)
        stopped = yield from self._until_over(green.id, "the deployment's end")
        if stopped.rollback_id:
            back = yield from self._until_over(stopped.rollback_id, "traffic back to blue")
            self._require_succeeded(back, "blue's machines did not take the traffic")
        else:
            yield self._remove_green(situation, green.id)

    def _require_blue(self, situation: Situation, blue: Fleet, answers: Answers) -> None:
        """Where blue serves already nothing is at stake; else it has to answer before green is left."""
        if blue.serving or answers.ok:
            return
        serving = situation.serving
        what = f"none of blue's machines answers ({answers.told})"
        if serving is not None:
            what += f", and {serving.serving} of green's serve: no healthy instance would be left"
        raise GateRefused("way back: traffic back to blue", what, "redeploy the last good release instead")

    def _remove_green(self, situation: Situation, deployment_id: str) -> Progress:
        """Before a first release has succeeded CodeDeploy has nothing to roll back to, and leaves green."""
        name = situation.group.green(deployment_id)
        if self._read().fleet(name) is None:
            return Progress("remove green", "skipped", "there is no green fleet")
        require_serving(
            self.aws, situation.target_group, what=f"deleting the fleet {name}", without_groups=[name]
        )
        self.aws.call("autoscaling", "delete_auto_scaling_group", AutoScalingGroupName=name, ForceDelete=True)
        return Progress("remove green", "done", name)

    # -- the last good release again

    def _redeploy(self, way: Way) -> Iterator[Progress]:
        good, situation = way.release, self._read()
        fleet = situation.listed
        if good is None or fleet is None or situation.going_on is not None:
            raise GateRefused(f"way back: {way.means}", "something has changed meanwhile", "plan once more")
        try:
            yield from self._deploy(good, situation, fleet)
        except (ReleaseFailed, GateRefused):
            yield from self.agree()
            raise
        except (AwsError, AccessRefused, NotThere):
            if self._rests():
                yield from self.agree()
            raise

    def _deploy(self, good: Release, situation: Situation, fleet: Fleet) -> Iterator[Progress]:
        """By the pipeline where it still can, so that its history knows; else by CodeDeploy.

        The stage itself pins the fleet to the image of the release that it goes back to; CodeDeploy does not.
        """
        try:
            started = self.aws.call(
                "codepipeline",
                "rollback_stage",
                pipelineName=self.pipeline.name,
                stageName=DEPLOY,
                targetPipelineExecutionId=good.execution_id,
            )["pipelineExecutionId"]
        except AwsError as error:
            if not error.what.startswith(NOT_BY_STAGE):
                raise
            yield Progress("roll the stage back", "skipped", error.what)
            yield self._pin(fleet, self._version(situation, fleet, good))
            yield from self._deploy_revision(good)
            return
        yield Progress("roll the stage back", "done", f"execution {started} has begun")
        yield from self._to_the_end(started)

    def _deploy_revision(self, good: Release) -> Iterator[Progress]:
        revision = deployment(self.aws, good.deployment_id).revision
        if revision is None:
            raise NotThere(
                f"deployment {good.deployment_id}", "its revision is not in S3", "release the commit again"
            )
        made = self.aws.call(
            "codedeploy",
            "create_deployment",
            applicationName=self.base["ApplicationName"],
            deploymentGroupName=self.base["DeploymentGroupName"],
            revision=revision.location(),
            description=f"Back to release {good.execution_id}",
        )["deploymentId"]
        done = yield from self._until_over(made, "the deployment of the good release")
        self._beside.finish()
        self._require_succeeded(done, "the good release did not come up again")

    def _version(self, situation: Situation, fleet: Fleet, good: Release) -> str:
        """The number of a template version with the release's own image; written when there is none."""
        kept = situation.versions.get(good.template_version)
        if kept is not None and kept.image == good.image:
            return kept.number
        same = [one.number for one in situation.versions.values() if one.image == good.image]
        if same:
            return max(same, key=int)
        made = {"release": good.execution_id, "bake": good.automation_id, "group": fleet.group}
        answer = self.aws.call(
            "ec2",
            "create_launch_template_version",
            LaunchTemplateId=situation.template,
            SourceVersion=fleet.template_version,
            VersionDescription=json.dumps(made | {"former": fleet.template_version}, separators=(",", ":")),
            LaunchTemplateData={"ImageId": good.image},
        )
        return str(answer["LaunchTemplateVersion"]["VersionNumber"])

    # -- the stage once more

    def _retry(self, way: Way) -> Iterator[Progress]:
        """A failed release put the fleet back on its former version; stage Deploy begins by pinning it."""
        release = way.release
        assert release is not None
        failed = next(action for action in release.actions if action.status == "Failed")
        if self._read().listed is None:
            raise GateRefused(f"way back: {way.means}", "there is no fleet to copy", "runbook 07 mends it")
        self.aws.call(
            "codepipeline",
            "retry_stage_execution",
            pipelineName=self.pipeline.name,
            stageName=failed.stage,
            pipelineExecutionId=release.execution_id,
            retryMode="ALL_ACTIONS",
        )
        yield Progress(f"retry {failed.stage}", "done", f"execution {release.execution_id} goes on")
        try:
            yield from self._to_the_end(release.execution_id)
        except (ReleaseFailed, GateRefused):
            yield from self.agree()
            raise

    # -- what the ways share

    def _read(self) -> Situation:
        return read_situation(self.aws, self.base)

    def _rests(self) -> bool:
        """Whether nothing was begun, or all of it is over: what goes on needs the version that is pinned.

        Where AWS does not tell, something may go on.
        """
        try:
            return self._read().going_on is None and all(one.over for one in self.pipeline.executions())
        except GbgError:
            return False

    def _pin(self, fleet: Fleet, version: str) -> Progress:
        step = "pin the launch template"
        if fleet.template_version == version:
            return Progress(step, "skipped", f"{fleet.group} is on version {version} already")
        self.aws.call(
            "autoscaling",
            "update_auto_scaling_group",
            AutoScalingGroupName=fleet.group,
            LaunchTemplate={"LaunchTemplateId": fleet.template, "Version": version},
        )
        return Progress(step, "done", f"{fleet.group} from version {fleet.template_version} to {version}")

    def _name_image(self, situation: Situation, image: str) -> Progress:
        step = "name the golden AMI"
        if situation.golden_image == image:
            return Progress(step, "skipped", f"the parameter names {image} already")
        self.aws.call(
            "ssm",
            "put_parameter",
            Name=self.base["GoldenAmiParameterName"],
            Value=image,
            Type="String",
            Overwrite=True,
        )
        return Progress(step, "done", f"the parameter names {image}, no longer {situation.golden_image}")

    def _to_the_end(self, execution_id: str) -> Iterator[Progress]:
        """Raises ReleaseFailed."""
        for actions in self._follow(execution_id):
            last = actions[-1] if actions else None
            if last is not None:
                yield Progress("follow the pipeline", "going on", f"{last.stage}: {last.status}")
        execution = self.pipeline.execution(execution_id)
        if execution.status != "Succeeded":
            raise ReleaseFailed(
                f"way back, execution {execution_id[:8]}",
                f"it ended as {execution.status}",
                "run this again: the plan says what is open now",
            )
        yield Progress("follow the pipeline", "done", execution.status)

    def _until_over(self, deployment_id: str, step: str) -> Generator[Progress, None, Deployment]:
        """Returns the deployment as it ended. Raises TimedOut."""
        before = ""
        for _ in rounds(
            self.aws,
            limit_seconds=ROLLBACK_SECONDS,
            what=f"deployment {deployment_id}",
            try_this="its lifecycle events tell what it waits for",
        ):
            now = deployment(self.aws, deployment_id)
            self._beside.look(now)
            if now.status != before:
                before = now.status
                yield Progress(step, "done" if now.over else "going on", f"{deployment_id} is {now.status}")
            if now.over:
                return now
        raise AssertionError("rounds ends by TimedOut only")

    @staticmethod
    def _require_succeeded(ended: Deployment, what: str) -> None:
        if ended.status != "Succeeded":
            raise ReleaseFailed(
                f"deployment {ended.id}",
                f"{what}: it ended as {ended.status}; {ended.error or 'no error is told'}",
                "run this again: the plan says what is open now",
            )
