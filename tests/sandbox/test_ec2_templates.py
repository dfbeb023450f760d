"""Launch templates: versions, what they launch, and their errors."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from tests.sandbox.places import Place, make_place


@pytest.fixture
def place(cloud: Cloud) -> Place:
    return make_place(cloud)


@pytest.fixture
def template_id(place: Place) -> str:
    data = {
        "ImageId": place.image_id,
        "InstanceType": "t3.micro",
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "role", "Value": "web"}]}],
    }
    made = place.ec2.create_launch_template(LaunchTemplateName="gbg", LaunchTemplateData=data)
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


def launch(place: Place, **template: str) -> dict[str, object]:
    made = place.ec2.run_instances(
        MinCount=1,
        MaxCount=1,
        SubnetId=place.subnets[0],
        LaunchTemplate={"LaunchTemplateName": "gbg", **template},
    )
    found: dict[str, object] = made["Instances"][0]
    return found


def test_a_new_version_takes_over_what_it_does_not_change(place: Place, template_id: str) -> None:
    made = place.ec2.create_launch_template_version(
        LaunchTemplateId=template_id,
        SourceVersion="1",
        VersionDescription="bigger",
        LaunchTemplateData={"InstanceType": "t3.small"},
    )["LaunchTemplateVersion"]
    assert (made["VersionNumber"], made["DefaultVersion"]) == (2, False)
    assert made["LaunchTemplateData"]["ImageId"] == place.image_id
    assert made["LaunchTemplateData"]["InstanceType"] == "t3.small"


def test_default_latest_and_number_launch_their_versions(place: Place, template_id: str) -> None:
    place.ec2.create_launch_template_version(
        LaunchTemplateId=template_id, SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.small"}
    )
    types = {one: launch(place, Version=one)["InstanceType"] for one in ("$Default", "$Latest", "1", "2")}
    assert types == {"$Default": "t3.micro", "$Latest": "t3.small", "1": "t3.micro", "2": "t3.small"}
    place.ec2.modify_launch_template(LaunchTemplateId=template_id, DefaultVersion="2")
    assert launch(place)["InstanceType"] == "t3.small"


def test_an_instance_is_tagged_with_its_template(place: Place, template_id: str) -> None:
    tags = launch(place)["Tags"]
    assert {"Key": "role", "Value": "web"} in tags  # type: ignore[operator]
    assert {"Key": "aws:ec2launchtemplate:version", "Value": "1"} in tags  # type: ignore[operator]


def test_numbers_are_never_given_twice(place: Place, template_id: str) -> None:
    for _ in range(2):
        place.ec2.create_launch_template_version(
            LaunchTemplateId=template_id, SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.small"}
        )
    answer = place.ec2.delete_launch_template_versions(LaunchTemplateId=template_id, Versions=["1", "3"])
    deleted = [one["VersionNumber"] for one in answer["SuccessfullyDeletedLaunchTemplateVersions"]]
    refused = [one["VersionNumber"] for one in answer["UnsuccessfullyDeletedLaunchTemplateVersions"]]
    assert (deleted, refused) == ([3], [1])
    made = place.ec2.create_launch_template_version(
        LaunchTemplateId=template_id, SourceVersion="$Latest", LaunchTemplateData={"KeyName": ""}
    )
    assert made["LaunchTemplateVersion"]["VersionNumber"] == 4
    versions = place.ec2.describe_launch_template_versions(LaunchTemplateName="gbg")["LaunchTemplateVersions"]
    assert [one["VersionNumber"] for one in versions] == [4, 2, 1]


def test_unknown_versions_names_and_ids_have_awss_codes(place: Place, template_id: str) -> None:
    with pytest.raises(ClientError, match=r"InvalidLaunchTemplateId\.VersionNotFound"):
        launch(place, Version="7")
    with pytest.raises(ClientError, match=r"InvalidLaunchTemplateName\.AlreadyExistsException"):
        place.ec2.create_launch_template(
            LaunchTemplateName="gbg", LaunchTemplateData={"InstanceType": "t3.micro"}
        )
    with pytest.raises(ClientError, match=r"InvalidLaunchTemplateId\.NotFound"):
        place.ec2.describe_launch_templates(LaunchTemplateIds=["lt-0123456789abcdef0"])
    place.ec2.delete_launch_template(LaunchTemplateId=template_id)
    with pytest.raises(ClientError, match=r"InvalidLaunchTemplateName\.NotFoundException"):
        place.ec2.describe_launch_templates(LaunchTemplateNames=["gbg"])
