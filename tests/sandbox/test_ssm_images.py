"""Automation that launches an instance and makes an image of it."""

from __future__ import annotations

import pytest

from gbg_sandbox.cloud import Cloud
from tests.sandbox.automations import Bench
from tests.sandbox.places import Place, make_place


@pytest.fixture
def bench(cloud: Cloud) -> Bench:
    return Bench(cloud)


@pytest.fixture
def place(cloud: Cloud) -> Place:
    return make_place(cloud)


def test_an_image_is_made_of_a_launched_instance(bench: Bench, place: Place) -> None:
    bench.document(
        {
            "name": "launch",
            "action": "aws:runInstances",
            "inputs": {"ImageId": place.image_id, "InstanceType": "t3.micro", "SubnetId": place.subnets[0]},
        },
        {
            "name": "halt",
            "action": "aws:changeInstanceState",
            "inputs": {"InstanceIds": "{{ launch.InstanceIds }}", "DesiredState": "stopped"},
        },
        {
            "name": "image",
            "action": "aws:createImage",
            "inputs": {
                "InstanceId": "{{ launch.InstanceIds }}",
                "ImageName": "golden-{{ global:DATE_TIME }}",
                "NoReboot": True,
            },
        },
        {
            "name": "label",
            "action": "aws:createTags",
            "inputs": {
                "ResourceIds": ["{{ image.ImageId }}"],
                "Tags": [{"Key": "made", "Value": "{{ Who }}"}],
            },
        },
        {
            "name": "end",
            "action": "aws:changeInstanceState",
            "inputs": {"InstanceIds": ["{{ launch.InstanceIds }}"], "DesiredState": "terminated"},
        },
        parameters={"Who": {"type": "String", "default": "me"}},
        outputs=["image.ImageId", "launch.InstanceIds"],
    )
    done = bench.run()
    assert done["AutomationExecutionStatus"] == "Success", done.get("FailureMessage")
    (image_id,) = done["Outputs"]["image.ImageId"]
    (image,) = place.ec2.describe_images(ImageIds=[image_id])["Images"]
    assert image["State"] == "available"
    assert image["Tags"] == [{"Key": "made", "Value": "me"}]
    assert place.state(done["Outputs"]["launch.InstanceIds"][0]) == "terminated"


def test_an_image_that_is_not_there_fails_the_launch(bench: Bench, place: Place) -> None:
    inputs = {"ImageId": "ami-0123456789abcdef0", "SubnetId": place.subnets[0]}
    bench.document({"name": "launch", "action": "aws:runInstances", "inputs": inputs})
    done = bench.run()
    assert done["AutomationExecutionStatus"] == "Failed"
    assert "Get Exception from RunInstances API of AmazonEC2 Service" in done["FailureMessage"]
    assert "InvalidAMIID.NotFound" in done["FailureMessage"]
