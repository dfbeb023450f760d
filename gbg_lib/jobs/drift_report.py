"""Only looks: what differs between Part 1's stack and what is there, and what runs left behind."""

from __future__ import annotations

from dataclasses import dataclass

from gbg_lib.checks import Check, require
from gbg_lib.mending.drift import Drift
from gbg_lib.mending.orphans import Orphan
from gbg_lib.mending.repair import Repair


@dataclass(frozen=True)
class Report:
    drift: tuple[Drift, ...]
    orphans: tuple[Orphan, ...]


class DriftReport(Repair):
    def report(self) -> Report:
        """Raises TimedOut, AwsError when something can't be looked at."""
        return Report(tuple(self.drift()), tuple(self.orphans()))

    def verdict(self, report: Report) -> list[Check]:
        """Raises CheckFailed for what `accepted_drift` does not accept."""
        accepted = self.parameters.accepted_drift
        moved = [one.what for one in report.drift if one.cause == "a release"]
        edited = [one.what for one in report.drift if one.cause != "a release"]
        left = [f"{one.kind} {one.id}" for one in report.orphans]
        return require(
            [
                Check(
                    "edits from outside",
                    not edited or accepted == "all",
                    ", ".join(edited) or "none",
                    "set them back, or write them into the template: runbook 07 shows each",
                ),
                Check(
                    "left behind",
                    not left or accepted == "all",
                    ", ".join(left) or "nothing",
                    "run runbook 07 with sweep set (headless: -p sweep=true)",
                ),
                Check(
                    "moved by releases",
                    not moved or accepted != "none",
                    ", ".join(moved) or "nothing",
                    "run runbook 07: the fleet becomes the stack's own",
                ),
            ]
        )
