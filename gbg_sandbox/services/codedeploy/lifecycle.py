"""AWS's order of lifecycle events.

https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html
"""

from __future__ import annotations

from datetime import UTC, datetime

from gbg_sandbox.services.codedeploy.state import LifecycleEvent, Target

EPOCH = datetime(2014, 11, 12, tzinfo=UTC)
"""when CodeDeploy began"""
INSTALL = (
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
)
ALLOW_TRAFFIC = ("BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic")
BLOCK_TRAFFIC = ("BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic")
OF_THE_SERVICE = frozenset({"AllowTraffic", "BlockTraffic"})
"""events that the service does by itself, without the agent"""
ALL = (*BLOCK_TRAFFIC, *INSTALL, *ALLOW_TRAFFIC)


def green(instance_id: str) -> Target:
    return _target(instance_id, "Green", (*INSTALL, *ALLOW_TRAFFIC))


def blue(instance_id: str) -> Target:
    return _target(instance_id, "Blue", BLOCK_TRAFFIC)


def in_place(instance_id: str, with_traffic: bool) -> Target:
    events = (*BLOCK_TRAFFIC, *INSTALL, *ALLOW_TRAFFIC) if with_traffic else INSTALL
    return _target(instance_id, "", events)


def back_to_blue(instance_id: str) -> Target:
    """An original instance that takes the traffic again in a rollback."""
    return _target(instance_id, "Blue", ALLOW_TRAFFIC)


def away_from_green(instance_id: str) -> Target:
    """A replacement instance that loses the traffic again in a rollback."""
    return _target(instance_id, "Green", BLOCK_TRAFFIC)


def _target(instance_id: str, label: str, events: tuple[str, ...]) -> Target:
    return Target(instance_id, label, [LifecycleEvent(name) for name in events])
