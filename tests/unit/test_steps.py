"""The runbooks' steps: planned from the live state, checked against it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gbg_lib import blueprint
from gbg_lib.aws import Aws
from gbg_lib.checks import Check, require
from gbg_lib.deployment_group import ALARMS
from gbg_lib.errors import CheckFailed, NotThere, ReleaseFailed, TimedOut
from gbg_lib.parameters import BASE, PIPELINE, Parameters
from gbg_lib.steps import BaseStack, PipelineStack, ReleaseRun, SeedRepository, template_parameters
from tests.unit.aws_fakes import connected
from tests.unit.bucket_fakes import FakeBucket
from tests.unit.group_fakes import FakeGroups
from tests.unit.release_fakes import (
    COMMIT,
    DEPLOYMENT,
    EXECUTION,
    GOOD,
    FakeCodeDeploy,
    FakeCodePipeline,
    FakeTrail,
)
from tests.unit.site import serving
from tests.unit.stack_fakes import FakeCloudFormation, FakeStack

GREEN = f"CodeDeploy_gbg-fleet_{DEPLOYMENT}"


class FakeAlarms:
    """`firing` looks find one that fires; each finds one period less in which a target was unhealthy."""

    def __init__(self) -> None:
        self.firing = 0
        self.unhealthy_periods = 0
        self.looks = 0

    def describe_alarms(self, **given: Any) -> dict[str, Any]:
        assert given == {"AlarmNames": [f"gbg-{name}" for name in ALARMS]}
        self.looks += 1
        self.firing -= 1
        state = "ALARM" if self.firing >= 0 else "OK"
        return {"MetricAlarms": [UNHEALTHY_HOSTS | {"StateValue": state}]}

    def get_metric_data(self, **given: Any) -> dict[str, Any]:
        [query] = given["MetricDataQueries"]
        assert query["MetricStat"]["Metric"]["MetricName"] == "UnHealthyHostCount"
        assert query["MetricStat"]["Stat"] == "Maximum"
        assert given["EndTime"] - given["StartTime"] == timedelta(minutes=6)
        unhealthy = self.unhealthy_periods
        self.unhealthy_periods -= 1
        return {"MetricDataResults": [{"Id": query["Id"], "Values": [2.0] * unhealthy + [0.0] * 3}]}


UNHEALTHY_HOSTS = {
    "AlarmName": "gbg-unhealthy-hosts",
    "Namespace": "AWS/ApplicationELB",
    "MetricName": "UnHealthyHostCount",
    "Dimensions": [{"Name": "TargetGroup", "Value": "targetgroup/gbg/1"}],
    "Statistic": "Maximum",
    "EvaluationPeriods": 5,
    "DatapointsToAlarm": 3,
    "Threshold": 1.0,
}


class Cloud:
    """A deployment after its first release: everything as it should be."""

    def __init__(self, site: str) -> None:
        base = {name: f"the-{name}" for name in json.loads(blueprint.template(3))["Parameters"]}
        base |= {"Deployment": "gbg", "SiteUrl": site, "TargetGroupArn": "arn:target-group"}
        self.stacks = FakeCloudFormation([])
        self.stacks.stacks["gbg-base"] = FakeStack("CREATE_COMPLETE", base)
        self.stacks.stacks["gbg-pipeline"] = FakeStack("CREATE_COMPLETE", {"PipelineName": "gbg-release"})
        self.pipeline = FakeCodePipeline(list(GOOD))
        self.groups = FakeGroups({GREEN: ["i-2", "i-3"]}, {"i-2": "healthy", "i-3": "healthy"})
        self.groups.golden = ["ami-1"]
        self.deploy = FakeCodeDeploy([])
        self.bucket = FakeBucket()
        self.alarms = FakeAlarms()

    def connect(self) -> Aws:
        return connected(
            cloudformation=self.stacks,
            codepipeline=self.pipeline,
            codedeploy=self.deploy,
            autoscaling=self.groups,
            ec2=self.groups,
            elbv2=self.groups,
            s3=self.bucket,
            cloudtrail=FakeTrail(),
            cloudwatch=self.alarms,
        )


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with serving({"/": "<h1>hello</h1>", "/health": json.dumps({"commit": COMMIT})}) as site:
        yield Cloud(site)


@pytest.mark.parametrize(("part", "runbook"), [(1, BASE), (3, PIPELINE)])
def test_every_value_for_a_template_is_one_of_its_parameters(part: int, runbook: str) -> None:
    taken = template_parameters(Parameters(), runbook)
    assert set(taken) <= set(json.loads(blueprint.template(part))["Parameters"])


def test_the_fleet_may_grow_to_twice_its_size() -> None:
    taken = template_parameters(Parameters(instance_count=3), BASE)
    assert [taken[name] for name in ("FleetSize", "FleetMinSize", "FleetMaxSize")] == ["3", "3", "6"]


def test_a_first_plan_creates_the_base_stack(cloud: Cloud) -> None:
    del cloud.stacks.stacks["gbg-base"]
    plan = BaseStack(Parameters(), cloud.connect()).plan()
    assert (plan.stack, plan.action) == ("gbg-base", "create")
    assert cloud.stacks.asked["gbg-base"]["Deployment"] == "gbg"


def test_a_base_stack_is_checked_by_what_it_serves(cloud: Cloud) -> None:
    checks = BaseStack(Parameters(), cloud.connect()).check()
    assert [(check.name, check.passed) for check in checks] == [
        ("stack", True),
        ("fleet", True),
        ("page", True),
    ]


def test_a_stack_that_was_rolled_back_fails_the_check(cloud: Cloud) -> None:
    cloud.stacks.stacks["gbg-base"].status = "ROLLBACK_COMPLETE"
    with pytest.raises(CheckFailed, match="check: stack: ROLLBACK_COMPLETE"):
        BaseStack(Parameters(), cloud.connect()).check()


def test_a_fleet_that_never_gets_healthy_is_given_up(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.groups.health["i-3"] = "unhealthy"
    with pytest.raises(TimedOut, match="the first fleet"):
        BaseStack(Parameters(), cloud.connect()).check(limit_seconds=0)


def test_an_alarm_that_saw_the_first_fleet_start_is_waited_out(cloud: Cloud) -> None:
    cloud.alarms.firing = 2
    assert all(check.passed for check in BaseStack(Parameters(), cloud.connect()).check())
    assert cloud.alarms.firing < 0


def test_an_alarm_that_is_about_to_fire_is_waited_out(cloud: Cloud) -> None:
    """The fleet is healthy, and the alarm has not yet looked at the three periods in which it was not."""
    cloud.alarms.unhealthy_periods = 4
    assert all(check.passed for check in BaseStack(Parameters(), cloud.connect()).check())
    assert cloud.alarms.looks == len(["4 of 3", "3 of 3", "2 of 3"])


def test_an_alarm_that_goes_on_firing_is_told(cloud: Cloud) -> None:
    cloud.alarms.firing = 1
    with pytest.raises(TimedOut, match="the end of an alarm"):
        BaseStack(Parameters(), cloud.connect()).check(limit_seconds=0)


def test_part_1s_alarms_are_those_that_are_waited_for() -> None:
    resources = json.loads(blueprint.template(1))["Resources"].values()
    named = [one["Properties"]["AlarmName"] for one in resources if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert sorted(str(name) for name in named) == sorted(
        str({"Fn::Sub": f"${{Deployment}}-{name}"}) for name in ALARMS
    )


def test_part_3_takes_part_1s_outputs_by_itself(cloud: Cloud) -> None:
    del cloud.stacks.stacks["gbg-pipeline"]
    step = PipelineStack(Parameters(), cloud.connect())
    assert step.plan().action == "create"
    assert cloud.stacks.asked["gbg-pipeline"]["RepositoryName"] == "the-RepositoryName"
    assert cloud.stacks.asked["gbg-pipeline"]["Deployment"] == "gbg"


def test_part_3_without_part_1_says_what_to_run_first(cloud: Cloud) -> None:
    cloud.stacks.stacks.clear()
    with pytest.raises(NotThere, match="gbg-base") as missing:
        PipelineStack(Parameters(), cloud.connect()).plan()
    assert "runbook before" in missing.value.try_this


@pytest.mark.parametrize("status", ["REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE"])
@pytest.mark.parametrize(
    ("stack", "begin", "first"),
    [
        ("gbg-base", lambda aws: SeedRepository(Parameters(), aws).plan(), "runbook 01 to its end"),
        ("gbg-pipeline", lambda aws: ReleaseRun(Parameters(), aws).choose(), "runbook 03 to its end"),
    ],
)
def test_a_part_that_was_only_planned_says_what_to_run_first(
    cloud: Cloud, stack: str, begin: Callable[[Aws], object], first: str, status: str
) -> None:
    cloud.stacks.stacks[stack] = FakeStack(status, {})
    with pytest.raises(NotThere, match=f"it is in {status}") as missing:
        begin(cloud.connect())
    assert first in missing.value.try_this


def test_a_pipeline_is_looked_for_only_where_part_3_was_made(cloud: Cloud) -> None:
    step = BaseStack(Parameters(), cloud.connect())
    found = step.find_pipeline()
    assert found is not None and found.name == "gbg-release"
    for status in ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"):
        cloud.stacks.stacks["gbg-pipeline"] = FakeStack(status, {})
        assert step.find_pipeline() is None
    cloud.stacks.stacks["gbg-pipeline"] = FakeStack("CREATE_IN_PROGRESS", {})
    with pytest.raises(NotThere, match="no outputs yet"):
        step.find_pipeline()
    del cloud.stacks.stacks["gbg-pipeline"]
    assert step.find_pipeline() is None


class TestChoosingARelease:
    def test_the_one_that_is_asked_for(self, cloud: Cloud) -> None:
        step = ReleaseRun(Parameters(execution_id="e"), cloud.connect())
        assert step.choose() == ("e", "asked for by its id")

    @pytest.mark.parametrize(
        ("status", "words"), [("Succeeded", "it is over (Succeeded)"), ("InProgress", "it is going on")]
    )
    def test_the_newest(self, cloud: Cloud, status: str, words: str) -> None:
        cloud.pipeline.status = status
        chosen, why = ReleaseRun(Parameters(), cloud.connect()).choose()
        assert chosen == EXECUTION and words in why
        assert cloud.pipeline.started == 0


class TestCheckingARelease:
    def test_a_good_one_passes(self, cloud: Cloud) -> None:
        checks = ReleaseRun(Parameters(), cloud.connect()).check()
        assert [check.name for check in checks] == ["release", "site", "one fleet", "golden AMI"]

    def test_a_site_with_another_commit(self, cloud: Cloud) -> None:
        cloud.pipeline.actions = list(GOOD)
        with serving({"/health": '{"commit": "0000000011111111"}'}) as other:
            cloud.stacks.stacks["gbg-base"].outputs["SiteUrl"] = other
            with pytest.raises(CheckFailed, match=r"check: site.*commit 00000000"):
                ReleaseRun(Parameters(), cloud.connect()).check()

    def test_blue_that_still_serves(self, cloud: Cloud) -> None:
        cloud.groups.groups["gbg-blue"] = ["i-1"]
        cloud.groups.health["i-1"] = "healthy"
        with pytest.raises(CheckFailed, match=r"check: one fleet: CodeDeploy_.*, gbg-blue"):
            ReleaseRun(Parameters(), cloud.connect()).check()

    def test_a_fleet_on_another_image(self, cloud: Cloud) -> None:
        cloud.groups.image = "ami-source"
        with pytest.raises(CheckFailed, match="check: golden AMI: the fleet runs ami-source"):
            ReleaseRun(Parameters(), cloud.connect()).check()

    def test_a_failed_one(self, cloud: Cloud) -> None:
        cloud.pipeline.status = "Stopped"
        with pytest.raises(ReleaseFailed, match="Stopped"):
            ReleaseRun(Parameters(), cloud.connect()).check()


def test_checks_end_with_the_first_that_differs() -> None:
    good = Check("a", True, "fine", "")
    assert require(iter([good])) == [good]
    with pytest.raises(CheckFailed) as failed:
        require([good, Check("b", False, "none", "look"), Check("c", False, "none", "")])
    assert (failed.value.where, failed.value.what, failed.value.try_this) == ("check: b", "none", "look")


def test_the_sample_application_can_be_seeded() -> None:
    assert (Path(blueprint.APPLICATION) / "appspec.yml").is_file()
