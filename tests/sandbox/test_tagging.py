"""The Resource Groups Tagging API: what carries a tag, wherever it is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

OURS = [{"Key": "gbg:deployment", "Value": "shop"}]
ASKED = [{"Key": "gbg:deployment", "Values": ["shop"]}]


def arns(client: Callable[[str], Any], **asked: object) -> list[str]:
    pages = client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(**asked)
    return [one["ResourceARN"] for told in pages for one in told["ResourceTagMappingList"]]


@pytest.fixture
def tagged(client: Callable[[str], Any]) -> list[str]:
    """One thing of each keeper, ours and moto's; a bucket that carries another value."""
    client("events").put_rule(Name="nightly", ScheduleExpression="rate(5 minutes)", Tags=OURS)
    client("codecommit").create_repository(repositoryName="src", tags={"gbg:deployment": "shop"})
    client("codedeploy").create_application(applicationName="app", computePlatform="Server", tags=OURS)
    client("logs").create_log_group(logGroupName="/odd", tags={"gbg:deployment": "shop"})
    client("ssm").put_parameter(Name="/odd/size", Value="1", Type="String", Tags=OURS)
    topic = client("sns").create_topic(Name="news", Tags=OURS)["TopicArn"]
    client("s3").create_bucket(Bucket="pictures")
    other = {"TagSet": [{"Key": "gbg:deployment", "Value": "another"}]}
    client("s3").put_bucket_tagging(Bucket="pictures", Tagging=other)
    here = topic.removeprefix("arn:aws:sns:").removesuffix(":news")
    return [
        f"arn:aws:codecommit:{here}:src",
        f"arn:aws:codedeploy:{here}:application:app",
        f"arn:aws:events:{here}:rule/nightly",
        f"arn:aws:logs:{here}:log-group:/odd",
        f"arn:aws:sns:{here}:news",
        f"arn:aws:ssm:{here}:parameter/odd/size",
    ]


def test_a_tag_is_found_in_every_service_and_another_value_is_not(
    client: Callable[[str], Any], tagged: list[str]
) -> None:
    assert arns(client, TagFilters=ASKED) == tagged
    assert arns(client, TagFilters=ASKED, ResourcesPerPage=2) == tagged
    assert len(arns(client, TagFilters=[{"Key": "gbg:deployment"}])) == len(tagged) + 1
    assert arns(client, TagFilters=[*ASKED, {"Key": "no-such-key"}]) == []


def test_types_narrow_it_down(client: Callable[[str], Any], tagged: list[str]) -> None:
    found = arns(client, TagFilters=ASKED, ResourceTypeFilters=["events:rule", "logs"])
    assert found == [one for one in tagged if ":events:" in one or ":logs:" in one]


def test_what_is_gone_is_told_no_longer_and_its_name_begins_anew(
    client: Callable[[str], Any], tagged: list[str]
) -> None:
    client("events").delete_rule(Name="nightly")
    client("codedeploy").delete_application(applicationName="app")
    client("codedeploy").create_application(applicationName="app", computePlatform="Server")
    found = arns(client, TagFilters=ASKED)
    assert found == [one for one in tagged if ":events:" not in one and ":codedeploy:" not in one]


def test_what_it_does_not_look_by_is_refused(client: Callable[[str], Any]) -> None:
    with pytest.raises(ClientError, match="does not look by ResourceARNList"):
        arns(client, ResourceARNList=["arn:aws:sns:us-east-1:123456789012:news"])
