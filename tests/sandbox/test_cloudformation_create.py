"""A stack's creation: order, events, outputs, failure and rollback, as AWS tells them."""

from __future__ import annotations

import json

import pytest

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.events import Event
from tests.sandbox.places import eventually
from tests.sandbox.stack_steps import Steps, refused

CHAIN = """
Description: a chain of three
Parameters:
  Word: {Type: String, Default: hello}
  Secret: {Type: String, NoEcho: true, Default: hush}
Conditions:
  Never: !Equals [!Ref Word, never]
Resources:
  First: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Word}}
  Second:
    Type: AWS::SSM::Parameter
    Metadata: {why: test}
    Properties: {Type: String, Name: /chain/topic, Value: !Ref First, Description: !Ref Secret}
  Third:
    Type: AWS::Logs::LogGroup
    DependsOn: Second
    Properties: {RetentionInDays: 7}
  Absent: {Type: AWS::SNS::Topic, Condition: Never}
Outputs:
  TopicName: {Value: !GetAtt First.TopicName, Description: its name}
  Stored: {Value: !GetAtt Second.Value}
  Nothing: {Value: x, Condition: Never}
"""
TWO_WITH_ONE_BAD = """
Resources:
  Good: {Type: AWS::SNS::Topic, DeletionPolicy: POLICY}
  Bad:
    Type: AWS::SSM::Parameter
    DependsOn: Good
    Properties: {Type: String, Name: /taken, Value: x}
  Never: {Type: AWS::SNS::Topic, DependsOn: Bad}
"""


@pytest.fixture
def stacks(cloud: Cloud) -> Steps:
    return Steps(cloud)


def test_resources_come_in_order_with_every_event(stacks: Steps, cloud: Cloud) -> None:
    stack = stacks.create("chain", CHAIN, Parameters=[{"ParameterKey": "Word", "ParameterValue": "hi"}])
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert [(who, what) for who, what, _ in stacks.events("chain")] == [
        ("chain", "CREATE_IN_PROGRESS"),
        ("First", "CREATE_IN_PROGRESS"),
        ("First", "CREATE_IN_PROGRESS"),
        ("First", "CREATE_COMPLETE"),
        ("Second", "CREATE_IN_PROGRESS"),
        ("Second", "CREATE_IN_PROGRESS"),
        ("Second", "CREATE_COMPLETE"),
        ("Third", "CREATE_IN_PROGRESS"),
        ("Third", "CREATE_IN_PROGRESS"),
        ("Third", "CREATE_COMPLETE"),
        ("chain", "CREATE_COMPLETE"),
    ]
    reasons = [why for who, _, why in stacks.events("chain") if who == "First"]
    assert reasons == ["", "Resource creation Initiated", ""]
    topic = stacks.physical("chain")["First"]
    assert stacks.outputs("chain") == {"TopicName": topic.rpartition(":")[2], "Stored": topic}
    assert cloud.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"] == "hi"


def test_names_made_up_tell_stack_and_resource(stacks: Steps) -> None:
    stacks.create("chain", CHAIN)
    name = stacks.outputs("chain")["TopicName"]
    assert name.startswith("chain-First-")
    assert len(name) == len("chain-First-") + 12


def test_secret_parameters_are_not_shown(stacks: Steps) -> None:
    stack = stacks.create("chain", CHAIN)
    shown = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
    assert shown == {"Word": "hello", "Secret": "****"}
    events = stacks.client.describe_stack_events(StackName="chain")["StackEvents"]
    assert "hush" not in json.dumps(events, default=str)


def test_resources_carry_the_stacks_tags(stacks: Steps, cloud: Cloud) -> None:
    stacks.create("chain", CHAIN, Tags=[{"Key": "team", "Value": "release"}])
    topic = stacks.physical("chain")["First"]
    tags = cloud.client("sns").list_tags_for_resource(ResourceArn=topic)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "team": "release",
        "aws:cloudformation:stack-name": "chain",
        "aws:cloudformation:stack-id": stacks.stack("chain")["StackId"],
        "aws:cloudformation:logical-id": "First",
    }


def test_status_changes_are_announced(stacks: Steps, cloud: Cloud) -> None:
    stacks.create("chain", CHAIN)

    def told() -> list[Event]:
        return [event for event in cloud.events.since(0) if event.source == "aws.cloudformation"]

    def of_stack() -> list[str]:
        changes = [e for e in told() if e.detail_type == "CloudFormation Stack Status Change"]
        return [e.detail["status-details"]["status"] for e in changes]

    eventually(lambda: of_stack() == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"])
    of_topic = [e for e in told() if e.detail.get("logical-resource-id") == "First"]
    assert of_topic[-1].detail["physical-resource-id"] == stacks.physical("chain")["First"]


@pytest.mark.parametrize(("policy", "left"), [("Delete", 0), ("Retain", 1)])
def test_a_failure_rolls_everything_back(stacks: Steps, cloud: Cloud, policy: str, left: int) -> None:
    cloud.client("ssm").put_parameter(Name="/taken", Type="String", Value="mine")
    stack = stacks.create("broken", TWO_WITH_ONE_BAD.replace("POLICY", policy))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stacks.reason("broken", "broken", "ROLLBACK_IN_PROGRESS") == (
        "The following resource(s) failed to create: [Bad]. Rollback requested by user."
    )
    assert "HandlerErrorCode: AlreadyExists" in stacks.reason("broken", "Bad", "CREATE_FAILED")
    assert stacks.statuses("broken", "Never") == []
    last = stacks.statuses("broken", "Good")[-1]
    assert last == ("DELETE_SKIPPED" if left else "DELETE_COMPLETE")
    assert len(cloud.client("sns").list_topics()["Topics"]) == left
    assert cloud.client("ssm").get_parameter(Name="/taken")["Parameter"]["Value"] == "mine"


@pytest.mark.parametrize(
    ("options", "status"),
    [({"OnFailure": "DO_NOTHING"}, "CREATE_FAILED"), ({"OnFailure": "DELETE"}, "DELETE_COMPLETE")],
)
def test_what_happens_on_failure_can_be_chosen(
    stacks: Steps, cloud: Cloud, options: dict[str, str], status: str
) -> None:
    cloud.client("ssm").put_parameter(Name="/taken", Type="String", Value="mine")
    template = TWO_WITH_ONE_BAD.replace("POLICY", "Delete")
    made = stacks.client.create_stack(StackName="broken", TemplateBody=template, **options)
    assert stacks.settle(made["StackId"])["StackStatus"] == status


def test_a_failed_creation_can_be_rolled_back_later(stacks: Steps, cloud: Cloud) -> None:
    cloud.client("ssm").put_parameter(Name="/taken", Type="String", Value="mine")
    stacks.create("broken", TWO_WITH_ONE_BAD.replace("POLICY", "Delete"), DisableRollback=True)
    stacks.client.rollback_stack(StackName="broken")
    assert stacks.settle("broken")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert cloud.client("sns").list_topics()["Topics"] == []


def test_a_property_that_aws_does_not_know_fails_the_resource(stacks: Steps) -> None:
    stacks.create("odd", "Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {DisplayNam: x}}}")
    assert stacks.reason("odd", "Topic", "CREATE_FAILED") == "Encountered unsupported property DisplayNam"


@pytest.mark.parametrize(
    ("template", "code", "said"),
    [
        ("Resources: {Db: {Type: AWS::RDS::DBInstance}}", "ValidationError", "AWS::RDS::DBInstance (Db)"),
        ("Resources: {T: {Type: AWS::No::Such}}", "ValidationError", "Unrecognized resource types"),
        (
            "Resources: {T: {Type: AWS::SNS::Topic, Properties: {FifoTopic: true}}}",
            "ValidationError",
            "gbg_sandbox does not run FifoTopic of AWS::SNS::Topic (T)",
        ),
        (
            "Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: x, AssumeRolePolicyDocument: {}}}}",
            "InsufficientCapabilitiesException",
            "Requires capabilities : [CAPABILITY_NAMED_IAM]",
        ),
        ("Parameters: {P: {Type: String}}\nResources: {T: {Type: AWS::SNS::Topic}}", "ValidationError",
         "Parameters: [P] must have values"),
    ],
)  # fmt: skip
def test_what_can_not_work_is_refused_before_anything_is_made(
    stacks: Steps, template: str, code: str, said: str
) -> None:
    given_code, message = refused(stacks.client.create_stack, StackName="no", TemplateBody=template)
    assert given_code == code
    assert said in message
    assert stacks.client.list_stacks()["StackSummaries"] == []


def test_a_stack_that_is_not_there(stacks: Steps) -> None:
    said = ("ValidationError", "Stack with id nix does not exist")
    assert refused(stacks.client.describe_stacks, StackName="nix") == said
    said = ("ValidationError", "Stack [nix] does not exist")
    assert refused(stacks.client.describe_stack_events, StackName="nix") == said
    stacks.client.delete_stack(StackName="nix")


def test_botocores_waiters_work(stacks: Steps) -> None:
    quickly = {"Delay": 0.05, "MaxAttempts": 1200}
    stacks.client.create_stack(StackName="chain", TemplateBody=CHAIN)
    stacks.client.get_waiter("stack_create_complete").wait(StackName="chain", WaiterConfig=quickly)
    stacks.client.update_stack(StackName="chain", TemplateBody=CHAIN.replace("hello", "bye"))
    stacks.client.get_waiter("stack_update_complete").wait(StackName="chain", WaiterConfig=quickly)
    stacks.client.delete_stack(StackName="chain")
    stacks.client.get_waiter("stack_delete_complete").wait(StackName="chain", WaiterConfig=quickly)


def test_a_name_is_taken_once(stacks: Steps) -> None:
    stacks.create("chain", CHAIN)
    said = ("AlreadyExistsException", "Stack [chain] already exists")
    assert refused(stacks.client.create_stack, StackName="chain", TemplateBody=CHAIN) == said


def test_templates_can_be_looked_at(stacks: Steps, cloud: Cloud) -> None:
    stacks.create("chain", CHAIN)
    assert stacks.client.get_template(StackName="chain")["TemplateBody"] == CHAIN
    summary = stacks.client.get_template_summary(StackName="chain")
    assert summary["ResourceTypes"] == ["AWS::SNS::Topic", "AWS::SSM::Parameter", "AWS::Logs::LogGroup"]
    assert {p["ParameterKey"]: p["NoEcho"] for p in summary["Parameters"]} == {"Word": False, "Secret": True}
    assert stacks.client.validate_template(TemplateBody=CHAIN)["Description"] == "a chain of three"
    detail = stacks.client.describe_stack_resource(StackName="chain", LogicalResourceId="Second")
    assert json.loads(detail["StackResourceDetail"]["Metadata"]) == {"why": "test"}
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="a/chain.yaml", Body=CHAIN.encode())
    url = "https://templates.s3.us-east-1.amazonaws.com/a/chain.yaml"
    assert stacks.client.validate_template(TemplateURL=url)["Description"] == "a chain of three"
