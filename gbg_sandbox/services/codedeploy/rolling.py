"""Works through a deployment's hosts by its configuration: how many at once, and how many may fail.

https://docs.aws.amazon.com/codedeploy/latest/userguide/instances-health.html
"""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

from gbg_sandbox.services.codedeploy.failures import TOO_FEW_HEALTHY, DeploymentFailed, DeploymentHalted
from gbg_sandbox.services.codedeploy.hosts import Host
from gbg_sandbox.services.codedeploy.state import Config, Deployment

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

Outcome = tuple[Host, bool]


def may_begin(hosts: int, failed: int, running: int, config: Config) -> bool:
    """Whether one more host may be taken out of service."""
    return hosts - failed - running - 1 >= config.least_healthy(hosts)


def roll(
    cloud: Cloud,
    deployment: Deployment,
    hosts: list[Host],
    names: tuple[str, ...],
    config: Config,
    *,
    last: bool,
) -> list[Host]:
    """Run the events on every host; gives those that succeeded.

    Raises DeploymentFailed HEALTH_CONSTRAINTS when too many failed, DeploymentHalted when it was stopped.
    """
    pending, running, failed = list(hosts), 0, 0
    succeeded: list[Host] = []
    finished: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    while pending or running:
        while pending and deployment.halt is None and may_begin(len(hosts), failed, running, config):
            host = pending.pop(0)
            running += 1
            name = f"{deployment.id} {host.target.instance_id}"
            cloud.spawn(name, _work, host, names, last, finished)
        if running == 0:
            break
        host, outcome = _next(cloud, finished)
        running -= 1
        failed += not outcome
        if outcome:
            succeeded.append(host)
    for host in pending:
        host.give_up()
    if deployment.halt is not None:
        raise DeploymentHalted
    if pending or not succeeded:
        raise DeploymentFailed("HEALTH_CONSTRAINTS", TOO_FEW_HEALTHY)
    return succeeded


def _work(host: Host, names: tuple[str, ...], last: bool, finished: queue.SimpleQueue[Outcome]) -> None:
    outcome = False
    try:
        outcome = host.run(names, last=last)
    except DeploymentHalted:
        outcome = False
    finally:
        finished.put((host, outcome))


def _next(cloud: Cloud, finished: queue.SimpleQueue[Outcome]) -> Outcome:
    while True:
        try:
            return finished.get(timeout=1)
        except queue.Empty:
            cloud.clock.pause(0)
