"""Fleets: groups of the deployment with their machines, images and health behind the load balancer."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gbg_lib.fleet import Page, fleets, read_page
from tests.unit.aws_fakes import connected


class FakeEc2Fleet:
    """Auto Scaling, EC2 and the load balancer in one."""

    def __init__(self, groups: dict[str, list[str]], health: dict[str, str]) -> None:
        self.groups = groups
        self.health = health

    def describe_auto_scaling_groups(self, **given: Any) -> dict[str, Any]:
        assert given["Filters"] == [{"Name": "tag:gbg:deployment", "Values": ["gbg"]}]
        return {"AutoScalingGroups": [self._group(name) for name in self.groups]}

    def _group(self, name: str) -> dict[str, Any]:
        template = {"LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "2"}}
        machines = [
            {"InstanceId": one, "AvailabilityZone": "us-east-1a", "LifecycleState": "InService", **template}
            for one in self.groups[name]
        ]
        return {"AutoScalingGroupName": name, "DesiredCapacity": 2, "Instances": machines, **template}

    def describe_instances(self, **given: Any) -> dict[str, Any]:
        assert given["InstanceIds"], "without ids, AWS would list every machine of the account"
        found = [{"InstanceId": one, "ImageId": f"ami-of-{one}"} for one in given["InstanceIds"]]
        return {"Reservations": [{"Instances": [one]} for one in found]}

    def describe_target_health(self, **given: Any) -> dict[str, Any]:
        found = [{"Target": {"Id": one}, "TargetHealth": {"State": s}} for one, s in self.health.items()]
        return {"TargetHealthDescriptions": found}


def test_fleets_know_their_machines_images_and_health() -> None:
    cloud = FakeEc2Fleet({"gbg-green": ["i-2", "i-3"], "gbg-blue": []}, {"i-2": "healthy", "i-3": "initial"})
    aws = connected(autoscaling=cloud, ec2=cloud, elbv2=cloud)
    blue, green = fleets(aws, "gbg", "arn:target-group")
    assert (blue.group, blue.instances, blue.serving) == ("gbg-blue", (), 0)
    assert (green.group, green.desired, green.template_version, green.serving) == ("gbg-green", 2, "2", 1)
    assert [(one.id, one.image, one.target_health) for one in green.instances] == [
        ("i-2", "ami-of-i-2", "healthy"),
        ("i-3", "ami-of-i-3", "initial"),
    ]


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()
        self.wfile.write(b'{"commit": "5f2c", "started": 3}')

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read answers, not logs."""


@pytest.fixture
def site() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_page_tells_its_release(site: str) -> None:
    page = read_page(site + "health")
    assert (page.status, page.facts) == (200, {"commit": "5f2c", "started": "3"})


def test_no_answer_is_told_not_raised(site: str) -> None:
    assert read_page(site + "other").status == 503
    nobody = read_page("http://127.0.0.1:1/")
    assert nobody.status == 0 and "refused" in nobody.body


@pytest.mark.parametrize("body", ["<html>", '["a"]', ""])
def test_a_page_that_is_no_object_has_no_facts(body: str) -> None:
    assert Page("http://h/", 200, body).facts == {}
