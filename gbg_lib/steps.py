"""The four steps that the runbooks take: each plans from the live state, applies, and checks what it made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from gbg_lib import blueprint
from gbg_lib.alarms import quiet
from gbg_lib.aws import Aws, open_aws
from gbg_lib.checks import Check, require
from gbg_lib.diagnosis import require_succeeded
from gbg_lib.errors import GateRefused, NotThere
from gbg_lib.fleet import Fleet, Page, fleets, read_page
from gbg_lib.gates.before_bake import BeforeBake
from gbg_lib.gates.gate import Gate, Judgement, Person, answering, judge, require_open
from gbg_lib.gates.release_gates import ReleaseGates
from gbg_lib.images import golden_images
from gbg_lib.parameters import BASE, PIPELINE, Parameters, names_for
from gbg_lib.pipeline import STAGES, Action, Pipeline
from gbg_lib.release import Release, read_release
from gbg_lib.release_lock import ReleaseLock
from gbg_lib.repository import Commit, Repository, SeedPlan
from gbg_lib.runner import journal
from gbg_lib.stacks import PLANNED, STABLE, UNMADE, StackEvent, StackPlan, Stacks
from gbg_lib.waiting import wait_until

NOT_FOR_TEMPLATES = frozenset({"cloud", "region", "profile", "explain", "acknowledged"})
TAKEN_OVER = ("FleetGroupName", "FleetTemplateVersion", "FleetImageId")
"""parameters of Part 1 that the repair sets: which fleet of a release is the stack's own"""
HEALTHY_SECONDS = 600
ROOT = Path(__file__).resolve().parent.parent


class Step:
    """What every step has: its parameters, the door, and what the stacks tell."""

    def __init__(self, parameters: Parameters, aws: Aws | None = None) -> None:
        self.parameters = parameters
        self.aws = aws or open_aws(parameters)
        self.stacks = Stacks(self.aws)

    @property
    def base_stack(self) -> str:
        return f"{self.parameters.deployment}-base"

    @property
    def pipeline_stack(self) -> str:
        return f"{self.parameters.deployment}-pipeline"

    @cached_property
    def base(self) -> dict[str, str]:
        """Part 1's outputs. Raises NotThere when there is no Part 1 yet, or none that was made to its end."""
        return self._outputs(self.base_stack, BASE)

    def _outputs(self, stack: str, runbook: str) -> dict[str, str]:
        found = self.stacks.outputs(stack)
        if not found:
            raise NotThere(
                f"stack {stack}",
                f"it is in {self.stacks.status(stack)}, and has no outputs yet",
                f"run runbook {runbook} to its end, then go on here",
            )
        return found

    def find_pipeline(self) -> Pipeline | None:
        """None where there is no Part 3. Raises NotThere while it is being made."""
        made = self.stacks.status_or_none(self.pipeline_stack) not in UNMADE
        return self._pipeline() if made else None

    def _pipeline(self) -> Pipeline:
        return Pipeline(self.aws, self._outputs(self.pipeline_stack, PIPELINE)["PipelineName"])

    @cached_property
    def repository(self) -> Repository:
        return Repository(
            self.aws, self.base["RepositoryName"], self.base["RepositoryCloneUrlHttp"], self.parameters.branch
        )

    @property
    def tags(self) -> dict[str, str]:
        return {"gbg:deployment": self.parameters.deployment}

    def seen(self) -> dict[str, str]:
        """What the step's result stands on, as AWS tells it now: name → state. Empty where nothing can tell.

        Recorded when the checks pass, and looked at again before a resumed run skips the step.
        """
        return {}

    def passed(self, checks: Iterable[Check]) -> list[Check]:
        """The checks, when all passed; in a run, what was seen is recorded. Raises CheckFailed."""
        checks = require(checks)
        if journal.kept():
            name = f"{type(self).__module__}:{type(self).__qualname__}"
            journal.tell(journal.EVIDENCE, step=name, seen=self.seen())
        return checks

    def hold(self, doing: str) -> str:
        """Take the pipeline's lock, and keep it until `let_go` or this process' end; why it could be taken.

        Raises Locked with the holder's name. Nothing while a run only explains.
        """
        if self.aws.explains:
            return "nothing is done, so nothing is locked"
        try:
            return self.lock.take(doing)
        except NotThere:
            return "there is no pipeline to lock"

    def let_go(self) -> None:
        if "lock" in vars(self):  # a lock that was never looked for is not held
            self.lock.let_go()

    @cached_property
    def lock(self) -> ReleaseLock:
        """Raises NotThere where `base` does, and where the stack's outputs name no bucket to keep it in."""
        if "ArtifactBucketName" not in self.base:
            raise NotThere(f"stack {self.base_stack}", "its outputs name no bucket", "read its events")
        return ReleaseLock(self.aws, self.base["ArtifactBucketName"])

    def fleets(self) -> list[Fleet]:
        return fleets(self.aws, self.parameters.deployment, self.base["TargetGroupArn"])

    def page(self) -> Page:
        return read_page(self.base["SiteUrl"])


class BaseStack(Step):
    """Runbook 01: network, load balancer, first fleet, and the parts for baking and releasing."""

    def plan(self) -> StackPlan:
        """What a repair has set stays as it is."""
        there = self.stacks.status_or_none(self.base_stack) not in (None, PLANNED)
        given = self.stacks.parameters(self.base_stack) if there else {}
        kept = {name: given[name] for name in TAKEN_OVER if name in given}
        values = template_parameters(self.parameters, BASE) | kept
        return self.stacks.plan(self.base_stack, blueprint.template(1), values, self.tags)

    def apply(self, plan: StackPlan) -> Iterator[StackEvent]:
        return self.stacks.apply(plan)

    def check(self, limit_seconds: float = HEALTHY_SECONDS) -> list[Check]:
        """Waits until the fleet is healthy, and over what alarms saw of its start.

        Raises CheckFailed, TimedOut.
        """
        wait_until(
            self.aws,
            lambda: True if self._all_healthy() else None,
            limit_seconds=limit_seconds,
            what="the first fleet",
            try_this="the console output of its instances tells how far their start came",
        )
        wait_until(
            self.aws,
            lambda: quiet(self.aws, self.parameters.deployment) or None,
            limit_seconds=limit_seconds,
            what="the end of an alarm",
            try_this="`aws cloudwatch describe-alarms --state-value ALARM` tells which it is, and why",
        )
        page, found = self.page(), self.fleets()
        serving = sum(fleet.serving for fleet in found)
        starting = any(one.target_health == "initial" for fleet in found for one in fleet.instances)
        return self.passed(
            [
                stack_check(self.stacks.status(self.base_stack)),
                Check("fleet", serving >= 1, f"{serving} instances serve", "target health", starting),
                Check(
                    "page",
                    page.status == 200,
                    f"{page.url} answers {page.status}",
                    "target health",
                    starting and not serving,
                ),
            ]
        )

    def seen(self) -> dict[str, str]:
        """Which fleet it is that serves is the releases' business."""
        serves = any(fleet.serving for fleet in self.fleets())
        return {
            f"stack {self.base_stack}": self.stacks.seen(self.base_stack),
            "a fleet": "serves" if serves else "none serves",
        }

    def _all_healthy(self) -> bool:
        found = self.fleets()
        return bool(found) and all(fleet.serving == fleet.desired for fleet in found)


class SeedRepository(Step):
    """Runbook 02: the application becomes the repository's first commit; a new headline a later one."""

    @property
    def folder(self) -> Path:
        return (ROOT / (self.parameters.application_folder or blueprint.APPLICATION)).resolve()

    def plan(self) -> SeedPlan:
        plan, headline = self.repository.plan_seed(self.folder), self.parameters.headline.strip()
        return self.repository.plan_headline(plan, self.folder, headline) if headline else plan

    def apply(self, plan: SeedPlan) -> Commit | None:
        """The commit on the branch afterwards."""
        if plan.action == "nothing":
            return self.repository.head()
        commit = None
        if plan.action == "push":
            commit = self.repository.seed(plan, self.folder, "Add the sample application")
        return self.repository.give_headline(plan.headline) if plan.headline else commit

    def seen(self) -> dict[str, str]:
        head = self.repository.head()
        return {f"branch {self.parameters.branch}": head.id if head else "no commit"}

    def check(self) -> list[Check]:
        head = self.repository.head()
        return self.passed(
            [
                Check(
                    "branch",
                    head is not None,
                    f"{self.parameters.branch} is at {head.id[:8]}" if head else "it has no commit",
                    "the plan above; the cell below it pushes",
                    pending=True,
                )
            ]
        )


class PipelineStack(Step):
    """Runbook 03: the pipeline that every later push sets in motion. Takes Part 1's outputs by itself."""

    def plan(self) -> StackPlan:
        template = blueprint.template(3)
        values = template_parameters(self.parameters, PIPELINE) | self.base
        taken = {name: values[name] for name in json.loads(template)["Parameters"] if name in values}
        return self.stacks.plan(self.pipeline_stack, template, taken, self.tags)

    def apply(self, plan: StackPlan) -> Iterator[StackEvent]:
        return self.stacks.apply(plan)

    @cached_property
    def parts(self) -> dict[str, str]:
        """Part 3's outputs. Raises NotThere when there is no Part 3 yet, or none that was made to its end."""
        return self._outputs(self.pipeline_stack, PIPELINE)

    @property
    def pipeline(self) -> Pipeline:
        """Raises what `parts` does."""
        return self._pipeline()

    def seen(self) -> dict[str, str]:
        return {f"stack {self.pipeline_stack}": self.stacks.seen(self.pipeline_stack)}

    def check(self) -> list[Check]:
        stages = self.aws.call("codepipeline", "get_pipeline", name=self.pipeline.name)["pipeline"]["stages"]
        names = [stage["name"] for stage in stages]
        return self.passed(
            [
                stack_check(self.stacks.status(self.pipeline_stack)),
                Check(
                    "stages",
                    names == list(STAGES),
                    " → ".join(names),
                    "compare the pipeline with the template",
                ),
            ]
        )


class ReleaseRun(PipelineStack):
    """Runbook 04: one release followed from push to terminated blue fleet, through its gates."""

    def __init__(self, parameters: Parameters, aws: Aws | None = None, person: Person | None = None) -> None:
        super().__init__(parameters, aws)
        self.person = person or answering(parameters.decision)

    def before_bake(self, execution_id: str = "") -> list[Judgement]:
        """What the gates before the bake say, of a release to come or of one that has begun."""
        return [judge(self.aws, gate) for gate in self.gates_before_bake(execution_id)]

    def gates_before_bake(self, execution_id: str = "") -> list[Gate]:
        stacks = (self.base_stack, self.pipeline_stack)
        before = BeforeBake(self.aws, self.base, self.pipeline, stacks, execution_id)
        return before.gates(self.parameters.gate_minutes * 60)

    def let_begin(self, execution_id: str) -> list[Judgement]:
        """The gates before the bake, for a release that a push may have started already.

        Raises GateRefused when one is shut and the image isn't baked yet; the release is stopped then.
        """
        judgements = self.before_bake(execution_id)
        release = self.release(execution_id)
        if release.status != "InProgress" or release.image:
            return judgements
        try:
            return require_open(judgements, self.person)
        except GateRefused as refusal:
            self.pipeline.stop(execution_id, str(refusal.what))
            raise

    def begin(self, what: str, commit: str = "") -> str:
        """A new execution's id. Raises GateRefused when a gate before the bake is shut, Locked."""
        require_open(self.before_bake(), self.person)
        self.hold(what)
        with self.let_go_unless_begun():
            return self.pipeline.start(commit)

    @contextmanager
    def let_go_unless_begun(self) -> Iterator[None]:
        """Whoever follows the release lets go at its end; of one that did not begin nobody would."""
        try:
            yield
        except BaseException:
            self.let_go()
            raise

    def choose(self) -> tuple[str, str]:
        """The execution to follow and why that one; starts the first when there is none. Raises Locked."""
        if self.parameters.execution_id:
            return self.parameters.execution_id, "asked for by its id"
        executions = self.pipeline.executions()
        if not executions:
            return self.begin("the first release"), "there was none, so one was started"
        newest = executions[0]
        if newest.over:
            return newest.id, f"the newest; it is over ({newest.status})"
        return newest.id, "the newest; it is going on"

    def follow(self, execution_id: str) -> Iterator[list[Action]]:
        """All actions each time one changed. A lock that starting it took is let go at its end.

        Raises GateRefused, after the end, when a gate of the release stayed shut.
        """
        try:
            yield from self.through_gates(execution_id)
        finally:
            self.let_go()

    def through_gates(self, execution_id: str) -> Iterator[list[Action]]:
        gates = self.gates(lambda: self.release(execution_id))
        limit = self.parameters.release_minutes * 60
        yield from self.pipeline.follow(execution_id, limit_seconds=limit, beside=gates.beside)
        gates.finish()

    def gates(self, release: Callable[[], Release]) -> ReleaseGates:
        def wanted() -> dict[str, str]:
            found = release()
            return {"commit": found.commit, "image": found.image}

        return ReleaseGates(self.aws, self.base, self.parameters, self.person, wanted)

    def seen(self) -> dict[str, str]:
        newest = next(iter(self.pipeline.executions()), None)
        serving = [fleet for fleet in self.fleets() if fleet.serving]
        return {
            "newest release": f"{newest.id} of {newest.commit}: {newest.status}" if newest else "none",
            "fleet that serves": ", ".join(fleet.group for fleet in serving) or "none",
        }

    def release(self, execution_id: str) -> Release:
        return read_release(self.pipeline, execution_id)

    def check(self, execution_id: str = "") -> list[Check]:
        """Raises ReleaseFailed, CheckFailed."""
        release = self.release(execution_id or self.choose()[0])
        if release.status == "InProgress":
            found = f"{release.execution_id[:8]} is going on"
            return require([Check("release", False, found, "the live view above", pending=True)])
        require_succeeded(self.aws, release)
        health = read_page(self.base["SiteUrl"] + "health")
        serving = [fleet for fleet in self.fleets() if fleet.serving]
        images = {instance.image for fleet in serving for instance in fleet.instances}
        newest = golden_images(self.aws, self.parameters.deployment)
        return self.passed(
            [
                Check("release", True, release.status, ""),
                Check(
                    "site",
                    health.facts.get("commit", "") == release.commit,
                    f"{health.url} answers {health.status} with commit {health.facts.get('commit', '?')[:8]}",
                    "look at target health and at the deployment's lifecycle events",
                ),
                Check(
                    "one fleet",
                    len(serving) == 1 and serving[0].group.endswith(release.deployment_id),
                    ", ".join(fleet.group for fleet in serving) or "no fleet serves",
                    "target health: blue is terminated some minutes after green has the traffic",
                    pending=len(serving) > 1,
                ),
                Check(
                    "golden AMI",
                    images == {release.image} and any(image.id == release.image for image in newest),
                    f"the fleet runs {', '.join(sorted(images))}",
                    "compare the group's launch template version with the release's",
                ),
            ]
        )


def stack_check(status: str) -> Check:
    """A stack that is at work may still come right; one that failed does not."""
    return Check("stack", status in STABLE, status, "the stack's events", status.endswith("_IN_PROGRESS"))


def template_parameters(parameters: Parameters, runbook: str) -> dict[str, str]:
    """The values that a runbook's template takes, under the template's names (`vpc_cidr` → `VpcCidr`)."""
    values = {
        "".join(word.title() for word in name.split("_")): str(getattr(parameters, name))
        for name in names_for(runbook)
        if name not in NOT_FOR_TEMPLATES
    }
    if runbook == BASE:
        count = int(values.pop("InstanceCount"))
        values |= {"FleetSize": str(count), "FleetMinSize": str(count), "FleetMaxSize": str(2 * count)}
    return values
