"""CloudTrail's event history, looked up in pages while more is called."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.gateway.trail import KEPT_READS, ApiCall, Trail
from gbg_sandbox.service import Principal
from tests.sandbox.places import eventually, make_place

BEGIN = datetime(2026, 11, 28, 12, tzinfo=UTC)
SOMEONE = Principal("user", "arn:aws:iam::123456789012:user/someone", "123456789012", user_name="someone")
CHANGES = [{"AttributeKey": "ReadOnly", "AttributeValue": "false"}]
Client = Callable[[str], Any]


def called(cloud: Cloud, number: int, operation: str = "RunInstances", service: str = "ec2") -> None:
    time = BEGIN + timedelta(seconds=number)
    cloud.trail.append(
        ApiCall(f"id-{number}", service, operation, SOMEONE, {"Name": f"n{number}"}, time=time)
    )


@pytest.fixture
def trail(cloud: Cloud, client: Callable[[str], BaseClient]) -> Any:
    for number in range(200):
        called(cloud, number, "DescribeInstances" if number % 2 else "RunInstances")
    return client("cloudtrail")


def names(events: list[dict[str, Any]]) -> list[str]:
    return [one["EventId"] for one in events]


def test_pages_hold_every_event_of_the_time_once_and_newest_first(cloud: Cloud, trail: Any) -> None:
    asked = {"StartTime": BEGIN, "EndTime": BEGIN + timedelta(seconds=150), "LookupAttributes": CHANGES}
    found: list[str] = []
    more: dict[str, str] = {}
    while True:
        page = trail.lookup_events(**asked, **more)
        found += names(page["Events"])
        called(cloud, 1000 + len(found))
        if "NextToken" not in page:
            break
        more = {"NextToken": page["NextToken"]}
    assert found == [f"id-{number}" for number in range(150, -1, -2)]


def test_what_was_called_before_it_but_written_down_later_is_found(cloud: Cloud, trail: Any) -> None:
    called(cloud, -20)
    called(cloud, 190)
    found = trail.lookup_events(StartTime=BEGIN + timedelta(seconds=180), EndTime=BEGIN + timedelta(hours=1))
    assert len(names(found["Events"])) == 21


@pytest.mark.parametrize(
    ("key", "value", "count"),
    [("EventName", "DescribeInstances", 100), ("ResourceName", "n7", 1), ("Username", "nobody", 0)],
)
def test_one_attribute_is_looked_up_whenever_it_was(trail: Any, key: str, value: str, count: int) -> None:
    pages = trail.get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}]
    )
    mine = [one for page in pages for one in page["Events"] if one["EventId"].startswith("id-")]
    assert len(mine) == count


def test_without_a_time_the_whole_history_is_looked_through(trail: Any) -> None:
    asked = [{"AttributeKey": "ResourceName", "AttributeValue": "n0"}]
    assert names(trail.lookup_events(LookupAttributes=asked)["Events"]) == ["id-0"]


def test_what_was_changed_is_found_however_much_was_read_since(cloud: Cloud, trail: Any) -> None:
    for number in range(50_000):
        called(cloud, 400 + number, "DescribeInstances")
    found = trail.lookup_events(StartTime=BEGIN, LookupAttributes=CHANGES)
    assert names(found["Events"]) == [f"id-{number}" for number in range(198, 98, -2)]


def test_what_auto_scaling_does_is_its_own_doing_and_no_look_up_of_a_service_is_told(cloud: Cloud) -> None:
    place = make_place(cloud)
    template = {"ImageId": place.image_id, "InstanceType": "t3.micro"}
    place.ec2.create_launch_template(LaunchTemplateName="fleet", LaunchTemplateData=template)
    cloud.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="fleet",
        LaunchTemplate={"LaunchTemplateName": "fleet"},
        MinSize=1,
        MaxSize=1,
        VPCZoneIdentifier=place.subnets[0],
    )

    def launched() -> list[dict[str, Any]]:
        wanted = [{"AttributeKey": "EventName", "AttributeValue": "RunInstances"}]
        found: list[dict[str, Any]] = cloud.client("cloudtrail").lookup_events(LookupAttributes=wanted)[
            "Events"
        ]
        return found

    eventually(lambda: len(launched()) == 1)
    [event] = launched()
    assert event["Username"] == "AutoScaling"
    told = json.loads(event["CloudTrailEvent"])
    assert told["sourceIPAddress"] == "autoscaling.amazonaws.com"
    assert told["userIdentity"] == {
        "type": "AssumedRole",
        "arn": "arn:aws:sts::123456789012:assumed-role/AWSServiceRoleForAutoScaling/AutoScaling",
        "invokedBy": "autoscaling.amazonaws.com",
    }
    assert not [one for one in cloud.trail.calls() if one.reads and one.principal.kind == "aws"]


def test_a_call_is_dated_by_its_beginning_and_so_before_what_was_done_about_it(cloud: Cloud) -> None:
    (instance,) = make_place(cloud).launch()
    [asked] = [one for one in cloud.trail.calls() if one.operation == "RunInstances"]
    news = [one for one in cloud.events.since(0) if one.detail.get("instance-id") == instance]
    assert asked.time < news[0].time


def test_data_events_are_in_no_history(cloud: Cloud, trail: Any) -> None:
    called(cloud, 300, "PutObject", "s3")
    found = trail.lookup_events(StartTime=BEGIN + timedelta(seconds=299), EndTime=BEGIN + timedelta(hours=1))
    assert found["Events"] == []


def test_a_token_that_was_never_given_out_is_refused(trail: Any) -> None:
    with pytest.raises(ClientError, match="InvalidNextToken"):
        trail.lookup_events(NextToken="x")


class Read(dict[str, Any]):
    """A call's parameters, which count how often somebody looks at them."""

    looks = 0

    def values(self) -> Any:
        self.looks += 1
        return super().values()


def test_a_page_looks_into_no_more_calls_than_it_shows(cloud: Cloud, trail: Any) -> None:
    params = Read(Name="n")
    for number in range(5_000):
        time = BEGIN + timedelta(seconds=400 + number)
        cloud.trail.append(ApiCall(f"id-{number}", "ec2", "RunInstances", SOMEONE, params, time=time))
    page = trail.lookup_events(LookupAttributes=CHANGES, StartTime=BEGIN + timedelta(seconds=4_000))
    assert len(page["Events"]) == params.looks == 50


def test_whoever_stops_early_copies_little_of_what_was_ever_called() -> None:
    """A list of all of them would be 160 KB."""
    trail = Trail()
    for _ in range(KEPT_READS):
        trail.append(ApiCall("id", "ec2", "DescribeInstances", SOMEONE, {}))
    tracemalloc.start()
    try:
        number, _ = next(trail.before(None))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert number == KEPT_READS - 1
    assert most < 40_000


def test_reads_push_out_no_change_and_what_was_pushed_out_ends_the_walk() -> None:
    """Also where it goes while somebody walks."""
    trail = Trail()
    for operation in ("RunInstances", "DescribeInstances"):
        trail.append(ApiCall(operation, "ec2", operation, SOMEONE, {}))
    walk = trail.before(None)
    assert next(walk)[1].operation == "DescribeInstances"
    for _ in range(2 * KEPT_READS):
        trail.append(ApiCall("id", "ec2", "DescribeInstances", SOMEONE, {}))
    assert [number for number, _ in walk] == [0]
    kept = [number for number, _ in trail.before(None)]
    assert kept[0] == 2 * KEPT_READS + 1
    assert kept[-1] == 0
    assert KEPT_READS < len(kept) <= 1.1 * KEPT_READS + 1
