"""The line below a runbook's title: how it runs, where, and what it may change there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gbg_lib.errors import GbgError
from gbg_lib.views.chapters import chapter
from gbg_lib.views.explain import go_on_explaining
from gbg_lib.views.shown import BLUE, GREEN, ORANGE, Shown, note

if TYPE_CHECKING:
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
    return note(colour, lines, label="on AWS" if on_aws else "on the sandbox")


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
