"""What just happened: the architecture with its new parts lit, and the requests that made them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gbg_lib.progress import LEARNER, Progress
from gbg_lib.views.architecture import picture
from gbg_lib.views.chapters import chapter
from gbg_lib.views.late import notebook
from gbg_lib.views.live.screen import Picture
from gbg_lib.views.shown import Shown, commands

if TYPE_CHECKING:
    from gbg_lib.steps import Step


OBJECTS = " put-object "
"""records and locks are kept in buckets by hundreds of requests that nobody would type"""
ALREADY = "Nothing was changed: it was there already."
UNCHANGED = {"09": "Nothing was changed: the deployment's name was not typed, or nothing was left."}
"""by runbook, where it says something else"""


def what_happened(step: Step, runbook: str) -> Shown:
    """The picture as far as this runbook goes, and as lines for a shell what this notebook has changed.

    Who learns (`gbg lab`) has come this far: it is kept in their progress.
    """
    drawn = _drawn(runbook)
    lines = [line for line in step.aws.changes if OBJECTS not in line]
    said = "The same with the aws command (a long value is a file that you would write first):"
    if step.aws.explains and step.aws.changes:
        said = "Nothing was done. It would have begun with:"
    elif step.aws.explains:
        said = "Nothing was done, and nothing is there yet that more could be told of."
    elif not step.aws.changes:
        looks = not chapter(runbook).changes
        said = "This runbook only looks." if looks else UNCHANGED.get(runbook, ALREADY)
    elif not lines:
        said = "Nothing was changed: records and locks were written into their buckets, and that is all."
    return Shown(
        f"<p>{drawn.words}</p><p>{said}</p>{commands(lines) if lines else ''}",
        "\n".join([drawn.words, said, *lines]),
    )


def what_was_read(runbook: str) -> Shown:
    """For a runbook that only reads a record: the architecture whose record it is."""
    drawn = _drawn(runbook)
    said = "Nothing was changed, and no cloud was asked."
    return Shown(f"<p>{drawn.words}</p><p>{said}</p>", f"{drawn.words}\n{said}")


def _drawn(runbook: str) -> Picture:
    """Shown for itself: an image stays where HTML is stripped of pictures."""
    if os.environ.get(LEARNER):
        Progress().note(f"{runbook}: {chapter(runbook).title}", right=True)
    drawn = picture(runbook)
    notebook.display(drawn)
    return drawn
