"""The launch hook that CodeDeploy keeps on a deployment group's Auto Scaling groups.

https://docs.aws.amazon.com/codedeploy/latest/userguide/integrations-aws-auto-scaling.html
"""

from __future__ import annotations

import uuid

from botocore.exceptions import ClientError

from gbg_sandbox.services.codedeploy.failures import DeploymentFailed
from gbg_sandbox.services.codedeploy.fleet import HOOK_PREFIX, Fleets
from gbg_sandbox.services.codedeploy.state import Group


class LaunchHooks:
    def move(self, group: Group, fleets: Fleets, names: list[str]) -> list[str]:
        """Make `names` the group's Auto Scaling groups, with hooks; gives those whose hook stayed behind.

        Raises DeploymentFailed or ClientError when a hook can't be put; then nothing was changed.
        """
        for name in names:
            if name not in group.hooks:
                hook = f"{HOOK_PREFIX}-{group.name}-{uuid.uuid4()}"
                fleets.put_hook(name, hook)
                group.hooks[name] = hook
        stayed = [
            name for name in list(group.hooks) if name not in names and not self._remove(group, fleets, name)
        ]
        group.settings["autoScalingGroups"] = list(names)
        return stayed

    def _remove(self, group: Group, fleets: Fleets, name: str) -> bool:
        hook = group.hooks.pop(name)
        try:
            fleets.remove_hook(name, hook)
        except (DeploymentFailed, ClientError):
            return False
        return True
