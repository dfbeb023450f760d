"""Parameter Store: events, public parameters, and images that are looked at before they are taken."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.service import Principal
from tests.sandbox.places import eventually

PUBLIC = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


@pytest.fixture
def ssm(cloud: Cloud) -> Any:
    return cloud.client("ssm")


def changes(cloud: Cloud) -> list[dict[str, Any]]:
    return [dict(one.detail) for one in cloud.events.since(0) if one.detail_type == "Parameter Store Change"]


def test_every_change_is_announced(cloud: Cloud, ssm: Any) -> None:
    ssm.put_parameter(Name="/gbg/x", Value="1", Type="String")
    ssm.put_parameter(Name="/gbg/x", Value="2", Overwrite=True)
    ssm.label_parameter_version(Name="/gbg/x", Labels=["good"])
    ssm.delete_parameter(Name="/gbg/x")
    assert [(one["operation"], one["name"], one["type"]) for one in changes(cloud)] == [
        ("Create", "/gbg/x", "String"),
        ("Update", "/gbg/x", "String"),
        ("LabelParameterVersion", "/gbg/x", "String"),
        ("Delete", "/gbg/x", "String"),
    ]


def test_every_version_names_who_wrote_it(cloud: Cloud, ssm: Any) -> None:
    mary = Principal(kind="user", arn=cloud.arn("iam", "user/mary"), account=cloud.account, user_name="mary")
    cloud.stored("iam").create_user(UserName="mary")
    cloud.stored("iam").attach_user_policy(
        UserName="mary", PolicyArn="arn:aws:iam::aws:policy/AmazonSSMFullAccess"
    )
    ssm.put_parameter(Name="/gbg/x", Value="1", Type="String")
    cloud.client("ssm", principal=mary).put_parameter(Name="/gbg/x", Value="2", Overwrite=True)
    history = ssm.get_parameter_history(Name="/gbg/x")["Parameters"]
    assert [one["LastModifiedUser"] for one in history] == [cloud.aws.arn, mary.arn]
    [described] = ssm.describe_parameters()["Parameters"]
    assert described["LastModifiedUser"] == mary.arn


def test_the_public_parameter_names_an_image_that_can_be_launched(cloud: Cloud, ssm: Any) -> None:
    image = ssm.get_parameter(Name=PUBLIC)["Parameter"]["Value"]
    found = cloud.client("ec2").describe_images(ImageIds=[image])["Images"]
    assert found[0]["Name"].startswith("al2023-ami-2023.")
    several = ssm.get_parameters(Names=[PUBLIC, "/aws/service/nothing", "/gbg/x"])
    assert [one["Value"] for one in several["Parameters"]] == [image]
    assert sorted(several["InvalidParameters"]) == ["/aws/service/nothing", "/gbg/x"]
    listed = ssm.get_parameters_by_path(Path="/aws/service/ami-amazon-linux-latest")["Parameters"]
    assert PUBLIC in [one["Name"] for one in listed]
    with pytest.raises(ClientError, match="ParameterNotFound"):
        ssm.get_parameter(Name="/aws/service/ami-windows-latest/Windows_Server-2022-English-Full-Base")


def test_an_image_parameter_appears_after_its_image_was_found(cloud: Cloud, ssm: Any) -> None:
    image = ssm.get_parameter(Name=PUBLIC)["Parameter"]["Value"]
    made = ssm.put_parameter(Name="/gbg/ami", Value=image, Type="String", DataType="aws:ec2:image")
    assert made["Version"] == 1
    eventually(lambda: changes(cloud))
    assert ssm.get_parameter(Name="/gbg/ami")["Parameter"]["DataType"] == "aws:ec2:image"
    assert changes(cloud) == [
        {"operation": "Create", "name": "/gbg/ami", "dataType": "aws:ec2:image", "type": "String"}
    ]


def test_an_image_that_is_not_there_never_becomes_a_parameter(cloud: Cloud, ssm: Any) -> None:
    ssm.put_parameter(Name="/gbg/ami", Value="ami-00000000000000000", Type="String", DataType="aws:ec2:image")
    eventually(lambda: changes(cloud))
    assert changes(cloud)[0]["exception"] == "Unable to Describe Resource"
    with pytest.raises(ClientError, match="ParameterNotFound"):
        ssm.get_parameter(Name="/gbg/ami")
