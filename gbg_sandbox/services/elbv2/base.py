"""What the groups of operations share: records, lock and engine."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from gbg_sandbox.paging import page
from gbg_sandbox.service import AwsError, Service
from gbg_sandbox.services.elbv2.engine import Engine
from gbg_sandbox.services.elbv2.state import Records

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

T = TypeVar("T")

MOST_LISTED = 400


class Elbv2Base(Service):
    name = "elbv2"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.records = Records()
        self.lock = threading.RLock()
        self.engine = Engine(cloud, self.records, self.lock)


def invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)


def check_name(name: str, kind: str) -> None:
    if len(name) > 32:
        raise invalid(f"{kind} name '{name}' cannot be longer than '32' characters")
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", name):
        raise invalid(
            f"{kind} name '{name}' can only contain characters that are alphanumeric characters or "
            "hyphens(-), and cannot begin or end with a hyphen"
        )
    if name.startswith("internal-"):
        raise invalid(f"{kind} name '{name}' cannot begin with 'internal-'")


def tags_of(params: dict[str, Any]) -> dict[str, str]:
    tags = {tag["Key"]: tag.get("Value", "") for tag in params.get("Tags", [])}
    if len(tags) < len(params.get("Tags", [])):
        raise AwsError("DuplicateTagKeys", "A tag key was specified more than once")
    return tags


def refuse(params: dict[str, Any], *names: str) -> None:
    """Raise AwsError when one of these parameters says something."""
    for name in names:
        if params.get(name):
            raise invalid(f"gbg_sandbox does not run load balancers with {name}")


def paged(key: str, items: Sequence[T], params: dict[str, Any]) -> dict[str, Any]:
    limit = params.get("PageSize", MOST_LISTED)
    shown, marker = page(items, params.get("Marker"), limit, invalid="ValidationError")
    return {key: shown, **({"NextMarker": marker} if marker else {})}
