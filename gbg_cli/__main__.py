"""`gbg`: one command for the sandbox and the runbooks."""

from __future__ import annotations

import gc
import importlib
import sys

import click

from gbg_cli import early
from gbg_lib.runner import kernels

COMMANDS = {
    "demo": "gbg_cli.demo",
    "up": "gbg_cli.sandbox",
    "status": "gbg_cli.sandbox",
    "env": "gbg_cli.sandbox",
    "lab": "gbg_cli.lab",
    "run": "gbg_cli.run",
    "runs": "gbg_cli.runs",
    "record": "gbg_cli.record",
    "rehearse": "gbg_cli.rehearse",
    "replay": "gbg_cli.replay",
    "progress": "gbg_cli.progress",
    "images": "gbg_cli.images",
    "schedule": "gbg_cli.schedule",
    "drill": "gbg_cli.drill",
    "down": "gbg_cli.sandbox",
    "doctor": "gbg_cli.doctor",
    "test": "gbg_cli.test",
}
"""command → module, in the order in which one meets them"""


class OnDemand(click.Group):
    """Imports a command's module when it is asked for: a start costs what it uses."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=OnDemand, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Release golden AMI and application together, blue/green, on AWS or on the embedded sandbox."""


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        early.heed()
        kernels.prepare()  # it loads while this process does
        gc.disable()  # until all is loaded: imports leave next to nothing behind
    main(prog_name="gbg")
