"""Where the agent's files lie, and its own log.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/troubleshooting-CloudWatch-Agent.html
"""

from __future__ import annotations

import json
import os
import time

HOME = "/opt/aws/amazon-cloudwatch-agent"
SERVICE = "amazon-cloudwatch-agent"
DIRECTORY = f"{HOME}/etc/{SERVICE}.d"
"""the configuration files that fetch-config and append-config brought"""
JSON_FILE = f"{HOME}/etc/{SERVICE}.json"
"""a configuration that somebody put there by hand"""
TOML_FILE = f"{HOME}/etc/{SERVICE}.toml"
LOG_FILE = f"{HOME}/logs/{SERVICE}.log"
STATE_DIRECTORY = f"{HOME}/logs/state"
INVENTORY = "/var/lib/rpm/inventory.json"
LARGEST_LOG = 8 * 1024 * 1024


class Log:
    """The agent's own log. The same complaint is written once a minute at most."""

    def __init__(self, path: str = LOG_FILE) -> None:
        self.path = path
        self._said: dict[str, float] = {}

    def info(self, text: str) -> None:
        self._write("I", text)

    def error(self, text: str) -> None:
        now = time.monotonic()
        if now - self._said.get(text, -60.0) < 60.0:
            return
        self._said = {old: at for old, at in self._said.items() if now - at < 60.0} | {text: now}
        self._write("E", text)

    def _write(self, level: str, text: str) -> None:
        """Opened anew each time: hardening scripts delete logs under a running system."""
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        if os.path.exists(self.path) and os.path.getsize(self.path) > LARGEST_LOG:
            os.replace(self.path, f"{self.path}.1")
        with open(self.path, "a", encoding="utf-8", errors="replace") as file:
            file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {level}! {text}\n")


def version() -> str:
    """Of the installed package."""
    with open(INVENTORY, encoding="utf-8") as file:
        return str(json.load(file)[SERVICE]["version"]).partition("-")[0]
