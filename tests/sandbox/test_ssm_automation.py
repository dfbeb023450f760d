"""Automation: steps run under the document's role, failures go where the document says and stay failures."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.events import Event
from gbg_sandbox.service import Principal
from gbg_sandbox.services.ssm.automation.state import NO_OUTPUT
from tests.sandbox.automations import TRUST, Bench, broken, sleep, steps
from tests.sandbox.places import eventually


@pytest.fixture
def bench(cloud: Cloud) -> Bench:
    return Bench(cloud)


def test_outputs_of_one_step_are_inputs_of_the_next(bench: Bench) -> None:
    bench.ssm.put_parameter(Name="/team/name", Value="blue", Type="String")
    bench.document(
        {
            "name": "read",
            "action": "aws:executeAwsApi",
            "inputs": {"Service": "ssm", "Api": "GetParameter", "Name": "{{ Source }}"},
            "outputs": [{"Name": "Value", "Selector": "$.Parameter.Value", "Type": "String"}],
        },
        {
            "name": "write",
            "action": "aws:executeAwsApi",
            "inputs": {
                "Service": "ssm",
                "Api": "PutParameter",
                "Name": "/team/copy",
                "Value": "{{ read.Value }}@{{ global:REGION }}",
                "Type": "String",
            },
        },
        parameters={"Source": {"type": "String"}},
        outputs=["read.Value"],
    )
    done = bench.run(Source=["/team/name"])
    assert done["AutomationExecutionStatus"] == "Success"
    assert done["Outputs"] == {"read.Value": ["blue"]}
    assert bench.ssm.get_parameter(Name="/team/copy")["Parameter"]["Value"] == "blue@us-east-1"
    assert done["StepExecutions"][0]["Inputs"]["Name"] == '"/team/name"'
    assert done["Parameters"] == {"Source": ["/team/name"]}


def test_a_failed_step_stops_all_and_shows_why(bench: Bench) -> None:
    bench.document(broken(), sleep(), outputs=["automation:EXECUTION_ID"])
    done = bench.run()
    assert done["AutomationExecutionStatus"] == "Failed"
    assert steps(done) == {"fall": "Failed", "rest": "Pending"}
    failed = done["StepExecutions"][0]
    assert "ParameterNotFound" in failed["FailureMessage"]
    assert failed["FailureMessage"] == done["FailureMessage"]
    assert failed["FailureMessage"].startswith(
        "Step fails when it is Execute/Cancelling action. An error occurred"
    )
    assert failed["FailureDetails"]["FailureStage"] == "Invocation"
    assert done["Outputs"] == {"automation:EXECUTION_ID": [done["AutomationExecutionId"]]}


def test_an_output_that_never_came_is_told_in_awss_words(bench: Bench) -> None:
    step = broken(outputs=[{"Name": "Value", "Selector": "$.Parameter.Value", "Type": "String"}])
    bench.document(step, outputs=["fall.Value"])
    assert bench.run()["Outputs"] == {"fall.Value": [NO_OUTPUT]}


WAYS: dict[str, tuple[list[dict[str, Any]], str, dict[str, str]]] = {
    "continue": ([broken(onFailure="Continue"), sleep()], "Success", {"fall": "Failed", "rest": "Success"}),
    "continue, but critical": (
        [broken(onFailure="Continue", isCritical=True), sleep()],
        "Failed",
        {"fall": "Failed", "rest": "Success"},
    ),
    "clean up and end well": (
        [broken(onFailure="step:clean"), sleep(), sleep("clean", isEnd=True)],
        "Success",
        {"fall": "Failed", "rest": "Pending", "clean": "Success"},
    ),
    "clean up after a critical step": (
        [broken(onFailure="step:clean", isCritical=True), sleep(), sleep("clean", isEnd=True)],
        "Failed",
        {"fall": "Failed", "rest": "Pending", "clean": "Success"},
    ),
    "end with a failure": (
        [broken(onFailure="step:clean"), sleep("clean"), broken("tell", isEnd=True)],
        "Failed",
        {"fall": "Failed", "clean": "Success", "tell": "Failed"},
    ),
    "end at isEnd": ([sleep(isEnd=True), broken()], "Success", {"rest": "Success", "fall": "Pending"}),
    "next step": ([sleep(nextStep="last"), broken(), sleep("last")], "Success", {"fall": "Pending"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_ways_through_a_document(bench: Bench, way: str) -> None:
    made, status, expected = WAYS[way]
    bench.document(*made)
    done = bench.run()
    assert done["AutomationExecutionStatus"] == status
    assert expected.items() <= steps(done).items()


def test_a_branch_goes_by_a_parameter(bench: Bench) -> None:
    choose = {
        "name": "choose",
        "action": "aws:branch",
        "inputs": {
            "Choices": [{"NextStep": "fall", "Variable": "{{ Color }}", "StringEquals": "red"}],
            "Default": "rest",
        },
    }
    bench.document(choose, broken(), sleep(isEnd=True), parameters={"Color": {"type": "String"}})
    assert bench.run(Color=["green"])["AutomationExecutionStatus"] == "Success"
    assert bench.run(Color=["red"])["AutomationExecutionStatus"] == "Failed"


def test_a_missing_right_of_the_role_fails_its_step(bench: Bench) -> None:
    role = bench.role("bake", "ssm:GetParameters")
    bench.document(broken(), assumeRole="{{ AutomationAssumeRole }}",
                   parameters={"AutomationAssumeRole": {"type": "AWS::IAM::Role::Arn"}})  # fmt: skip
    done = bench.run(AutomationAssumeRole=[role])
    assert done["AutomationExecutionStatus"] == "Failed"
    assert "AccessDenied" in done["FailureMessage"]
    assert f"assumed-role/bake/Automation-{done['AutomationExecutionId']}" in done["FailureMessage"]


def test_a_role_that_does_not_trust_systems_manager_is_refused_at_the_start(bench: Bench) -> None:
    trust = json.loads(json.dumps(TRUST).replace("ssm.amazonaws.com", "ec2.amazonaws.com"))
    role = bench.role("other", trust=trust)
    bench.document(sleep(), assumeRole=role)
    with pytest.raises(ClientError, match="The defined assume role is unable to be assumed"):
        bench.begin()


def test_who_starts_it_must_be_allowed_to_pass_the_role(bench: Bench) -> None:
    role = bench.role("bake")
    bench.role("starter", "ssm:StartAutomationExecution")
    bench.document(sleep(), assumeRole=role)
    arn = f"arn:aws:sts::{bench.cloud.account}:assumed-role/starter/me"
    starter = Principal("role", arn, bench.cloud.account, role_name="starter", session_name="me")
    with pytest.raises(ClientError, match="iam:PassRole"):
        bench.cloud.client("ssm", principal=starter).start_automation_execution(DocumentName="doc")


def test_parameters_are_checked_against_the_document(bench: Bench) -> None:
    parameters = {
        "Size": {"type": "Integer", "allowedValues": [1, 2]},
        "Name": {"type": "String", "default": "a"},
    }
    bench.document(sleep(), parameters=parameters)
    wrong: list[dict[str, list[str]]] = [{}, {"Size": ["3"]}, {"Size": ["x"]}, {"Size": ["1"], "Nmae": ["b"]}]
    for given in wrong:
        with pytest.raises(ClientError, match="InvalidAutomationExecutionParametersException"):
            bench.ssm.start_automation_execution(DocumentName="doc", Parameters=given)
    assert bench.run(Size=["2"])["Parameters"] == {"Size": ["2"], "Name": ["a"]}


def test_an_ssm_default_is_read_once_at_the_start(bench: Bench) -> None:
    bench.ssm.put_parameter(Name="/gbg/source", Value="ami-1", Type="String")
    parameters = {"Source": {"type": "String", "default": "{{ ssm:/gbg/source }}"}}
    bench.document(sleep(), parameters=parameters, outputs=["Source"])
    assert bench.run()["Outputs"] == {"Source": ["ami-1"]}


def test_the_same_token_starts_it_once(bench: Bench) -> None:
    bench.document(sleep(), parameters={"Name": {"type": "String", "default": ""}})
    token = "4f6dbb0a-4c1c-4b0e-9d55-0a1f5d1f2b11"
    first = bench.ssm.start_automation_execution(DocumentName="doc", ClientToken=token)
    assert bench.ssm.start_automation_execution(DocumentName="doc", ClientToken=token)[
        "AutomationExecutionId"
    ] == first["AutomationExecutionId"]  # fmt: skip
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        bench.ssm.start_automation_execution(
            DocumentName="doc", ClientToken=token, Parameters={"Name": ["x"]}
        )


def test_attempts_and_timeouts(bench: Bench) -> None:
    never = {
        "name": "never",
        "action": "aws:waitForAwsResourceProperty",
        "timeoutSeconds": 1,
        "inputs": {
            "Service": "ec2",
            "Api": "DescribeVpcs",
            "PropertySelector": "$.Vpcs[0].State",
            "DesiredValues": ["gone"],
        },
    }
    taken = {"Service": "ssm", "Api": "PutParameter", "Name": "/team/name", "Value": "x", "Type": "String"}
    bench.ssm.put_parameter(Name="/team/name", Value="blue", Type="String")
    bench.document(broken(inputs=taken, maxAttempts=3, onFailure="Continue"), never)
    done = bench.run()
    assert done["AutomationExecutionStatus"] == "TimedOut"
    assert steps(done) == {"fall": "Failed", "never": "TimedOut"}
    assert "Step timed out while step is waiting for" in done["FailureMessage"]
    asked = [call for call in bench.cloud.trail.calls() if call.error_code == "ParameterAlreadyExists"]
    assert len(asked) == 3


def test_a_cancelled_execution_cleans_up_on_its_way(bench: Bench) -> None:
    long = {
        "name": "long",
        "action": "aws:waitForAwsResourceProperty",
        "onCancel": "step:clean",
        "inputs": {
            "Service": "ec2",
            "Api": "DescribeVpcs",
            "PropertySelector": "$.Vpcs[0].State",
            "DesiredValues": ["gone"],
        },
    }
    bench.document(long, sleep(), sleep("clean", isEnd=True))
    execution = bench.begin()
    eventually(lambda: steps(bench.look(execution))["long"] == "InProgress")
    bench.ssm.stop_automation_execution(AutomationExecutionId=execution, Type="Cancel")
    done = bench.end(execution)
    assert done["AutomationExecutionStatus"] == "Cancelled"
    assert steps(done) == {"long": "Cancelled", "rest": "Pending", "clean": "Success"}
    with pytest.raises(ClientError, match="InvalidAutomationStatusUpdateException"):
        bench.ssm.stop_automation_execution(AutomationExecutionId=execution)


@pytest.mark.parametrize(("signal", "status"), [("Approve", "Success"), ("Reject", "Failed")])
def test_an_approval_is_given_by_an_approver_only(bench: Bench, signal: str, status: str) -> None:
    bench.document({"name": "ask", "action": "aws:approve", "inputs": {"Approvers": ["ann"]}})
    account = bench.cloud.account
    bench.cloud.client("iam").create_user(UserName="ann")
    statement = {"Effect": "Allow", "Action": "ssm:SendAutomationSignal", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    bench.cloud.client("iam").put_user_policy(UserName="ann", PolicyName="signal", PolicyDocument=policy)
    ann = Principal("user", f"arn:aws:iam::{account}:user/ann", account, user_name="ann")
    execution = bench.begin()
    eventually(lambda: bench.look(execution)["AutomationExecutionStatus"] == "Waiting")
    with pytest.raises(ClientError, match="AccessDenied"):
        bench.ssm.send_automation_signal(AutomationExecutionId=execution, SignalType=signal)
    bench.cloud.client("ssm", principal=ann).send_automation_signal(
        AutomationExecutionId=execution, SignalType=signal
    )
    assert bench.end(execution)["AutomationExecutionStatus"] == status


def test_every_change_is_announced(bench: Bench) -> None:
    bench.document(sleep())
    done = bench.run()

    def mine() -> list[Event]:
        found = [event for event in bench.cloud.events.since(0) if event.source == "aws.ssm"]
        return [one for one in found if one.detail.get("ExecutionId") == done["AutomationExecutionId"]]

    eventually(lambda: len(mine()) >= 5)
    assert [(event.detail.get("StepName", ""), event.detail["Status"]) for event in mine()] == [
        ("", "Pending"), ("", "InProgress"), ("rest", "InProgress"), ("rest", "Success"), ("", "Success"),
    ]  # fmt: skip
    assert mine()[-1].detail["Definition"] == "doc"
    assert mine()[-1].detail_type == "EC2 Automation Execution Status-change Notification"
