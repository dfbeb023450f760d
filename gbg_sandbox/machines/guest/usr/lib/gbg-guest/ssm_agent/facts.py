"""What the agent tells about its machine, and where its files lie.

Layout: https://docs.aws.amazon.com/systems-manager/latest/userguide/ssm-agent-technical-details.html
"""

from __future__ import annotations

import json
import os
import shlex
from datetime import UTC, datetime
from pathlib import Path

INVENTORY = "var/lib/rpm/inventory.json"
PACKAGE = "amazon-ssm-agent"


class Place:
    """The agent's files under a root directory (`/` in a machine)."""

    def __init__(self, root: Path, instance_id: str) -> None:
        self.root = root
        self.instance_id = instance_id
        self.documents = root / "var/lib/amazon/ssm" / instance_id / "document"
        self.log_file = root / "var/log/amazon/ssm/amazon-ssm-agent.log"

    def orchestration(self, command_id: str, step: str) -> Path:
        return self.documents / "orchestration" / command_id / "awsrunShellScript" / step

    def current(self, command_id: str) -> Path:
        """Where the pid of a running script stands."""
        return self.documents / "state" / "current" / command_id

    @property
    def working_directory(self) -> Path:
        """Where scripts begin that name no directory, as the agent's unit has it."""
        directory = self.root / "usr/bin"
        return directory if directory.is_dir() else self.root

    def log(self, level: str, text: str) -> None:
        """Opened for each line: a clean-up may have removed or emptied the file."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-2]
        with self.log_file.open("a") as file:
            file.write(f"{stamp} {level} [amazon-ssm-agent] {text}\n")


def agent_version(root: Path) -> str:
    """Of the installed package."""
    try:
        installed = json.loads((root / INVENTORY).read_text())
        return str(installed[PACKAGE]["version"]).partition("-")[0]
    except (OSError, ValueError, KeyError, TypeError):
        return "0.0.0.0"


def platform(root: Path) -> tuple[str, str]:
    """Name and version, from os-release."""
    found = {}
    try:
        for line in (root / "etc/os-release").read_text().splitlines():
            name, _, value = line.partition("=")
            found[name] = "".join(shlex.split(value)[:1])
    except OSError:
        pass
    return found.get("NAME", "Linux"), found.get("VERSION_ID", "")


def computer_name() -> str:
    return os.uname().nodename
