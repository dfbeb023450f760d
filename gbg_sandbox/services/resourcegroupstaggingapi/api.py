"""Resource Groups Tagging API: which resources of the region carry which tags.

As on AWS it tells nothing of Auto Scaling groups, IAM roles and instance profiles. What is gone is no longer
told; AWS goes on telling of it for a while.
https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gbg_sandbox.paging import page
from gbg_sandbox.service import AwsError, Call, Service, modelled

PAGE = 100
OWN = "arn:aws:ec2:"
"""moto tells of it too, and of what is gone"""
UNTOLD = ("arn:aws:autoscaling:", "arn:aws:iam:")
TAGS = Mapping[str, str]


class Tagging(Service):
    name = "resourcegroupstaggingapi"

    @modelled
    def get_resources(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        for refused in ("ResourceARNList", "IncludeComplianceDetails", "ExcludeCompliantResources"):
            if params.get(refused):
                raise AwsError("InvalidParameterException", f"gbg_sandbox does not look by {refused}")
        types, wanted = params.get("ResourceTypeFilters", []), params.get("TagFilters", [])
        found = [
            {"ResourceARN": arn, "Tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]}
            for arn, tags in sorted(self._all().items())
            if tags and _is_of(arn, types) and all(_carries(tags, one) for one in wanted)
        ]
        shown, token = page(
            found,
            params.get("PaginationToken"),
            params.get("ResourcesPerPage", PAGE),
            invalid="PaginationTokenExpiredException",
        )
        return {"ResourceTagMappingList": shown, "PaginationToken": token or ""}

    def _all(self) -> dict[str, TAGS]:
        found: dict[str, TAGS] = dict(self._of_moto())
        for service in self.cloud.services.values():
            found |= service.tagged_resources()
        return {arn: tags for arn, tags in found.items() if not arn.startswith(UNTOLD)}

    def _of_moto(self) -> Iterator[tuple[str, TAGS]]:
        pages = self.cloud.stored(self.name).get_paginator("get_resources").paginate()
        for told in pages:
            for one in told["ResourceTagMappingList"]:
                if not one["ResourceARN"].startswith(OWN):
                    yield one["ResourceARN"], {tag["Key"]: tag["Value"] for tag in one["Tags"]}


def _carries(tags: TAGS, wanted: Mapping[str, Any]) -> bool:
    """A filter without values asks for the key alone."""
    values = wanted.get("Values", [])
    return wanted["Key"] in tags and (not values or tags[wanted["Key"]] in values)


def _is_of(arn: str, types: list[str]) -> bool:
    """`ec2` or `ec2:instance`; no types are all."""
    _, _, service, _, _, resource = arn.split(":", 5)
    kind = resource.replace(":", "/").partition("/")[0]
    return not types or bool({service, f"{service}:{kind}"} & set(types))


SERVICE = Tagging
