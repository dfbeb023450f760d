"""A load balancer sends requests to healthy targets, loses none in a swap, and says how targets are."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.services.elbv2.proxy import Counted
from tests.sandbox.loopback_machines import LoopbackMachines, Site
from tests.sandbox.places import Place, eventually, make_place

STATUS = {"ready": "no check", "drain": "DRAIN", "maint": "MAINT"}
"""a target's state, as HAProxy tells it"""
DELAY_SECONDS = 300
"""AWS's own deregistration delay"""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(
        tmp_path / "state", open_machines=lambda *_: LoopbackMachines(tmp_path / "machines"), scale=600.0
    )
    made.start()
    yield made
    made.stop()


@dataclass
class Balanced:
    """A load balancer in front of a target group."""

    cloud: Cloud
    place: Place
    group_arn: str
    arn: str
    url: str
    sites: dict[str, Site] = field(default_factory=dict)

    @property
    def elbv2(self) -> Any:
        return self.cloud.client("elbv2")

    def launch(self, name: str, *, served: bool = True) -> str:
        (instance,) = self.place.launch()
        if served:
            address = self.place.instance(instance)["PrivateIpAddress"]
            self.sites[name] = Site(self.cloud.machines.reach(self.place.vpc_id, address), 8080, name)
        return instance

    def register(self, *instances: str) -> None:
        self.elbv2.register_targets(TargetGroupArn=self.group_arn, Targets=[{"Id": one} for one in instances])

    def deregister(self, *instances: str) -> None:
        self.elbv2.deregister_targets(
            TargetGroupArn=self.group_arn, Targets=[{"Id": one} for one in instances]
        )

    def health(self, instance: str) -> dict[str, str]:
        told = self.elbv2.describe_target_health(TargetGroupArn=self.group_arn, Targets=[{"Id": instance}])
        found: dict[str, str] = told["TargetHealthDescriptions"][0]["TargetHealth"]
        return found

    def become(self, instance: str, state: str) -> None:
        """And let the proxy know: it is told a moment later."""
        eventually(lambda: self.health(instance)["State"] == state and self.proxy_knows())

    def proxy_knows(self) -> bool:
        """Whether it sees every target as it is to see it."""
        engine = self.cloud.service("elbv2").engine
        wanted = {one.name: STATUS[one.state] for one in engine._servers(self.group_arn)}
        rows = engine.proxies(self.arn)[-1].rows()
        backend = self.group_arn.rpartition("/")[2]
        ours = [row for row in rows if row["pxname"] == backend and row["svname"] != "BACKEND"]
        return {row["svname"]: row["status"] for row in ours} == wanted

    def get(self, path: str = "/", **headers: str) -> tuple[int, str]:
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.fixture
def balanced(cloud: Cloud) -> Iterator[Balanced]:
    place = make_place(cloud)
    gateway = place.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    place.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=place.vpc_id)
    elbv2 = cloud.client("elbv2")
    made = elbv2.create_load_balancer(Name="front", Subnets=list(place.subnets))["LoadBalancers"][0]
    group = elbv2.create_target_group(
        Name="web", Protocol="HTTP", Port=8080, VpcId=place.vpc_id,
        HealthCheckIntervalSeconds=10, HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    elbv2.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )  # fmt: skip
    found = Balanced(cloud, place, group, made["LoadBalancerArn"], f"http://{made['DNSName']}")
    yield found
    for site in found.sites.values():
        site.close()


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_requests_go_round_the_healthy_targets_only(balanced: Balanced) -> None:
    assert balanced.get()[0] == 503
    one, two = balanced.launch("one"), balanced.launch("two")
    balanced.register(one, two)
    balanced.become(one, "healthy")
    balanced.become(two, "healthy")
    assert Counter(balanced.get()[1] for _ in range(10)) == {"one": 5, "two": 5}
    balanced.sites["two"].status = 500
    balanced.become(two, "unhealthy")
    assert balanced.health(two) == {
        "State": "unhealthy",
        "Reason": "Target.ResponseCodeMismatch",
        "Description": "Health checks failed with these codes: [500]",
    }
    assert {balanced.get() for _ in range(6)} == {(200, "one")}


def test_with_no_healthy_target_all_get_requests(balanced: Balanced) -> None:
    one = balanced.launch("one")
    balanced.sites["one"].status = 404
    balanced.register(one)
    balanced.become(one, "unhealthy")
    assert balanced.get() == (404, "one")
    balanced.sites["one"].status = 200
    balanced.become(one, "healthy")


def test_a_target_that_is_not_there_gives_502_and_says_why(balanced: Balanced) -> None:
    one = balanced.launch("one", served=False)
    balanced.register(one)
    balanced.become(one, "unhealthy")
    assert balanced.health(one)["Reason"] == "Target.FailedHealthChecks"
    assert balanced.get()[0] == 502


def test_the_target_learns_who_asked(balanced: Balanced) -> None:
    one = balanced.launch("one")
    balanced.register(one)
    balanced.become(one, "healthy")
    balanced.get("/", **{"X-Forwarded-For": "192.0.2.1"})
    headers = balanced.sites["one"].headers
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-port"] == balanced.url.rpartition(":")[2]
    assert headers["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
    assert headers["host"].startswith("localhost:")


def test_a_swap_under_load_loses_no_request(balanced: Balanced) -> None:
    blue = [balanced.launch("blue1"), balanced.launch("blue2")]
    green = [balanced.launch("green1"), balanced.launch("green2")]
    balanced.register(*blue)
    for one in blue:
        balanced.become(one, "healthy")
    balanced.elbv2.modify_target_group_attributes(
        TargetGroupArn=balanced.group_arn,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "120"}],
    )
    answers: Counter[int] = Counter()
    done = threading.Event()

    def load() -> None:
        connection = http.client.HTTPConnection("localhost", int(balanced.url.rpartition(":")[2]), timeout=10)
        while not done.is_set():
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            answers[answer.status] += 1

    clients = [threading.Thread(target=load) for _ in range(8)]
    for client in clients:
        client.start()
    balanced.register(*green)
    for one in green:
        balanced.become(one, "healthy")
    balanced.deregister(*blue)
    for one in blue:
        balanced.become(one, "unused")
    for name in ("blue1", "blue2"):
        balanced.sites[name].close()
    before = balanced.sites["green1"].served
    eventually(lambda: balanced.sites["green1"].served > before + 50)
    done.set()
    for client in clients:
        client.join()
    assert set(answers) == {200}
    assert answers[200] == sum(site.served for site in balanced.sites.values())


class DeadProxy:
    """One that has just died and was not looked after yet."""

    retired_at = 0.0

    def serves(self, group_arn: str) -> bool:
        return True

    def in_flight(self, backend: str, server: str) -> int:
        raise ConnectionRefusedError("nobody is there")

    def sync(self, servers: object) -> None: ...

    def counted(self) -> Counted:
        return Counted([], [])

    def finished(self) -> bool:
        return False


@pytest.mark.parametrize("died", [False, True])
def test_draining_waits_for_the_answer_in_flight(balanced: Balanced, died: bool) -> None:
    one, two = balanced.launch("one"), balanced.launch("two")
    balanced.register(one)
    balanced.become(one, "healthy")
    balanced.sites["one"].answers.clear()
    got: list[tuple[int, str]] = []
    asking = threading.Thread(target=lambda: got.append(balanced.get()))
    asking.start()
    backend = balanced.group_arn.rpartition("/")[2]
    proxy = balanced.cloud.service("elbv2").engine.proxies(balanced.arn)[-1]
    eventually(lambda: proxy.in_flight(backend, f"{one}:8080") == 1)
    proxies = balanced.cloud.service("elbv2").engine._proxies[balanced.arn]
    if died:
        proxies.insert(0, DeadProxy())
    balanced.register(two)
    balanced.become(two, "healthy")
    balanced.deregister(one)
    assert balanced.health(one) == {
        "State": "draining",
        "Reason": "Target.DeregistrationInProgress",
        "Description": "Target deregistration is in progress",
    }
    assert {balanced.get()[1] for _ in range(4)} == {"two"}
    balanced.cloud.clock.sleep(2 * DELAY_SECONDS)
    assert balanced.health(one)["State"] == "draining"
    balanced.sites["one"].answers.set()
    balanced.become(one, "unused")
    asking.join()
    assert got == [(200, "one")]
    proxies[:] = [proxy]
    assert balanced.health(one)["Reason"] == "Target.NotRegistered"


def test_a_terminated_instance_leaves_its_groups(balanced: Balanced) -> None:
    one = balanced.launch("one")
    balanced.register(one)
    balanced.become(one, "healthy")
    balanced.place.ec2.terminate_instances(InstanceIds=[one])
    eventually(
        lambda: (
            not balanced.elbv2.describe_target_health(TargetGroupArn=balanced.group_arn)[
                "TargetHealthDescriptions"
            ]
        )
    )
    assert balanced.get()[0] == 503


def test_a_proxy_that_dies_is_started_anew(balanced: Balanced) -> None:
    one = balanced.launch("one")
    balanced.register(one)
    balanced.become(one, "healthy")
    machines = balanced.cloud.machines
    assert isinstance(machines, LoopbackMachines)
    os.kill(machines.pids[-1], signal.SIGKILL)
    assert balanced.get() == (200, "one")
    events = balanced.cloud.events
    eventually(lambda: "Load Balancer Restarted" in [event.detail_type for event in events.since(0)])


def test_one_that_comes_up_too_late_is_ended_and_tried_again(balanced: Balanced) -> None:
    one = balanced.launch("one")
    balanced.register(one)
    balanced.become(one, "healthy")
    machines = balanced.cloud.machines
    assert isinstance(machines, LoopbackMachines)
    balanced.cloud.service("elbv2").engine.start_seconds = 0.2
    machines.instead = [shutil.which("sleep") or "", "300"]
    first = len(machines.pids)
    os.kill(machines.pids[-1], signal.SIGKILL)
    eventually(lambda: len(machines.pids) > first + 2)
    machines.instead = []
    balanced.cloud.service("elbv2").engine.start_seconds = 10
    eventually(lambda: len(balanced.cloud.service("elbv2").engine.proxies(balanced.arn)) == 1)
    assert balanced.get() == (200, "one")
    eventually(lambda: not any(machines.alive(pid) for pid in machines.pids[first:-1]))
    assert machines.alive(machines.pids[-1])
    failures = [one for one in balanced.cloud.events.since(0) if one.detail_type == "Engine Failure"]
    assert failures == []


def test_what_was_counted_is_kept_and_becomes_metrics(balanced: Balanced) -> None:
    one = balanced.launch("one")
    balanced.register(one)
    balanced.become(one, "healthy")
    for _ in range(5):
        balanced.get()
    balanced.sites["one"].status = 500
    for _ in range(3):
        balanced.get()

    def total(field_name: str) -> int:
        samples = balanced.cloud.service("elbv2").series(balanced.arn)
        return sum(sample.answers[field_name] for sample in samples if sample.target == f"{one}:8080")

    eventually(lambda: total("2xx") == 5 and total("5xx") == 3)
    dimension = {"Name": "LoadBalancer", "Value": balanced.arn.partition(":loadbalancer/")[2]}

    def names() -> set[str]:
        listed = balanced.cloud.client("cloudwatch").list_metrics(
            Namespace="AWS/ApplicationELB", Dimensions=[dimension]
        )["Metrics"]
        return {metric["MetricName"] for metric in listed}

    wanted = {"RequestCount", "HTTPCode_Target_5XX_Count", "HealthyHostCount", "TargetResponseTime"}
    eventually(lambda: wanted <= names())


def test_a_target_must_run_and_be_in_the_vpc(balanced: Balanced) -> None:
    with pytest.raises(ClientError) as error:
        balanced.register("i-0123456789abcdef0")
    assert code(error) == "InvalidTarget"
    other = make_place(balanced.cloud).launch()
    with pytest.raises(ClientError, match="not in the target group VPC") as error:
        balanced.register(*other)


def test_what_is_in_use_can_not_be_deleted(balanced: Balanced) -> None:
    elbv2 = balanced.elbv2
    with pytest.raises(ClientError) as error:
        elbv2.delete_target_group(TargetGroupArn=balanced.group_arn)
    assert code(error) == "ResourceInUse"
    protection = {"Key": "deletion_protection.enabled", "Value": "true"}
    elbv2.modify_load_balancer_attributes(LoadBalancerArn=balanced.arn, Attributes=[protection])
    with pytest.raises(ClientError) as error:
        elbv2.delete_load_balancer(LoadBalancerArn=balanced.arn)
    assert code(error) == "OperationNotPermitted"
    protection["Value"] = "false"
    elbv2.modify_load_balancer_attributes(LoadBalancerArn=balanced.arn, Attributes=[protection])
    elbv2.delete_load_balancer(LoadBalancerArn=balanced.arn)
    elbv2.delete_target_group(TargetGroupArn=balanced.group_arn)
    with pytest.raises(OSError):
        balanced.get()
    with pytest.raises(ClientError) as error:
        elbv2.describe_load_balancers(Names=["front"])
    assert code(error) == "LoadBalancerNotFound"


def test_a_load_balancer_that_can_not_be_counted_makes_no_other_be_told_twice(balanced: Balanced) -> None:
    """The second's only listener forwards to a target group that the records have lost."""
    elbv2, cloud = balanced.elbv2, balanced.cloud
    more = elbv2.create_load_balancer(Name="broken", Subnets=list(balanced.place.subnets))["LoadBalancers"][0]
    group = elbv2.create_target_group(
        Name="lost", Protocol="HTTP", Port=8080, VpcId=balanced.place.vpc_id
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    elbv2.create_listener(
        LoadBalancerArn=more["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )  # fmt: skip
    one = balanced.launch("one")
    balanced.register(one)
    balanced.become(one, "healthy")
    with cloud.service("elbv2").lock:
        lost = cloud.service("elbv2").records.groups.pop(group)

    def failures() -> int:
        return sum(event.detail_type == "Engine Failure" for event in cloud.events.since(0))

    eventually(lambda: failures() >= 1)
    since = datetime.now(UTC)
    dimensions = {
        "LoadBalancer": balanced.arn.partition("loadbalancer/")[2],
        "TargetGroup": balanced.group_arn.rpartition(":")[2],
    }

    def told() -> list[dict[str, Any]]:
        return list(
            cloud.client("cloudwatch").get_metric_statistics(
                Namespace="AWS/ApplicationELB",
                MetricName="HealthyHostCount",
                Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
                StartTime=since,
                EndTime=datetime.now(UTC),
                Period=1,
                Statistics=["SampleCount"],
            )["Datapoints"]
        )

    def later() -> list[float]:
        """But the first: a change of health before is told, too, where it was not read yet."""
        return [point["SampleCount"] for point in sorted(told(), key=lambda one: one["Timestamp"])][1:]

    eventually(lambda: len(later()) >= 4)
    assert set(later()) == {1.0}
    assert failures() == 1, "what fails in each round is told once"
    with cloud.service("elbv2").lock:
        cloud.service("elbv2").records.groups[group] = lost
