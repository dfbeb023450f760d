"""The repair's decisions and templates."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cfnlint.api import lint

from gbg_lib.blueprint import BODY_LIMIT, template
from gbg_lib.blueprint.part1.deployment_group import settings
from gbg_lib.deployment_group import green_group, is_fleet
from gbg_lib.errors import CheckFailed, GateRefused
from gbg_lib.images.usage import TemplateVersion, Usage
from gbg_lib.jobs.drift_report import DriftReport, Report
from gbg_lib.mending.drift import UNFINISHED, Believed, Drift, Serving, dead_alarms, fleet_drift
from gbg_lib.mending.orphans import Orphan, Scene, _builders, _versions
from gbg_lib.mending.repair import Repair, let_go, stages_of, with_fleet
from gbg_lib.mending.settings import (
    ALARMS,
    EVENTS,
    GroupSettings,
    golden_ami_drift,
    group_drift,
    live_settings,
)
from gbg_lib.parameters import Parameters
from gbg_lib.views import drift_table, orphans_table, swept_table
from tests.unit.aws_fakes import connected, refusal
from tests.unit.bucket_fakes import FakeBucket

GREEN, DEAD = "CodeDeploy_gbg-fleet_d-2", "CodeDeploy_gbg-fleet_d-1"
ARN = "arn:aws:autoscaling:us-east-1:1:scalingPolicy:1:autoScalingGroupName/{}:policyName/cpu"
WHOLE = json.loads(template(1))
SERVING = Serving(GREEN, "4", "ami-4", 3, (ARN.format(GREEN),))
OWN = Believed(GREEN, True, ARN.format(GREEN), "4", "ami-4", False)
FIRST = Believed("gbg-blue", True, ARN.format("gbg-blue"), "", "", False)
GONE = Believed(DEAD, False, ARN.format(DEAD), "3", "ami-3", False)
NOTHING = Believed("", False, "", "3", "ami-3", True)


def without(value: Any, *names: str) -> Iterator[str]:
    """Places that still refer to one of the logical ids."""
    if isinstance(value, dict):
        for key, item in value.items():
            named = item if isinstance(item, list) else [item]
            if key in ("Ref", "Fn::GetAtt", "DependsOn") and any(one in names for one in named):
                yield f"{key} {item}"
            yield from without(item, *names)
    elif isinstance(value, list):
        for item in value:
            yield from without(item, *names)


@pytest.mark.parametrize(
    ("believed", "status", "stages"),
    [
        (OWN, "UPDATE_COMPLETE", ()),
        (OWN, "UPDATE_ROLLBACK_FAILED", ("continue the rollback", "catch up")),
        (replace(OWN, unfinished=True), "IMPORT_COMPLETE", ("catch up",)),
        (GONE, "UPDATE_COMPLETE", ("let go", "import", "catch up")),
        (GONE, "UPDATE_ROLLBACK_FAILED", ("continue the rollback", "let go", "import", "catch up")),
        (NOTHING, "UPDATE_COMPLETE", ("import", "catch up")),
        (NOTHING, "IMPORT_ROLLBACK_COMPLETE", ("import", "catch up")),
        (replace(NOTHING, policy=ARN.format(DEAD)), "UPDATE_COMPLETE", ("let go", "import", "catch up")),
    ],
)
def test_a_repair_goes_on_from_where_the_stack_is(
    believed: Believed, status: str, stages: tuple[str, ...]
) -> None:
    assert stages_of(believed, SERVING, status) == stages


def test_a_group_that_still_exists_is_not_let_go() -> None:
    with pytest.raises(GateRefused, match="it exists, but the deployment group names another"):
        stages_of(replace(GONE, group_exists=True), SERVING, "UPDATE_COMPLETE")


def test_the_first_fleet_is_no_drift() -> None:
    serving = replace(SERVING, group="gbg-blue", template_version="1")
    assert list(fleet_drift(FIRST, serving)) == []
    assert stages_of(FIRST, serving, "CREATE_COMPLETE") == ()


def test_drift_is_told_in_words() -> None:
    told = {one.what: (one.believed, one.live) for one in fleet_drift(GONE, SERVING)}
    assert told == {
        "fleet": (f"{DEAD}, which is gone", GREEN),
        "scaling policy": (f"a policy of {DEAD}", f"1 of {GREEN}"),
        "launch template version of the fleet": ("3", "4"),
        "golden AMI": ("ami-3", "ami-4"),
    }
    assert list(fleet_drift(OWN, SERVING)) == []


def test_letting_go_leaves_no_reference_and_changes_nothing_else() -> None:
    before = copy.deepcopy(WHOLE)
    found = let_go(WHOLE, {"BlueGroup": "gbg-blue", "CpuTarget": ARN.format("gbg-blue")})
    assert before == WHOLE
    assert list(without(found, "BlueGroup", "CpuTarget")) == []
    assert set(WHOLE["Resources"]) - set(found["Resources"]) == {"BlueGroup", "CpuTarget"}
    changed = [name for name, one in found["Resources"].items() if one != WHOLE["Resources"][name]]
    assert changed == ["DeploymentGroup"]
    assert found["Resources"]["DeploymentGroup"]["Properties"]["AutoScalingGroupName"] == "gbg-blue"
    assert found["Outputs"]["FirstGroupName"]["Value"] == "gbg-blue"
    assert UNFINISHED in found["Metadata"]
    assert [str(one) for one in lint(json.dumps(found)) if one.rule.id.startswith("E")] == []


def test_with_the_longest_names_every_stage_fits_into_a_request() -> None:
    name = "a" * 20
    group = f"CodeDeploy_{name}-fleet_d-ABCDEFGHI"
    policy = ARN.format(group).replace("us-east-1:1", "ap-southeast-1:123456789012") + "-of-" + name
    serving = Serving(group, "10000", "ami-0123456789abcdef0", 100, (policy,))
    without_it = let_go(WHOLE, {"BlueGroup": group, "CpuTarget": policy})
    whole = with_fleet(without_it, WHOLE, serving, policy=True)
    for stage in (without_it, whole):
        assert len(json.dumps(stage, separators=(",", ":")).encode()) <= BODY_LIMIT


def test_letting_go_twice_is_letting_go_once() -> None:
    names = {"BlueGroup": "gbg-blue"}
    assert let_go(let_go(WHOLE, names), {}) == let_go(WHOLE, names)


@pytest.mark.parametrize("policy", [True, False])
def test_an_import_adds_the_fleet_as_it_is_and_changes_nothing_else(policy: bool) -> None:
    held = let_go(WHOLE, {"BlueGroup": "gbg-blue", "CpuTarget": "arn"})
    found = with_fleet(held, WHOLE, SERVING, policy=policy)
    added = {"BlueGroup", "CpuTarget"} if policy else {"BlueGroup"}
    assert set(found["Resources"]) - set(held["Resources"]) == added
    assert {name: one for name, one in found["Resources"].items() if name not in added} == held["Resources"]
    assert {key: found[key] for key in found if key != "Resources"} == {
        key: held[key] for key in held if key != "Resources"
    }
    group = found["Resources"]["BlueGroup"]
    assert group["DeletionPolicy"] == "Retain"
    assert "CreationPolicy" not in group
    sizes = ("MinSize", "MaxSize", "DesiredCapacity")
    blueprint = WHOLE["Resources"]["BlueGroup"]
    assert [group["Properties"][name] for name in sizes] == [blueprint["Properties"][name] for name in sizes]
    ignored = {"AutoScalingScheduledAction": {"IgnoreUnmodifiedGroupSizeProperties": True}}
    assert group["UpdatePolicy"] == ignored, "or stack-level tags and the next update would scale it in"
    assert group["Properties"]["AutoScalingGroupName"] == GREEN
    assert group["Properties"]["LaunchTemplate"]["Version"] == "4"
    assert [str(one) for one in lint(json.dumps(found)) if one.rule.id.startswith("E")] == []


class FakeAutoScaling:
    def __init__(self, **groups: list[str]) -> None:
        self.groups = groups

    def describe_auto_scaling_groups(self, **asked: Any) -> dict[str, Any]:
        names = asked.get("AutoScalingGroupNames", list(self.groups))
        return {"AutoScalingGroups": [self._group(name) for name in names if name in self.groups]}

    def _group(self, name: str) -> dict[str, Any]:
        instances = [
            {"InstanceId": one, "AvailabilityZone": "us-east-1a", "LifecycleState": "InService"}
            for one in self.groups[name]
        ]
        return {
            "AutoScalingGroupName": name,
            "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "4"},
            "MinSize": 2,
            "DesiredCapacity": 2,
            "MaxSize": 4,
            "Instances": instances,
        }

    def describe_policies(self, **asked: str) -> dict[str, Any]:
        arn = ARN.format(asked["AutoScalingGroupName"])
        tracked = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}}
        ours = {"PolicyARN": arn, "TargetTrackingConfiguration": {**tracked, "TargetValue": 60}}
        return {"ScalingPolicies": [{"PolicyARN": f"{arn}-of-another"}, ours]}


class FakeCodeDeploy:
    def __init__(self) -> None:
        self.under_way: list[str] = []

    def get_deployment_group(self, **asked: str) -> dict[str, Any]:
        return {"deploymentGroupInfo": {"autoScalingGroups": [{"name": GREEN}]}}

    def list_deployments(self, **asked: Any) -> dict[str, Any]:
        return {"deployments": self.under_way}


class FakeTargets:
    def __init__(self, **health: str) -> None:
        self.health = {name.replace("_", "-"): state for name, state in health.items()}

    def describe_target_health(self, **asked: str) -> dict[str, Any]:
        return {
            "TargetHealthDescriptions": [
                {"Target": {"Id": one}, "TargetHealth": {"State": state}}
                for one, state in self.health.items()
            ]
        }


class FakeEc2:
    def describe_launch_template_versions(self, **asked: Any) -> dict[str, Any]:
        return {"LaunchTemplateVersions": [{"LaunchTemplateData": {"ImageId": "ami-4"}}]}

    def describe_instances(self, **asked: Any) -> dict[str, Any]:
        found = [{"InstanceId": one, "ImageId": "ami-4"} for one in asked["Filters"][0]["Values"]]
        return {"Reservations": [{"Instances": found}]}


class FakeStack:
    """Part 1, which believes in a fleet that is gone; there is no Part 3."""

    status = "UPDATE_COMPLETE"

    def describe_stacks(self, **asked: str) -> dict[str, Any]:
        if asked["StackName"] != "gbg-base":
            raise refusal("ValidationError", f"Stack with id {asked['StackName']} does not exist")
        outputs = (
            *("ApplicationName", "DeploymentGroupName", "TargetGroupArn", "SiteUrl"),
            "ArtifactBucketName",
        )
        return {
            "Stacks": [
                {
                    "StackStatus": self.status,
                    "Outputs": [{"OutputKey": one, "OutputValue": one} for one in outputs],
                    "Parameters": [],
                }
            ]
        }

    def describe_stack_resources(self, **asked: str) -> dict[str, Any]:
        known = {"BlueGroup": DEAD, "CpuTarget": ARN.format(DEAD)}
        return {
            "StackResources": [
                {
                    "LogicalResourceId": name,
                    "PhysicalResourceId": value,
                    "Timestamp": None,
                    "ResourceType": "",
                    "ResourceStatus": "CREATE_COMPLETE",
                }
                for name, value in known.items()
            ]
        }

    def get_template(self, **asked: str) -> dict[str, Any]:
        return {"TemplateBody": WHOLE}


class World:
    def __init__(self, **health: str) -> None:
        self.stack, self.codedeploy = FakeStack(), FakeCodeDeploy()
        self.aws = connected(
            cloudformation=self.stack,
            codedeploy=self.codedeploy,
            autoscaling=FakeAutoScaling(**{GREEN: ["i-1", "i-2"]}),
            elbv2=FakeTargets(**health),
            ec2=FakeEc2(),
            s3=FakeBucket(),
        )
        self.repair = Repair(Parameters(), self.aws)


def test_a_fleet_that_is_well_is_taken_over() -> None:
    plan = World(i_1="healthy", i_2="healthy").repair.plan()
    assert (plan.fleet, plan.former, plan.template_version, plan.golden_ami) == (GREEN, DEAD, "4", "ami-4")
    assert plan.policy == ARN.format(GREEN)
    assert plan.reason.startswith(f"fleet: {DEAD}, which is gone; scaling policy: a policy of {DEAD}")


def test_a_plan_is_not_applied_where_a_release_has_begun_or_ended_since() -> None:
    world = World(i_1="healthy", i_2="healthy")
    plan = world.repair.plan()
    world.codedeploy.under_way = ["d-3"]
    with pytest.raises(GateRefused, match="deployment d-3 is going on"):
        list(world.repair.apply(plan))
    world.codedeploy.under_way = []
    with pytest.raises(GateRefused, match=f"something has changed since the plan: {GREEN} serves"):
        list(world.repair.apply(replace(plan, fleet=DEAD)))
    held = world.repair.lock.look()
    assert held is not None and held.released


def test_a_fleet_that_is_not_well_is_not_taken_over() -> None:
    with pytest.raises(GateRefused, match=f"1 of 2 instances of {GREEN} are healthy"):
        World(i_1="healthy", i_2="unhealthy").repair.plan()


def test_a_repair_does_not_begin_while_something_else_moves_the_fleet_or_the_stack() -> None:
    world = World(i_1="healthy", i_2="healthy")
    world.codedeploy.under_way = ["d-3"]
    with pytest.raises(GateRefused, match="deployment d-3 is going on"):
        world.repair.plan()
    world.stack.status = "UPDATE_IN_PROGRESS"
    with pytest.raises(GateRefused, match="it is in UPDATE_IN_PROGRESS"):
        world.repair.plan()


MOVED = Drift("fleet", DEAD, GREEN, "a release", "the repair imports it")
EDITED = Drift("Logs/RetentionInDays", "30", "1", "outside", "set it back")
LEFT = Orphan("builder", "i-9", "bake b-1 (Failed)", "it is running though its bake is over")


@pytest.mark.parametrize(
    ("accepted", "report", "said"),
    [
        ("releases", Report((MOVED,), ()), ""),
        ("all", Report((MOVED, EDITED), (LEFT,)), ""),
        ("none", Report((), ()), ""),
        ("none", Report((MOVED,), ()), "check: moved by releases: fleet\n  try: run runbook 07"),
        ("releases", Report((EDITED,), ()), "check: edits from outside: Logs/RetentionInDays\n  try: set"),
        (
            "releases",
            Report((), (LEFT,)),
            "check: left behind: builder i-9\n  try: run runbook 07 with sweep",
        ),
    ],
)
def test_a_drift_report_fails_for_what_is_not_accepted(accepted: Any, report: Report, said: str) -> None:
    job = DriftReport(Parameters(accepted_drift=accepted), World().aws)
    if not said:
        assert all(check.passed for check in job.verdict(report))
        return
    with pytest.raises(CheckFailed, match=re.escape(said)):
        job.verdict(report)


def test_drift_and_orphans_are_tables_in_words() -> None:
    assert list(drift_table([MOVED]).iloc[0]) == ["fleet", DEAD, GREEN, "a release", "the repair imports it"]
    assert "bake b-1 (Failed)" in repr(orphans_table([LEFT]))
    assert repr(drift_table([])).startswith("stack and live state agree")
    assert repr(swept_table([], asked=False)).startswith("nothing was removed: sweep is not set")


class FakeAlarms:
    def describe_alarms(self) -> dict[str, Any]:
        groups = {"dead": DEAD, "alive": GREEN, "another's": "shop-web", "their first": "gbg-blue-blue"}
        return {
            "MetricAlarms": [
                {"AlarmName": name, "Dimensions": [{"Name": "AutoScalingGroupName", "Value": group}]}
                for name, group in groups.items()
            ]
        }


def test_an_alarm_on_a_group_that_is_gone_is_told() -> None:
    aws = connected(cloudwatch=FakeAlarms(), autoscaling=FakeAutoScaling(**{GREEN: []}))
    [alarm] = dead_alarms(aws, "gbg")
    assert (alarm.what, alarm.believed, alarm.cause) == ("alarm dead", f"watches {DEAD}", "outside")


class Versions:
    """Two that failed releases wrote."""

    def describe_launch_template_versions(self, **asked: Any) -> dict[str, Any]:
        made = {2: "e-older", 3: "e-newest"}
        return {
            "LaunchTemplateVersions": [
                {"VersionNumber": number, "VersionDescription": json.dumps({"release": one})}
                for number, one in made.items()
            ]
        }


def test_the_template_version_of_a_release_that_can_be_tried_again_is_no_orphan() -> None:
    history = tuple(TemplateVersion("lt-1", "gbg", number, f"ami-{number}", "gbg") for number in (2, 3))
    scene = Scene(
        *(connected(ec2=Versions()), "gbg", "gbg-fleet", {}, GREEN, "arn", "lt-1"),
        releases={"e-newest": "Failed", "e-older": "Failed"},
        retriable=frozenset({"e-newest"}),
        stacks=(),
    )
    assert [one.id for one in _versions(scene, Usage({}, {}, {}, history))] == ["2"]


def test_a_fleet_is_known_by_the_names_that_part_1_gives() -> None:
    resources = WHOLE["Resources"]
    _, first, _ = resources["BlueGroup"]["Properties"]["AutoScalingGroupName"]["Fn::If"]
    group = resources["DeploymentGroup"]["Properties"]["DeploymentGroupName"]["Fn::Sub"]
    first, group = (text.replace("${Deployment}", "shop") for text in (first["Fn::Sub"], group))
    assert is_fleet(first, "shop") and is_fleet(green_group(group, "d-1"), "shop")
    for other in ("", "shop-blue-2", "CodeDeploy_shop-2-fleet_d-1", green_group(group).rstrip("_")):
        assert not is_fleet(other, "shop"), other


class TestSettings:
    WANTED = GroupSettings("AllAtOnce", 0, 5, ("a", "b"), ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"))
    LIVE: dict[str, Any] = {
        "deploymentConfigName": "AllAtOnce",
        "blueGreenDeploymentConfiguration": {
            "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
            "terminateBlueInstancesOnDeploymentSuccess": {"terminationWaitTimeInMinutes": 5},
        },
        "alarmConfiguration": {"enabled": True, "alarms": [{"name": "b"}, {"name": "a"}]},
        "autoRollbackConfiguration": {
            "enabled": True,
            "events": ["DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_FAILURE"],
        },
    }

    def told(self, **changed: Any) -> dict[str, tuple[str, str]]:
        found = group_drift("fleet", self.WANTED, live_settings({**self.LIVE, **changed}))
        return {one.what.removeprefix("deployment group fleet: "): (one.believed, one.live) for one in found}

    def test_a_group_as_the_stack_made_it_does_not_differ(self) -> None:
        assert self.told() == {}

    def test_what_is_wanted_is_what_part_1_makes(self) -> None:
        """The custom resource and the template say it a second time."""
        properties = WHOLE["Resources"]["DeploymentGroup"]["Properties"]
        assert tuple(alarm["Ref"] for alarm in properties["AlarmNames"]) == ALARMS
        made = settings(
            {
                **dict.fromkeys(("ApplicationName", "ServiceRoleArn", "TargetGroupName"), "gbg"),
                "DeploymentConfigName": "AllAtOnce",
                "AlarmNames": ["a", "b"],
                "ReadyWaitMinutes": "0",
                "TerminationWaitMinutes": "5",
            }
        )
        assert live_settings(made) == self.WANTED
        assert self.WANTED.rolls_back_on == EVENTS

    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            (
                {"deploymentConfigName": "OneAtATime"},
                {"deployment configuration": ("AllAtOnce", "OneAtATime")},
            ),
            (
                {"alarmConfiguration": {"enabled": False, "alarms": [{"name": "a"}]}},
                {"alarms that stop a release": ("a, b", "none")},
            ),
            (
                {"alarmConfiguration": {"enabled": True, "alarms": [{"name": "a"}]}},
                {"alarms that stop a release": ("a, b", "a")},
            ),
            (
                {"autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}},
                {
                    "rolls back by itself on": (
                        "DEPLOYMENT_FAILURE, DEPLOYMENT_STOP_ON_ALARM",
                        "DEPLOYMENT_FAILURE",
                    )
                },
            ),
            (
                {"blueGreenDeploymentConfiguration": {}},
                {"minutes before blue ends": ("5", "0")},
            ),
        ],
    )
    def test_each_setting_that_was_edited_is_told(
        self, changed: dict[str, Any], told: dict[str, tuple[str, str]]
    ) -> None:
        assert self.told(**changed) == told

    @pytest.mark.parametrize(
        ("named", "told"),
        [("ami-4", []), ("ami-5", []), ("ami-9", ["ami-9"]), ("", ["nothing: it is gone"])],
    )
    def test_the_golden_ami_parameter_may_be_ahead_of_the_fleet_and_no_strangers(
        self, named: str, told: list[str]
    ) -> None:
        aws = connected(ssm=Named(named))
        found = golden_ami_drift(aws, "/gbg/golden-ami", "ami-4", {"ami-4", "ami-5"})
        assert [one.live for one in found] == told


class Named:
    """A parameter's value; empty when it is gone."""

    def __init__(self, value: str) -> None:
        self.value = value

    def get_parameters(self, **given: Any) -> dict[str, Any]:
        assert given["Names"] == ["/gbg/golden-ami"]
        return {"Parameters": [{"Value": self.value}] if self.value else []}


class Builder:
    """EC2 and Systems Manager: a builder that runs, and how its bake stands."""

    def __init__(self, status: str) -> None:
        self.status = status

    def describe_instances(self, **asked: Any) -> dict[str, Any]:
        tags = [{"Key": "gbg:bake", "Value": "11111111-2222-3333-4444-555555555555"}]
        machine = {"InstanceId": "i-1", "State": {"Name": "running"}, "Tags": tags}
        return {"Reservations": [{"Instances": [machine]}]}

    def get_automation_execution(self, **asked: str) -> dict[str, Any]:
        return {"AutomationExecution": {"AutomationExecutionStatus": self.status}}


@pytest.mark.parametrize(
    ("status", "left"),
    [("InProgress", 0), ("Failed", 1), ("Exited", 1), ("Rejected", 1), ("CompletedWithSuccess", 1)],
)
def test_a_builder_is_an_orphan_once_its_bake_is_over_however_that_ended(status: str, left: int) -> None:
    made = Builder(status)
    aws = connected(ec2=made, ssm=made)
    scene = Scene(aws, "gbg", "gbg-fleet", {}, GREEN, "arn", "lt-1", releases={}, stacks=())
    assert len(list(_builders(scene))) == left
