"""`gbg`: one command for the sandbox and the runbooks."""

from __future__ import annotations

import click

from gbg_cli.demo import demo
from gbg_cli.doctor import doctor
from gbg_cli.run import run
from gbg_cli.sandbox import down, env, status, up
from gbg_cli.test import test


class InOrder(click.Group):
    """Commands in the order in which one meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Release golden AMI and application together, blue/green, on AWS or on the embedded sandbox."""


for command in (demo, up, status, env, run, down, doctor, test):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="gbg")
