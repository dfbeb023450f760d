"""Where tests launch: a VPC with two subnets, and the public image."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gbg_sandbox.cloud import Cloud

PATIENCE_REAL_SECONDS = 120


@dataclass(frozen=True)
class Place:
    cloud: Cloud
    vpc_id: str
    subnets: tuple[str, ...]
    image_id: str

    @property
    def ec2(self) -> Any:
        return self.cloud.client("ec2")

    def launch(self, count: int = 1, **params: Any) -> list[str]:
        """Instance ids of running instances."""
        request = {
            "ImageId": self.image_id,
            "InstanceType": "t3.micro",
            "SubnetId": self.subnets[0],
            **params,
        }
        made = self.ec2.run_instances(MinCount=count, MaxCount=count, **request)["Instances"]
        ids = [one["InstanceId"] for one in made]
        eventually(lambda: all(self.state(one) == "running" for one in ids))
        return ids

    def instance(self, instance_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0][
            "Instances"
        ][0]
        return found

    def state(self, instance_id: str) -> str:
        return str(self.instance(instance_id)["State"]["Name"])


def make_place(cloud: Cloud) -> Place:
    ec2: Any = cloud.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = tuple(
        ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")[
            "Subnet"
        ]["SubnetId"]
        for number, zone in enumerate("ab", 1)
    )
    images = ec2.describe_images(Owners=["amazon"])["Images"]
    return Place(cloud, vpc_id, subnets, min(images, key=lambda image: image["CreationDate"])["ImageId"])


def eventually(condition: Callable[[], object], real_seconds: float = PATIENCE_REAL_SECONDS) -> None:
    """Wait for what an engine is about to do; fails the test when it doesn't."""
    limit = time.monotonic() + real_seconds
    pause = 0.01
    while not condition():
        assert time.monotonic() < limit, "it didn't happen"
        time.sleep(pause)
