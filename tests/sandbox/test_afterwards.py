"""When a run is over its folder goes to S3 and people are told, each whatever becomes of the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gbg_lib.errors import NotDelivered
from gbg_lib.parameters import Parameters
from gbg_lib.runner.afterwards import FILE, Afterwards
from gbg_lib.runner.outputs import Bucket
from gbg_sandbox.cloud import Cloud
from tests.sandbox.doors import door
from tests.webhooks import chat

FAILED = {
    "runbook": "04_release",
    "seconds": 83.4,
    "status": "failed",
    "what": "0 of 2 healthy",
    "where": "Check",
}
DONE = {"runbook": "04_release", "seconds": 83.4, "status": "done"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "runs" / "20260101-000000-04_release"
    (made / "evidence").mkdir(parents=True)
    (made / "04_release.html").write_text("<p>ü</p>")
    (made / "04_release.ipynb").write_text("{}")
    (made / "evidence" / "deployment.json").write_text("[]")
    (made / "result.json").write_text(json.dumps(FAILED))
    return made


def afterwards(cloud: Cloud, bucket: Bucket | None = None, **parameters: Any) -> Afterwards:
    made = Afterwards(Parameters(**parameters), bucket)
    made.__dict__["aws"] = door(cloud)
    return made


def messages(cloud: Cloud) -> list[dict[str, Any]]:
    return [
        dict(event.detail) for event in cloud.events.since(0) if event.detail_type == "SNS Message Published"
    ]


def test_a_folder_goes_to_s3_whole_with_its_result_last(cloud: Cloud, folder: Path) -> None:
    cloud.client("s3").create_bucket(Bucket="kept")
    after = afterwards(cloud, Bucket("kept", "shop/runs"))
    after(folder)
    assert not after.failures
    listed = cloud.client("s3").list_objects_v2(Bucket="kept")["Contents"]
    prefix = "shop/runs/20260101-000000-04_release"
    assert sorted(one["Key"] for one in listed) == [
        f"{prefix}/04_release.html",
        f"{prefix}/04_release.ipynb",
        f"{prefix}/evidence/deployment.json",
        f"{prefix}/result.json",
    ]
    puts = [call.params["Key"] for call in cloud.trail.calls() if call.operation == "PutObject"]
    assert puts[-1] == f"{prefix}/result.json"
    page = cloud.client("s3").get_object(Bucket="kept", Key=f"{prefix}/04_release.html")
    assert (page["ContentType"], page["Body"].read().decode()) == ("text/html", "<p>ü</p>")


def test_a_topic_is_told_the_reason_and_where_the_run_is_kept(cloud: Cloud, folder: Path) -> None:
    cloud.client("s3").create_bucket(Bucket="kept")
    topic = cloud.client("sns").create_topic(Name="releases")["TopicArn"]
    afterwards(cloud, Bucket("kept", ""), notify=topic, deployment="shop")(folder)
    [told] = messages(cloud)
    assert told["subject"] == "failed: 0 of 2 healthy"
    assert told["message"].splitlines() == [
        "failed: 0 of 2 healthy",
        "where: Check",
        "run: 04_release of shop on the sandbox, 83 s",
        "kept: s3://kept/20260101-000000-04_release/",
    ]


def test_outputs_that_did_not_arrive_are_told_to_people_too(cloud: Cloud, folder: Path) -> None:
    with chat() as room:
        after = afterwards(cloud, Bucket("nowhere", "x"), notify=room.url)
        after(folder)
    with pytest.raises(NotDelivered):
        after.require_kept()
    assert "not in s3://nowhere/x" in room.said[0]["text"]
    assert str(folder) in room.said[0]["text"]
    assert after.failures[0].where == "outputs"
    assert "bucket does not exist" in after.failures[0].what


def test_a_message_that_did_not_arrive_is_told_and_loses_no_output(cloud: Cloud, folder: Path) -> None:
    cloud.client("s3").create_bucket(Bucket="kept")
    after = afterwards(
        cloud, Bucket("kept", ""), notify="arn:aws:sns:us-east-1:123456789012:gone,ssm:/not/there"
    )
    after(folder)
    after.require_kept()
    assert [failure.where for failure in after.failures] == [
        "notification to arn:aws:sns:us-east-1:123456789012:gone",
        "notification to ssm:/not/there",
    ]
    told = json.loads((folder / FILE).read_text())["told"]
    assert all(one["what"] for one in told)
    assert json.loads((folder / "result.json").read_text()) == FAILED


def test_a_webhook_in_parameter_store_is_told(cloud: Cloud, folder: Path) -> None:
    with chat() as room:
        cloud.client("ssm").put_parameter(Name="/gbg/chat", Type="SecureString", Value=room.url)
        after = afterwards(cloud, notify="ssm:/gbg/chat")
        after(folder)
    assert not after.failures
    assert room.said[0]["text"].startswith("failed: 0 of 2 healthy")
    assert "secret-path" not in (folder / FILE).read_text()


@pytest.mark.parametrize(("result", "heard"), [(DONE, 0), (FAILED, 1)])
def test_who_wants_to_hear_of_failures_hears_of_nothing_else(
    cloud: Cloud, folder: Path, result: dict[str, Any], heard: int
) -> None:
    (folder / "result.json").write_text(json.dumps(result))
    with chat() as room:
        afterwards(cloud, notify=room.url, notify_on="failure")(folder)
    assert len(room.said) == heard


def test_a_run_that_only_explains_is_told_to_nobody(cloud: Cloud, folder: Path) -> None:
    with chat() as room:
        after = afterwards(cloud, Bucket("nowhere", ""), notify=room.url, explain=True)
        after(folder)
    assert not after.failures
    assert not room.said
