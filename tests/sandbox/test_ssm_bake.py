"""A bake from end to end on real machines: what a command leaves is in the image, and no builder stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.machines import open_machines
from tests.sandbox.places import Place, eventually, make_place

BUILDER_RIGHTS = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
BAKE_RIGHTS = (
    "ec2:RunInstances",
    "ec2:DescribeInstanceStatus",
    "ec2:StopInstances",
    "ec2:TerminateInstances",
    "ec2:CreateImage",
    "ec2:DescribeImages",
    "ssm:SendCommand",
    "ssm:ListCommands",
    "ssm:ListCommandInvocations",
    "ssm:DescribeInstanceInformation",
    "iam:PassRole",
)
PATIENCE = 120


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    cloud = Cloud(tmp_path / "state", open_machines=lambda at, files: open_machines(at, site_files=files))
    cloud.start()
    yield make_place(cloud)
    cloud.stop()


def trust(service: str) -> str:
    allow = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [allow]})


def make_roles(cloud: Cloud, *rights: str) -> str:
    """The builder's profile `builder`; returns the bake's role."""
    iam = cloud.client("iam")
    iam.create_role(RoleName="builder", AssumeRolePolicyDocument=trust("ec2.amazonaws.com"))
    iam.attach_role_policy(RoleName="builder", PolicyArn=BUILDER_RIGHTS)
    iam.create_instance_profile(InstanceProfileName="builder")
    iam.add_role_to_instance_profile(InstanceProfileName="builder", RoleName="builder")
    role = iam.create_role(RoleName="bake", AssumeRolePolicyDocument=trust("ssm.amazonaws.com"))
    statement = {"Effect": "Allow", "Action": list(rights), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="bake", PolicyName="bake", PolicyDocument=policy)
    return str(role["Role"]["Arn"])


def document(place: Place, role: str) -> str:
    after_launch = {"onFailure": "step:cleanUp", "isCritical": True}
    builder = "{{ launch.InstanceIds }}"
    terminate = {"InstanceIds": [builder], "DesiredState": "terminated"}
    steps: list[dict[str, Any]] = [
        {
            "name": "launch",
            "action": "aws:runInstances",
            "inputs": {
                "ImageId": place.image_id,
                "InstanceType": "t3.micro",
                "SubnetId": place.subnets[0],
                "IamInstanceProfileName": "builder",
            },
        },
        {
            "name": "configure",
            "action": "aws:runCommand",
            "inputs": {
                "DocumentName": "AWS-RunShellScript",
                "InstanceIds": [builder],
                "Parameters": {"commands": ["{{ Command }}", "rpm -q amazon-ssm-agent"]},
            },
            **after_launch,
        },
        {
            "name": "halt",
            "action": "aws:changeInstanceState",
            "inputs": {"InstanceIds": [builder], "DesiredState": "stopped"},
            **after_launch,
        },
        {
            "name": "image",
            "action": "aws:createImage",
            "inputs": {"InstanceId": builder, "ImageName": "golden-{{ automation:EXECUTION_ID }}"},
            **after_launch,
        },
        {"name": "end", "action": "aws:changeInstanceState", "isEnd": True, "inputs": terminate},
        {"name": "cleanUp", "action": "aws:changeInstanceState", "isEnd": True, "inputs": terminate},
    ]
    return json.dumps(
        {
            "schemaVersion": "0.3",
            "assumeRole": role,
            "parameters": {"Command": {"type": "String"}},
            "mainSteps": steps,
            "outputs": ["image.ImageId", "configure.Output"],
        }
    )


def bake(place: Place, command: str, *rights: str) -> dict[str, Any]:
    ssm = place.cloud.client("ssm")
    content = document(place, make_roles(place.cloud, *rights))
    ssm.create_document(Name="bake", DocumentType="Automation", Content=content)
    started = ssm.start_automation_execution(DocumentName="bake", Parameters={"Command": [command]})

    def look() -> dict[str, Any]:
        found: dict[str, Any] = ssm.get_automation_execution(**{
            "AutomationExecutionId": started["AutomationExecutionId"]
        })["AutomationExecution"]  # fmt: skip
        return found

    eventually(lambda: "ExecutionEndTime" in look(), PATIENCE)
    return look()


def builders(place: Place) -> list[str]:
    """States of all instances that are left."""
    found = place.ec2.describe_instances()["Reservations"]
    states = [instance["State"]["Name"] for one in found for instance in one["Instances"]]
    return [state for state in states if state != "terminated"]


def test_the_image_carries_what_the_command_left(place: Place) -> None:
    done = bake(place, "echo golden > /etc/golden", *BAKE_RIGHTS)
    assert done["AutomationExecutionStatus"] == "Success", done.get("FailureMessage")
    assert done["Outputs"]["configure.Output"][0].startswith("amazon-ssm-agent-3.")
    assert builders(place) == []
    (instance_id,) = place.launch(ImageId=done["Outputs"]["image.ImageId"][0])
    machine = place.cloud.machines.get(instance_id)
    assert machine is not None
    assert machine.read("/etc/golden") == b"golden\n"


def test_a_failed_command_leaves_no_builder_and_is_no_success(place: Place) -> None:
    done = bake(place, "exit 9", *BAKE_RIGHTS)
    assert done["AutomationExecutionStatus"] == "Failed"
    assert "Status=[Failed], ResponseCode=[9]" in done["FailureMessage"]
    assert builders(place) == []


def test_a_missing_right_shows_where_it_is_needed(place: Place) -> None:
    done = bake(place, "true", *(right for right in BAKE_RIGHTS if right != "ec2:CreateImage"))
    assert done["AutomationExecutionStatus"] == "Failed"
    failed = next(step for step in done["StepExecutions"] if step["StepStatus"] == "Failed")
    assert failed["StepName"] == "image"
    assert "UnauthorizedOperation" in failed["FailureMessage"]
    assert builders(place) == []
