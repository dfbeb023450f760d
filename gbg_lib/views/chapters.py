"""What each runbook is about, in the words that banner, picture and progress share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chapter:
    number: str
    title: str
    changes: str
    """what it may change in an account; empty when it only looks"""
    parts: tuple[str, ...] = ()
    """of the architecture picture: what this runbook brings"""


CHAPTERS = {
    chapter.number: chapter
    for chapter in (
        Chapter("00", "Welcome", ""),
        Chapter(
            "01",
            "Base stack",
            "makes a VPC, a load balancer, machines, roles and the parts for baking and releasing",
            ("balancer", "blue", "alarms", "repository", "bake", "build", "deploy"),
        ),
        Chapter("02", "Seed the repository", "pushes one commit into the repository", ("commit",)),
        Chapter(
            "03",
            "Pipeline",
            "makes the pipeline, its bucket, functions and roles, and so starts a first release",
            ("pipeline",),
        ),
        Chapter(
            "04",
            "Release",
            "starts a release when there was none; a release replaces the machines that serve",
            ("image", "green"),
        ),
        Chapter("05", "Rollback", "brings the last good release back: machines, image and application"),
        Chapter("06", "Replay", ""),
        Chapter("07", "Repair", "changes the base stack, so that it owns the machines that serve"),
        Chapter("08", "Drills", "plants a fault and releases it"),
        Chapter("09", "Teardown", "deletes everything that carries the deployment's tag"),
    )
}


def chapter(number: str) -> Chapter:
    """A job, which has no number, changes what its own text says."""
    return CHAPTERS.get(number) or Chapter(number, number.replace("_", " "), "does what its text says")
