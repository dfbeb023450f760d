"""Errors of gbg_lib: one base class, each with where it happened, what was said, and what to try.

A class knows the exit status that a command ends with: 0 is done, see below for the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gbg_lib.checks import Check

DONE = 0
FAILED = 1
MISUSE = 2
REFUSED = 3
"""a gate refused, or nobody can tell whether it is open"""
INTERRUPTED = 4
LOCKED = 5
"""somebody else is releasing"""


class GbgError(Exception):
    """Something did not work; says where, what, and what to try."""

    exit_status = FAILED

    def __init__(self, where: str, what: str, try_this: str) -> None:
        super().__init__(f"{where}: {what}\n  try: {try_this}")
        self.where = where
        self.what = what
        self.try_this = try_this

    def _render_traceback_(self) -> list[str]:
        """For a notebook: what one can act on, not where in the code it was.

        In one piece: a secret of several lines, such as a private key, is masked as a whole or not at all.
        https://ipython.readthedocs.io/en/stable/config/integrating.html#custom-exception-tracebacks
        """
        return [str(self)]


class ParameterError(GbgError):
    """A parameter is unknown, of the wrong type, or out of range."""

    exit_status = MISUSE


class MisuseError(GbgError):
    """A runbook, file or option was named that does not exist."""

    exit_status = MISUSE


class AccessRefused(GbgError):
    """AWS said no: keys or rights are missing."""


class AwsError(GbgError):
    """AWS answered with an error that is none of the others."""


class NotThere(GbgError):
    """What was asked for does not exist (any more)."""


class StackFailed(GbgError):
    """A CloudFormation stack did not reach what was planned."""


class RepositoryError(GbgError):
    """git or the repository's content stands in the way."""


class ReleaseFailed(GbgError):
    """A release ended in another status than Succeeded."""


class GateRefused(GbgError):
    """A gate is shut, or can't tell: what was asked for may not be done now."""

    exit_status = REFUSED


class Explained(GbgError):
    """A change was only told, as was asked for: nothing was done, and nothing failed."""

    exit_status = DONE


class TimedOut(GbgError):
    """Something took longer than it may."""


class NotDelivered(GbgError):
    """A notification, or what a run made, did not arrive where it was to go."""


class CheckFailed(GbgError):
    """A check after a step found the world different from what the step should have made."""

    def __init__(self, where: str, what: str, try_this: str, checks: Iterable[Check] = ()) -> None:
        super().__init__(where, what, try_this)
        self.checks = tuple(checks)
        """all of the step, also those that passed"""


class Interrupted(GbgError):
    """A signal ended a run."""

    exit_status = INTERRUPTED


class Locked(GbgError):
    """Somebody else is releasing with the same pipeline."""

    exit_status = LOCKED


class RunFailed(GbgError):
    """A runbook stopped in one of its cells; the exit status is that of the error which stopped it."""

    def __init__(
        self, where: str, what: str, try_this: str, exit_status: int = FAILED, error: str = ""
    ) -> None:
        super().__init__(where, what, try_this)
        self.exit_status = exit_status
        self.error = error
        """class of what stopped it, ours or another's"""
