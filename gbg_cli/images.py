"""`gbg images`: where golden AMIs come from, how two differ, and taking one back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gbg_cli.run import parameters as read_parameters
from gbg_cli.terminal import errors_shown, out
from gbg_lib.aws import open_aws
from gbg_lib.images import (
    difference,
    package_list,
    plan_reinstatement,
    plan_revocation,
    read_lineage,
    read_usage,
    reinstate,
    revoke,
)
from gbg_lib.images.revocation import check_revoked
from gbg_lib.jobs.prune_images import PruneImages
from gbg_lib.parameters import Parameters
from gbg_lib.views.images import images_table, packages_table, pruning_table, revocation_table

FILE = click.option(
    "-f", "--file", "file", type=click.Path(path_type=Path), help="Parameters file of an environment."
)
PARAMETER = click.option(
    "-p", "--parameter", "assignments", multiple=True, metavar="NAME=VALUE", help="One parameter."
)


def options(command: Any) -> Any:
    return FILE(PARAMETER(command))


def _parameters(file: Path | None, assignments: tuple[str, ...]) -> Parameters:
    return Parameters(**read_parameters(file, assignments))


@click.group()
def images() -> None:
    """Golden AMIs: where they come from, how they differ, which must not be used."""


@images.command("list")
@options
def list_images(file: Path | None, assignments: tuple[str, ...]) -> None:
    """Every golden AMI, from the commit that asked for it to the fleet that runs it."""
    with errors_shown():
        given = _parameters(file, assignments)
        aws = open_aws(given)
        out.print(repr(images_table(read_lineage(aws, given.deployment), read_usage(aws))), markup=False)


@images.command()
@click.argument("before")
@click.argument("after")
@options
def diff(before: str, after: str, file: Path | None, assignments: tuple[str, ...]) -> None:
    """The packages in which two images differ; BEFORE may be the image that one was made from."""
    with errors_shown():
        given = _parameters(file, assignments)
        aws = open_aws(given)
        lineage = read_lineage(aws, given.deployment)
        lists = [package_list(aws, lineage, image) for image in (before, after)]
        out.print(repr(packages_table(difference(*lists), before, after)), markup=False)


@images.command("revoke")
@click.argument("image")
@click.option("--reason", required=True, help="In a few words; it becomes the mark on the images.")
@options
def revoke_image(image: str, reason: str, file: Path | None, assignments: tuple[str, ...]) -> None:
    """Mark an image and all that was made from it: nothing is baked from them or goes back to them."""
    with errors_shown():
        given = _parameters(file, assignments)
        aws = open_aws(given)
        plan = plan_revocation(aws, given.deployment, image, reason)
        out.print(repr(revocation_table(plan)), markup=False)
        for mark in revoke(aws, plan):
            out.print(f"{mark.image}: marked" + (" and disabled" if mark.switch else ""))
        check_revoked(aws, plan)
        for mark in plan.still_running:
            out.print(f"{mark.image} is still run by {', '.join(mark.used_by)}: release on another image")


@images.command("reinstate")
@click.argument("image")
@options
def reinstate_image(image: str, file: Path | None, assignments: tuple[str, ...]) -> None:
    """Take a mark back, from the image and from its children that carry the same reason."""
    with errors_shown():
        given = _parameters(file, assignments)
        aws = open_aws(given)
        for mark in reinstate(aws, plan_reinstatement(aws, given.deployment, image)):
            out.print(f"{mark.image}: good again")


@images.command("prune")
@click.option("--yes", is_flag=True, help="Remove them; without it they are only shown.")
@options
def prune_images(yes: bool, file: Path | None, assignments: tuple[str, ...]) -> None:
    """Show which images nobody needs, and remove them with their snapshots."""
    with errors_shown():
        given = _parameters(file, assignments)
        step = PruneImages(given)
        plan = step.decide()
        out.print(repr(pruning_table(plan)), markup=False)
        if yes:
            for gone in step.going(plan):
                out.print(f"{gone}: gone")
            step.check(plan)
