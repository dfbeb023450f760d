"""What EC2's groups of operations share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import AwsError, Service
from gbg_sandbox.services.ec2.engine import Ec2Engine
from gbg_sandbox.services.ec2.records import NetworkRecords
from gbg_sandbox.services.ec2.state import Ec2State, Tags

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud


class Ec2Operations(Service):
    name = "ec2"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.state = Ec2State()
        self.records = NetworkRecords(cloud)
        self.engine = Ec2Engine(cloud, self.state, self.records)


def tags_for(kind: str, specifications: list[dict[str, Any]] | None, allowed: tuple[str, ...] = ()) -> Tags:
    """The tags that TagSpecifications give to one kind of resource."""
    found: Tags = {}
    for specification in specifications or ():
        wanted = specification.get("ResourceType", "")
        if wanted not in (allowed or (kind,)):
            raise AwsError(
                "InvalidParameterValue",
                f"'{wanted}' is not a valid taggable resource type for this operation.",
            )
        if wanted == kind:
            found |= {tag["Key"]: tag.get("Value", "") for tag in specification.get("Tags", ())}
    return found
