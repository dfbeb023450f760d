"""A group with ELB health checks replaces what the load balancer calls unhealthy, after the grace period."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gbg_sandbox.cloud import Cloud
from tests.sandbox.groups import Fleet, make_fleet
from tests.sandbox.loopback_machines import LoopbackMachines, Site
from tests.sandbox.places import eventually


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(
        tmp_path / "state", open_machines=lambda *_: LoopbackMachines(tmp_path / "machines"), scale=600.0
    )
    made.start()
    made.service("autoscaling").engine.patience.real_floor = 0.0
    yield made
    made.stop()


def make_target_group(fleet: Fleet) -> str:
    """A target group behind a load balancer, checked every tenth of a second at most."""
    ec2, elbv2 = fleet.place.ec2, fleet.place.cloud.client("elbv2")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=fleet.place.vpc_id)
    elb: Any = elbv2
    balancer = elb.create_load_balancer(Name="front", Subnets=list(fleet.place.subnets))["LoadBalancers"][0]
    arn = elb.create_target_group(
        Name="web", Protocol="HTTP", Port=8080, VpcId=fleet.place.vpc_id, HealthCheckIntervalSeconds=10
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )
    return str(arn)


def open_site(fleet: Fleet, instance_id: str) -> Site:
    address = fleet.place.instance(instance_id)["PrivateIpAddress"]
    return Site(fleet.place.cloud.machines.reach(fleet.place.vpc_id, address), 8080, instance_id)


def test_an_instance_that_stops_answering_is_replaced(cloud: Cloud) -> None:
    fleet = make_fleet(cloud)
    arn = make_target_group(fleet)
    fleet.create("web", 1, TargetGroupARNs=[arn], HealthCheckType="ELB", HealthCheckGracePeriod=86400)
    (first,) = fleet.serving("web")
    site = open_site(fleet, first)

    def state() -> str:
        found = fleet.autoscaling.describe_load_balancer_target_groups(AutoScalingGroupName="web")
        return str(found["LoadBalancerTargetGroups"][0]["State"])

    eventually(lambda: state() == "InService")
    fleet.autoscaling.update_auto_scaling_group(AutoScalingGroupName="web", HealthCheckGracePeriod=0)
    site.close()
    eventually(lambda: first not in fleet.members("web"))
    causes = [one["Cause"] for one in fleet.activities("web")]
    assert any("an ELB system health check failure" in cause for cause in causes)


def test_a_bad_answer_within_the_grace_period_is_no_reason(cloud: Cloud) -> None:
    fleet = make_fleet(cloud)
    arn = make_target_group(fleet)
    fleet.create("web", 1, TargetGroupARNs=[arn], HealthCheckType="ELB", HealthCheckGracePeriod=86400)
    (only,) = fleet.serving("web")
    elb: Any = cloud.client("elbv2")

    def health() -> str:
        found = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return str(found[0]["TargetHealth"]["State"])

    eventually(lambda: health() == "unhealthy")
    cloud.clock.pause(1.5)
    assert fleet.serving("web") == [only]
    fleet.autoscaling.update_auto_scaling_group(AutoScalingGroupName="web", HealthCheckGracePeriod=0)
    eventually(lambda: only not in fleet.members("web"))
