"""CodeDeploy's predefined deployment configurations for EC2.

https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html
"""

from __future__ import annotations

from gbg_sandbox.services.codedeploy.lifecycle import EPOCH
from gbg_sandbox.services.codedeploy.state import Config

PREFIX = "CodeDeployDefault."
DEFAULT = "CodeDeployDefault.OneAtATime"


def predefined() -> dict[str, Config]:
    healthy_percent = {"OneAtATime": 99, "HalfAtATime": 50, "AllAtOnce": 0}
    return {
        PREFIX + name: Config(PREFIX + name, "FLEET_PERCENT", percent, EPOCH)
        for name, percent in healthy_percent.items()
    }
