"""`gbg schedule`: a runbook that runs by itself, as a cron line, a systemd timer, or inside AWS."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gbg_cli.places import ROOT, RUNBOOKS, bucket, runs
from gbg_cli.terminal import FAILURE, err, errors_shown, out, show_error
from gbg_lib.aws import open_aws
from gbg_lib.errors import MisuseError
from gbg_lib.parameters import checked, load_file
from gbg_lib.runner.run import find_runbook
from gbg_lib.scheduling import crontab, hours, inside_aws, systemd
from gbg_lib.scheduling.scheduled import PATH, Scheduled

TAKEN = ("GBG_HOME", "GBG_CACHE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
"""variables of this shell that the scheduled run gets too, when they are set"""


@click.command()
@click.argument("runbook")
@click.option(
    "-f", "--file", "file", type=click.Path(path_type=Path), help="Parameters file; needed to make one."
)
@click.option("--at", metavar="HOUR", help="When: `Mon-Thu 20:00 Europe/Berlin`, `daily 03:30`.")
@click.option(
    "--as",
    "kind",
    type=click.Choice(["cron", "systemd", "aws"]),
    default="systemd",
    show_default=True,
    help="For which scheduler.",
)
@click.option("--name", default="", help="Name of the schedule; by default the parameters file's.")
@click.option("--catch-up", is_flag=True, help="Make good an hour at which the machine was off (systemd).")
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="ARN",
    help="Managed policy with what else the runbook may do; may be repeated (aws).",
)
@click.option("--install", is_flag=True, help="Put it in place; by default it is only printed.")
@click.option("--remove", is_flag=True, help="Take the schedule of this name away.")
def schedule(
    runbook: str,
    file: Path | None,
    at: str | None,
    kind: str,
    name: str,
    catch_up: bool,
    policies: tuple[str, ...],
    install: bool,
    remove: bool,
) -> None:
    """Print or install a schedule for a runbook."""
    with errors_shown():
        if remove:
            _remove(_called(name, file, runbook), kind, file)
            return
        path = find_runbook(RUNBOOKS, runbook)
        runbook = str(path) if Path(runbook).is_file() else runbook  # it is started elsewhere
        called = _called(name, file, runbook)
        if file is None or at is None:
            raise MisuseError(
                "schedule", "it needs a parameters file and an hour", "-f FILE --at 'daily 03:30'"
            )
        when = hours.parse(at)
        values = load_file(file)
        if kind != "aws" and values.get("cloud") == "aws" and not values.get("acknowledged"):
            raise MisuseError(
                str(file), "nobody can acknowledge a scheduled run's plan", "say acknowledged: true in it"
            )
        job = _job(called, runbook, file)
        if kind == "cron":
            _cron(job, when, install=install)
        elif kind == "aws":
            _aws(inside_aws.Job.at(called, path, values, when, policies), install=install)
        else:
            _systemd(job, when, catch_up=catch_up, install=install)


def _called(name: str, file: Path | None, runbook: str) -> str:
    """A schedule that has a name of its own is taken away even when its runbook is gone."""
    stem = name or (file.stem if file else find_runbook(RUNBOOKS, runbook).stem)
    return stem if name else stem.replace("_", "-")


def _job(name: str, runbook: str, file: Path) -> Scheduled:
    taken = {name: os.environ[name] for name in TAKEN if os.environ.get(name)}
    return Scheduled(
        name,
        (str(ROOT / "gbg"), "run", runbook, "-f", str(file.resolve())),
        ROOT,
        {"PATH": PATH, "GBG_RUNS": _kept(), **taken},
    )


def _kept() -> str:
    told = bucket()
    return told.address() if told else str(runs().resolve())


def _cron(job: Scheduled, when: hours.Hours, *, install: bool) -> None:
    click.echo(crontab.line(job, when))
    if install:
        crontab.install(job, when)
        out.print("it is in the crontab")
        _say_undo(job.words[2], job.name, "cron")


def _systemd(job: Scheduled, when: hours.Hours, *, catch_up: bool, install: bool) -> None:
    for name, text in systemd.units(job, when, catch_up=catch_up).items():
        click.echo(f"# {name}\n{text}")
    if install:
        for path in systemd.install(job, when, catch_up=catch_up):
            out.print(f"written: {path}")
        _say_undo(job.words[2], job.name, "systemd")


def _aws(job: inside_aws.Job, *, install: bool) -> None:
    stacks = _stacks(job.values)
    plan = stacks.plan(job)
    click.echo(f"stack {plan.stack.stack}: {plan.stack.action} ({plan.stack.reason})")
    for change in plan.stack.changes:
        click.echo(f"  {change.action.lower()} {change.type} {change.logical_id}")
    click.echo(
        f"it starts at {job.expression} {job.zone}; source: {len(plan.source) / 1e6:.0f} MB as {plan.key}"
    )
    if not install:
        stacks.stacks.discard(plan.stack)
        return
    for event in stacks.apply(plan):
        err.print(f"{event.logical_id} {event.status}")
    told = stacks.stacks.outputs(job.stack)
    also = f" and {job.values['notify']}" if job.values.get("notify") else ""
    out.print(f"runs go to s3://{told['BucketName']}/runs, news to {told['TopicArn']}{also}")
    _say_undo(job.runbook.stem, job.name, "aws")


def _say_undo(runbook: str, name: str, kind: str) -> None:
    out.print(f"to undo: gbg schedule {shlex.quote(runbook)} --name {name} --as {kind} --remove")


def _remove_from_aws(name: str, file: Path | None) -> None:
    kept = _stacks(load_file(file) if file else {}).remove(name)
    out.print(f"schedule {name} is gone" + (f"; its runs stay at {kept}" if kept else ""))


def _stacks(values: Mapping[str, Any]) -> inside_aws.JobStacks:
    return inside_aws.JobStacks(open_aws(checked(values, "parameters")))


def _remove(name: str, kind: str, file: Path | None) -> None:
    if kind == "aws":
        _remove_from_aws(name, file)
        return
    there = crontab.remove(name) if kind == "cron" else systemd.remove(name)
    if not there:
        show_error("schedule", f"there is none named {name} ({kind})", "name it as it was made: --name, --as")
        sys.exit(FAILURE)
    out.print(f"schedule {name} is gone")
