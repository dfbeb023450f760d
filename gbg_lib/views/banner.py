"""The line below a runbook's title: how it runs, where, and what it may change there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gbg_lib.errors import GbgError
from gbg_lib.record.words import plain
from gbg_lib.views.chapters import chapter
from gbg_lib.views.explain import go_on_explaining
from gbg_lib.views.shown import BLUE, GREEN, GREY, ORANGE, Shown, note

if TYPE_CHECKING:
    from gbg_lib.record.reading import Read
    from gbg_lib.steps import Step

MODE = "GBG_MODE"
"""variable of a kernel's environment: walkthrough (also when it is not set) | scheduled | replay"""
WALKTHROUGH = "walkthrough"


def mode() -> str:
    return os.environ.get(MODE, WALKTHROUGH)


def banner(step: Step, runbook: str) -> Shown:
    """Mode, cloud, account, Region and deployment. On AWS in another colour, with what may change there.

    With `explain` the runbook goes on from here without doing anything.
    """
    given = step.parameters
    if given.explain:
        go_on_explaining()
    on_aws = given.cloud == "aws"
    where = f"{'AWS' if on_aws else 'sandbox'}, account {_account(step)}, {step.aws.region}"
    told = "explained only, nothing is done" if given.explain else mode()
    lines = [f"{told.capitalize()} · {where} · deployment {given.deployment}", _may(runbook, on_aws)]
    colour = GREEN if given.explain else ORANGE if on_aws else BLUE
    label = "on AWS" if on_aws else "on the sandbox"
    return note(colour, lines, label=label, filled=on_aws and not given.explain)


def replay_banner(read: Read, *, explain: bool = False) -> Shown:
    """The same for a runbook that reads a record: where it was written, and that no cloud is asked."""
    if explain:
        go_on_explaining()
    manifest = read.archive.manifest
    gathered = next(iter(read.archive.of("gathering")), None)
    written: Mapping[str, object] = gathered.data.get("parameters", {}) if gathered else {}
    account = (manifest.builder.split(":") + [""] * 5)[4] or "unknown"
    told = (written.get("cloud", "unknown"), account, manifest.internal.get("region", "unknown"))
    cloud, account, region = (plain(value, 40) for value in told)
    deployment = plain(manifest.summary.get("deployment", "unknown"), 40)
    head = f"Replay · record of {cloud}, account {account}, {region} · deployment {deployment}"
    lines = [head, "It only reads the record, and changes nothing.", *filter(None, [doubt(read)])]
    return note(ORANGE if doubt(read) else GREY, lines, label="from a record")


def doubt(read: Read) -> str:
    """That a record is not what was written, in words; empty where it is."""
    found = read.verified.findings
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return plain(f"It is not what was recorded: {found[0].file}: {found[0].what}{more}.") if found else ""


def _may(runbook: str, on_aws: bool) -> str:
    changes = chapter(runbook).changes
    if not changes:
        return "It only looks."
    place = "in this AWS account" if on_aws else "on this machine only, in no AWS account"
    return f"It {changes}, {place}."


def _account(step: Step) -> str:
    try:
        return step.aws.account()
    except GbgError as error:
        return f"unknown ({error.what})"
