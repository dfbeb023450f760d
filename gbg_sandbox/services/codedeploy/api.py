"""CodeDeploy to EC2: deployments that run, blue/green above all.

Refused: on-premises instances, ECS, Lambda, Classic Load Balancers, groups chosen by tags, DISCOVER_EXISTING.
"""

from __future__ import annotations

from collections.abc import Sequence

from gbg_sandbox.service import Route
from gbg_sandbox.services.codedeploy.agent_bucket import AgentBucket
from gbg_sandbox.services.codedeploy.deployments_api import Deployments


class CodeDeploy(Deployments):
    def start(self) -> None:
        self.cloud.events.subscribe(self.engine.on_event)

    def stop(self) -> None:
        self.commands.close()

    def routes(self) -> Sequence[Route]:
        return AgentBucket(self.cloud.region).routes()


SERVICE = CodeDeploy
