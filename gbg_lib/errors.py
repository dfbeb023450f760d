"""Errors of gbg_lib: one base class, each with where it happened, what was said, and what to try."""

from __future__ import annotations


class GbgError(Exception):
    """Something did not work; says where, what, and what to try."""

    misuse = False
    """whether the caller asked for something that can't be meant: exit status 2"""

    def __init__(self, where: str, what: str, try_this: str) -> None:
        super().__init__(f"{where}: {what}\n  try: {try_this}")
        self.where = where
        self.what = what
        self.try_this = try_this


class ParameterError(GbgError):
    """A parameter is unknown, of the wrong type, or out of range."""

    misuse = True


class MisuseError(GbgError):
    """A runbook, file or option was named that does not exist."""

    misuse = True


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
    """A gate is shut: what was asked for may not be done now."""


class Explained(GbgError):
    """A change was only told, as was asked for: nothing was done."""


class TimedOut(GbgError):
    """Something took longer than it may."""


class NotDelivered(GbgError):
    """A notification, or what a run made, did not arrive where it was to go."""


class CheckFailed(GbgError):
    """A check after a step found the world different from what the step should have made."""


class RunFailed(GbgError):
    """A runbook stopped in one of its cells."""
