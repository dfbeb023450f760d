"""Gathering asks in batches, masks, and goes on past what is lost."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from gbg_lib.aws import Aws
from gbg_lib.blueprint import template
from gbg_lib.record.format import stamp
from gbg_lib.record.gathering import Gathering, Subject
from gbg_lib.record.sources import SOURCES, account, ask
from gbg_lib.record.sources.bake import _packages
from gbg_lib.record.sources.deploy import deployments
from gbg_lib.record.sources.fleet import activities
from gbg_lib.record.sources.pipeline import masked_zip
from gbg_lib.record.sources.traffic import MADE, _resolution
from gbg_lib.record.sources.trail import longer_names, names, shortened
from gbg_lib.record.summary import summarised
from gbg_lib.secret.masking import MASK, Masking
from tests.unit.aws_fakes import connected, refusal
from tests.unit.release_fakes import (
    BEGIN,
    COMMIT,
    DEPLOYMENT,
    EXECUTION,
    FakeCodeDeploy,
    at,
    lifecycle,
)

SERVICES = (
    *("codepipeline", "codecommit", "codebuild", "codedeploy", "ssm", "ec2", "autoscaling", "elbv2"),
    *("cloudwatch", "cloudtrail", "cloudformation", "logs", "s3", "sts"),
)


class Lost:
    """A service that has forgotten everything."""

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def refused(**given: Any) -> Any:
            raise refusal("ResourceNotFoundException", "it is gone")

        return refused


class Stacks:
    """Two stacks that were changed last at a time, or never since they were made."""

    def __init__(self, made: datetime, changed: datetime | None = None) -> None:
        self.times = {"CreationTime": made, **({"LastUpdatedTime": changed} if changed else {})}

    def describe_stacks(self, **given: str) -> dict[str, Any]:
        return {"Stacks": [{"StackName": given["StackName"], "Parameters": [], **self.times}]}

    def get_template(self, **given: str) -> dict[str, Any]:
        return {"TemplateBody": "Resources: {}"}


class Deployments(FakeCodeDeploy):
    def get_deployment(self, **given: str) -> dict[str, Any]:
        told = {"deploymentId": given["deploymentId"], "status": "Failed", "createTime": at(51)}
        if given["deploymentId"] == DEPLOYMENT:
            told["rollbackInfo"] = {"rollbackDeploymentId": "d-ROLLBACK1"}
        return {"deploymentInfo": told}

    def batch_get_deployment_targets(self, **given: Any) -> dict[str, Any]:
        answer = super().batch_get_deployment_targets(**given)
        for item in answer["deploymentTargets"]:
            item["instanceTarget"] = {**item["instanceTarget"], "deploymentId": given["deploymentId"]}
        return answer


def action(stage: str, category: str, provider: str, **output: Any) -> dict[str, Any]:
    return {
        "actionExecutionId": stage,
        "stageName": stage,
        "actionName": stage,
        "status": "Succeeded",
        "startTime": at(0),
        "lastUpdateTime": at(50),
        "input": {"actionTypeId": {"category": category, "provider": provider}},
        "output": output,
    }


ACTIONS = (
    action(
        "Source",
        "Source",
        "CodeCommit",
        outputVariables={"CommitId": COMMIT},
        outputArtifacts=[{"name": "SourceOutput", "s3location": {"bucket": "b", "key": "k"}}],
    ),
    action(
        "BuildGoldenAMI",
        "Invoke",
        "Lambda",
        outputVariables={"AutomationExecutionId": EXECUTION, "ImageId": "ami-1"},
    ),
    action(
        "Build",
        "Build",
        "CodeBuild",
        executionResult={"externalExecutionId": "gbg-build:1"},
        outputArtifacts=[{"name": "BuildOutput", "s3location": {"bucket": "b", "key": "k"}}],
    ),
    action("Deploy", "Deploy", "CodeDeploy", executionResult={"externalExecutionId": DEPLOYMENT}),
)
BASE = {
    "RepositoryName": "gbg-app",
    "BakeLogGroupName": "/gbg/bake",
    "ApplicationName": "gbg-app",
    "DeploymentGroupName": "gbg-fleet",
    "LaunchTemplateId": "lt-1",
    "TargetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/gbg/1",
    "LoadBalancerArn": "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/gbg/1",
    "BakeDocumentName": "gbg-bake",
}
PARTS = {"PipelineName": "gbg-release", "BakeFunctionName": "gbg-bake", "RestoreFunctionName": "gbg-restore"}


def subject(aws: Aws) -> Subject:
    release = Subject(aws, "gbg", BASE, PARTS, EXECUTION, BEGIN, at(90), ACTIONS)
    return replace(release, former_commit="f" * 40, former_execution="former")


def test_what_is_lost_is_named_and_the_rest_is_asked_for() -> None:
    """Logs of functions that never ran are no loss; all else is."""
    found = Gathering()
    ask(subject(connected({}, **{service: Lost() for service in SERVICES})), found)
    lost = {one.data["what"]: one.data["why"] for one in found.of("missing")}
    assert set(SOURCES) - set(lost) == {"function logs", "bake log"}
    assert "nobody watched" in lost.pop("fleet before")
    assert set(lost.values()) == {"it is gone"}


def test_why_nobody_saw_the_fleet_before_is_told_by_who_looked() -> None:
    looked, found = Gathering(), Gathering()
    looked.miss("fleet before", "it may not be read", "autoscaling")
    release = subject(connected({}, **{service: Lost() for service in SERVICES}))
    ask(replace(release, observed=tuple(looked.evidence.values())), found, ("fleet",))
    told = {one.data["what"]: one.data["why"] for one in found.of("missing")}
    assert told["fleet before"] == "it may not be read"


def test_the_fleet_before_that_a_record_has_is_not_missing_where_it_is_recorded_again() -> None:
    """Then nobody has watched; what was seen before is in the record."""
    found = Gathering()
    found.add("group", "before:gbg-blue", "autoscaling", {"moment": "before"})
    ask(subject(connected({}, **{service: Lost() for service in SERVICES})), found, ("fleet",))
    assert "fleet before" not in {one.data["what"] for one in found.of("missing")}


class Alarms:
    """Of two deployments, one named after the other, and of people."""

    names = (
        *("gbg-elb-5xx", "gbg-restore-errors", "gbg-queue-is-long", "gbg-test-elb-5xx"),
        *("gbg-test-restore-errors", "TargetTracking-gbg-blue-AlarmHigh-1"),
        *("TargetTracking-gbg-test-blue-AlarmHigh-1", "TargetTracking-CodeDeploy_gbg-fleet_d-1-AlarmLow-1"),
        *("TargetTracking-CodeDeploy_gbg-test-fleet_d-1-AlarmLow-1", "shop-elb-5xx"),
    )

    def describe_alarms(self, **given: str) -> dict[str, Any]:
        named = [name for name in self.names if name.startswith(given["AlarmNamePrefix"])]
        return {"MetricAlarms": [{"AlarmName": name} for name in named]}

    def describe_alarm_history(self, **given: Any) -> dict[str, Any]:
        changed = {"HistoryItemType": "StateUpdate", "Timestamp": at(5)}
        return {"AlarmHistoryItems": [{"AlarmName": name, **changed} for name in self.names]}


def test_alarms_of_a_deployment_that_is_named_after_this_one_are_no_part_of_it() -> None:
    found = Gathering()
    ask(subject(connected(cloudwatch=Alarms())), found, ("alarms", "alarm history"))
    own = ["gbg-elb-5xx", "gbg-restore-errors", "gbg-queue-is-long"]
    fleets = ["TargetTracking-gbg-blue-AlarmHigh-1", "TargetTracking-CodeDeploy_gbg-fleet_d-1-AlarmLow-1"]
    assert [one.data["AlarmName"] for one in found.of("alarm")] == own
    assert [one.data["AlarmName"] for one in found.of("alarm.change")] == own + fleets


def test_the_templates_make_the_alarms_that_are_known_by_name() -> None:
    resources = [one for part in (1, 3) for one in json.loads(template(part))["Resources"].values()]
    made = [one["Properties"]["AlarmName"] for one in resources if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert {one["Fn::Sub"] for one in made} == {f"${{Deployment}}-{name}" for name in MADE}


def test_a_stack_that_changed_after_the_release_began_is_not_passed_off_as_what_it_ran_under() -> None:
    found = Gathering()
    account.stacks(subject(connected(cloudformation=Stacks(at(-60), changed=at(30)))), found)
    lost = {one.data["what"]: one.data["why"] for one in found.of("missing")}
    assert set(lost) == {f"gbg-{part} as it was when the release began" for part in ("base", "pipeline")}
    assert all(str(stamp(at(30))) in why for why in lost.values())
    assert len(found.of("stack")) == 2, "what there is, is kept"


@pytest.mark.parametrize("changed", [None, at(-30)])
def test_a_stack_that_rested_since_the_release_began_lacks_nothing(changed: datetime | None) -> None:
    found = Gathering()
    account.stacks(subject(connected(cloudformation=Stacks(at(-60), changed))), found)
    assert len(found.of("stack")) == 2
    assert not found.of("missing")


@pytest.mark.parametrize(
    ("event", "ours"),
    [
        ('{"stackName": "gbg-base"}', True),
        ('{"arn": "arn:aws:sts::1:assumed-role/gbg-base-BakeRole-1/x"}', True),
        ('{"alarmName": "TargetTracking-gbg-blue-AlarmHigh-1"}', True),
        ('{"name": "/gbg/golden-ami"}', True),
        ('{"value": "gbg"}', True),
        ('{"queueName": "my-gbg-queue"}', False),
        ('{"queueName": "shopgbg-queue"}', False),
        ('{"value": "gbg2"}', False),
        ('{"stackName": "gbg-test-base"}', False),
        ('{"stackName": "gbg-test"}', False),
        ('{"alarmName": "TargetTracking-CodeDeploy_gbg-test-fleet_d-1-AlarmLow-1"}', False),
        ('{"queueName": "gbg-tests-queue"}', True),
        ('{"names": ["gbg-test-base", "gbg-base"]}', True),
    ],
)
def test_a_call_belongs_to_the_deployment_that_it_names(event: str, ours: bool) -> None:
    """In an account where `gbg-test` is or was another one."""
    assert bool(names("gbg", {"gbg-test"}).search(event)) == ours


def test_other_deployments_are_known_by_their_stacks_also_when_they_are_gone() -> None:
    told = ("gbg-base", "gbg-pipeline", "gbg-test-base", "gbg-old.one-base", "shop-base", "gbg-queue")
    summaries = {"StackSummaries": [{"StackName": name} for name in told]}
    cloud = SimpleNamespace(list_stacks=lambda **given: summaries)
    assert longer_names(subject(connected(cloudformation=cloud))) == {"gbg-test", "gbg-old.one"}
    assert not names("gbg", {"gbg-old.one"}).search('"gbg-old.one-base"')


def test_sixty_machines_are_asked_for_twenty_five_at_a_time() -> None:
    machines = [(f"i-{number:017x}", "GREEN", [lifecycle("Install")] * 10) for number in range(60)]
    aws = connected(codedeploy=Deployments(machines))
    found = Gathering()
    deployments(subject(aws), found)
    assert len(found.of("machine")) == 120, "the deployment's and its rollback's"
    assert aws.requests["codedeploy"] == 2 * (1 + 1 + 3)


def test_a_rollback_is_told_as_a_deployment_of_its_own() -> None:
    found = Gathering()
    deployments(subject(connected(codedeploy=Deployments([]))), found)
    assert [one.id for one in found.of("deployment")] == [
        f"deployment:{DEPLOYMENT}",
        "deployment:d-ROLLBACK1",
    ]


def test_evidence_and_files_are_masked_on_their_way_in() -> None:
    found = Gathering(Masking(["hunter22-hunter22"]))
    one = found.add("x", "1", "s", {"says": "hunter22-hunter22", "password": "p", "when": BEGIN})
    name = found.keep("../odd name.log", b"AKIAIOSFODNN7EXAMPLE hunter22-hunter22\n")
    assert one.data == {"says": MASK, "password": MASK, "when": "2026-11-24T01:00:00.000+00:00"}
    assert name == "files/odd_name.log"
    assert found.files[name] == f"AKIA{MASK} {MASK}\n".encode()


def test_secrets_inside_the_source_archive_are_masked_and_named() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("app.properties", "db.password=correct-horse\n")
        file.writestr("logo.png", b"\x89PNG\xff\xfe")
    content, masked = masked_zip(made.getvalue(), Gathering())
    assert masked == ["app.properties"]
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert file.read("app.properties") == f"db.password={MASK}\n".encode()
        assert file.read("logo.png") == b"\x89PNG\xff\xfe"


def test_a_source_archive_without_secrets_stays_as_it_is() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("pom.xml", "<project/>")
    assert masked_zip(made.getvalue(), Gathering()) == (made.getvalue(), [])


@pytest.mark.parametrize(("gaps", "told"), [([0, 60, 120, 240], 60), ([0, 1, 5], 1), ([3], None), ([], None)])
def test_the_resolution_is_what_came_and_not_what_was_asked_for(gaps: list[int], told: int | None) -> None:
    assert _resolution([at(gap) for gap in gaps]) == told


def test_the_package_list_is_told_with_the_parents() -> None:
    lines = ["# source", "b-1-1.x86_64", "a-1-1.x86_64", "# golden", "b-2-1.x86_64"]
    assert _packages(lines) == {"source": ["a-1-1.x86_64", "b-1-1.x86_64"], "golden": ["b-2-1.x86_64"]}


def test_what_a_call_carried_is_shortened() -> None:
    told = shortened({"templateBody": "x" * 5_000, "list": [{"n": 1}]})
    assert len(json.dumps(told)) < 600
    assert "5000 characters" in told["templateBody"]


class Scaling:
    """An old activity of another group has not ended: AWS tells it first."""

    def describe_scaling_activities(self, **given: Any) -> dict[str, Any]:
        def told(name: str, begin: float, **more: Any) -> dict[str, Any]:
            group = f"CodeDeploy_gbg-fleet_{name}"
            return {"ActivityId": name, "AutoScalingGroupName": group, "StartTime": at(begin), **more}

        return {
            "Activities": [
                told("stuck", -86400),
                told("new", 50, EndTime=at(60)),
                told("old", -86000, EndTime=at(-85000)),
                told("older", -90000, EndTime=at(-89000)),
            ]
        }


def test_an_old_activity_that_goes_on_hides_none_of_the_release() -> None:
    found = Gathering()
    activities(subject(connected(autoscaling=Scaling())), found)
    assert [one.data["ActivityId"] for one in found.of("scaling.activity")] == ["new"]


def test_a_summary_does_without_an_execution_that_could_not_be_had() -> None:
    release = replace(subject(connected()), status="Failed")
    told = summarised(release, Gathering(), settled=False)
    assert (told["status"], told["trigger"], told["execution"]) == ("Failed", "", EXECUTION)
