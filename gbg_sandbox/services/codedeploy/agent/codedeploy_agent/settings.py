"""/etc/codedeploy-agent/conf/codedeployagent.yml; keys may have Ruby's leading colon."""

from __future__ import annotations

import os
from dataclasses import dataclass

import yaml

PATH = "/etc/codedeploy-agent/conf/codedeployagent.yml"
HOME = "/opt/codedeploy-agent"


@dataclass(frozen=True)
class Settings:
    root_dir: str = f"{HOME}/deployment-root"
    log_dir: str = "/var/log/aws/codedeploy-agent/"
    pid_dir: str = f"{HOME}/state/.pid/"
    program_name: str = "codedeploy-agent"
    max_revisions: int = 5
    wait_between_runs: int = 1
    verbose: bool = False

    @property
    def instructions_dir(self) -> str:
        return os.path.join(self.root_dir, "deployment-instructions")

    @property
    def tracking_dir(self) -> str:
        return os.path.join(self.root_dir, "ongoing-deployment")

    @property
    def pid_file(self) -> str:
        return os.path.join(self.pid_dir, f"{self.program_name}.pid")

    def deployment_dir(self, group_id: str, deployment_id: str) -> str:
        return os.path.join(self.root_dir, group_id, deployment_id)


def read(path: str = PATH) -> Settings:
    """Raises ValueError for a value that can't be meant; keys that it doesn't know have no effect."""
    try:
        with open(path, encoding="utf-8") as file:
            found = yaml.safe_load(file) or {}
    except FileNotFoundError:
        found = {}
    plain = {str(key).lstrip(":"): value for key, value in found.items()}
    known = {name: plain[name] for name in Settings.__dataclass_fields__ if plain.get(name) is not None}
    settings = Settings(**known)
    if int(settings.max_revisions) < 1:
        raise ValueError(f"Invalid configuration :max_revisions={settings.max_revisions}")
    return settings
