"""What exists comes into a stack by an import change set, and by nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gbg_sandbox.cloud import Cloud
from tests.sandbox.stack_steps import Steps, refused

TOPIC = "Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: words}}"
OLD = f"""
Resources:
  {TOPIC}
  Alarm: {{Type: AWS::CloudWatch::Alarm, DeletionPolicy: Delete, Properties: {{AlarmName: old,
    MetricName: Errors, Namespace: Shop, Period: 60, EvaluationPeriods: 1, Threshold: 5, Statistic: Sum,
    ComparisonOperator: GreaterThanThreshold}}}}
Outputs:
  Topic: {{Value: !Ref Topic}}
"""
NEW = OLD.replace("AlarmName: old", "AlarmName: new")
WITHOUT = OLD[: OLD.index("  Alarm")] + OLD[OLD.index("Outputs") :]
ALARM = {
    "LogicalResourceId": "Alarm",
    "ResourceType": "AWS::CloudWatch::Alarm",
    "ResourceIdentifier": {"AlarmName": "new"},
}


@pytest.fixture
def stacks(cloud: Cloud) -> Steps:
    made = Steps(cloud)
    assert (
        made.create("shop", OLD, Tags=[{"Key": "team", "Value": "web"}])["StackStatus"] == "CREATE_COMPLETE"
    )
    return made


def put_alarm(cloud: Cloud, name: str, threshold: float = 5) -> None:
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        MetricName="Errors",
        Namespace="Shop",
        Period=60,
        EvaluationPeriods=1,
        Threshold=threshold,
        Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold",
    )


def alarms(cloud: Cloud) -> list[str]:
    return [alarm["AlarmName"] for alarm in cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]]


def plan(stacks: Steps, template: str, *imports: dict[str, Any], name: str = "shop") -> dict[str, Any]:
    return stacks.change(name, template, ChangeSetType="IMPORT", ResourcesToImport=list(imports))


def test_another_alarm_takes_the_logical_id_of_one_that_is_gone(stacks: Steps, cloud: Cloud) -> None:
    cloud.client("cloudwatch").delete_alarms(AlarmNames=["old"])
    put_alarm(cloud, "new")
    assert stacks.update("shop", WITHOUT)["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.failures("shop") == []

    described = plan(stacks, NEW, ALARM)
    change = described["Changes"][0]["ResourceChange"]
    assert (described["Status"], len(described["Changes"])) == ("CREATE_COMPLETE", 1)
    assert (change["Action"], change["PhysicalResourceId"]) == ("Import", "new")
    stacks.client.execute_change_set(StackName="shop", ChangeSetName="change")
    assert stacks.settle("shop")["StackStatus"] == "IMPORT_COMPLETE"

    assert stacks.physical("shop")["Alarm"] == "new"
    assert stacks.statuses("shop", "Alarm")[-4:] == [
        "IMPORT_IN_PROGRESS",
        "IMPORT_COMPLETE",
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE",
    ]
    assert stacks.statuses("shop", "shop")[-2:] == ["IMPORT_IN_PROGRESS", "IMPORT_COMPLETE"]
    assert stacks.outputs("shop")["Topic"] == stacks.physical("shop")["Topic"]
    arn = cloud.client("cloudwatch").describe_alarms(AlarmNames=["new"])["MetricAlarms"][0]["AlarmArn"]
    tags = cloud.client("cloudwatch").list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert {"Key": "team", "Value": "web"} in tags

    assert (
        stacks.update("shop", NEW.replace("Threshold: 5", "Threshold: 9"))["StackStatus"] == "UPDATE_COMPLETE"
    )
    assert cloud.client("cloudwatch").describe_alarms()["MetricAlarms"][0]["Threshold"] == 9
    assert stacks.delete("shop")["StackStatus"] == "DELETE_COMPLETE"
    assert alarms(cloud) == []


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (NEW.replace("DeletionPolicy: Delete, ", ""), "[Alarm] must have DeletionPolicy attribute specified"),
        (NEW.replace("Alarm:", "Other:"), "ResourcesToImport [Alarm] of type [AWS::CloudWatch::Alarm]"),
    ],
)
def test_a_request_that_can_not_be_meant_is_refused(stacks: Steps, template: str, said: str) -> None:
    stacks.update("shop", WITHOUT)
    asked = {"StackName": "shop", "ChangeSetName": "change", "ChangeSetType": "IMPORT"}
    code, message = refused(
        stacks.client.create_change_set, **asked, TemplateBody=template, ResourcesToImport=[ALARM]
    )
    assert code == "ValidationError"
    assert said in message


def test_an_identifier_of_another_name_is_refused(stacks: Steps) -> None:
    code, message = refused(
        stacks.client.create_change_set,
        StackName="shop",
        ChangeSetName="change",
        ChangeSetType="IMPORT",
        TemplateBody=NEW,
        ResourcesToImport=[{**ALARM, "ResourceIdentifier": {"Name": "new"}}],
    )
    assert (code, "is identified by ['AlarmName']" in message) == ("ValidationError", True)


@pytest.mark.parametrize(
    ("template", "identifier", "said"),
    [
        (NEW, "new", "Resource of type 'AWS::CloudWatch::Alarm' with identifier 'new' was not found."),
        (NEW, "there", "does not match the identifier value in the template: there, new"),
        (OLD.replace("AlarmName: old", "AlarmName: owned"), "owned", "already exists in stack"),
        (NEW.replace("words", "others"), "new", "You have modified resources [Topic] in your template"),
        (NEW.replace("Value: !Ref Topic", "Value: more"), "new", "you cannot modify or add [Outputs]"),
    ],
)
def test_an_import_that_aws_would_refuse_is_a_failed_change_set(
    stacks: Steps, cloud: Cloud, template: str, identifier: str, said: str
) -> None:
    stacks.update("shop", WITHOUT)
    put_alarm(cloud, "there")
    owner = OLD.replace("AlarmName: old", "AlarmName: owned")
    assert stacks.create("owner", owner)["StackStatus"] == "CREATE_COMPLETE"
    asked = {**ALARM, "ResourceIdentifier": {"AlarmName": identifier}}
    described = plan(stacks, template, asked)
    assert (described["Status"], described["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert said in described["StatusReason"]
    assert stacks.stack("shop")["StackStatus"] == "UPDATE_COMPLETE"


def test_what_the_stack_has_must_first_be_taken_out(stacks: Steps, cloud: Cloud) -> None:
    put_alarm(cloud, "new")
    assert "[Alarm] are in the stack already" in plan(stacks, NEW, ALARM)["StatusReason"]


def test_what_is_gone_when_the_import_begins_leaves_the_stack_alone(stacks: Steps, cloud: Cloud) -> None:
    stacks.update("shop", WITHOUT)
    put_alarm(cloud, "new")
    plan(stacks, NEW, ALARM)
    cloud.client("cloudwatch").delete_alarms(AlarmNames=["new"])
    stacks.client.execute_change_set(StackName="shop", ChangeSetName="change")
    assert stacks.settle("shop")["StackStatus"] == "IMPORT_ROLLBACK_COMPLETE"
    assert stacks.reason("shop", "Alarm", "IMPORT_FAILED").endswith("'new' was not found.")
    assert list(stacks.physical("shop")) == ["Topic"]
    template = stacks.client.get_template(StackName="shop")["TemplateBody"]
    assert "Alarm" not in (template if isinstance(template, str) else json.dumps(template))


def test_a_new_stack_can_be_made_of_what_exists(cloud: Cloud) -> None:
    stacks = Steps(cloud)
    put_alarm(cloud, "new")
    template = NEW[: NEW.index("Outputs")].replace(TOPIC, "")
    plan(stacks, template, ALARM, name="found")
    assert stacks.stack("found")["StackStatus"] == "REVIEW_IN_PROGRESS"
    stacks.client.execute_change_set(StackName="found", ChangeSetName="change")
    assert stacks.settle("found")["StackStatus"] == "IMPORT_COMPLETE"
    assert stacks.physical("found") == {"Alarm": "new"}


def test_a_type_says_by_what_it_is_imported(stacks: Steps) -> None:
    summary = stacks.client.get_template_summary(StackName="shop")["ResourceIdentifierSummaries"]
    by_type = {one["ResourceType"]: one.get("ResourceIdentifiers") for one in summary}
    assert by_type == {"AWS::CloudWatch::Alarm": ["AlarmName"], "AWS::SNS::Topic": None}
