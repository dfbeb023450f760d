"""What happens when a run is over: its folder goes where it was asked for, and people are told.

The run's own result is never changed by that. What did not arrive is told: in `afterwards.json` beside the
result, and to the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gbg_lib.errors import FAILED, LOCKED, MISUSE, REFUSED, GbgError, NotDelivered
from gbg_lib.notify import addresses
from gbg_lib.notify.delivery import Delivery, deliver
from gbg_lib.notify.message import Message
from gbg_lib.parameters import Parameters
from gbg_lib.runner import whole_files
from gbg_lib.runner.outputs import Bucket, upload
from gbg_lib.runs import result

if TYPE_CHECKING:
    from gbg_lib.aws import Aws

FILE = "afterwards.json"
DONE = "done"
OUTPUTS = "outputs"
ENDS = {MISUSE: "misuse", REFUSED: "refused", LOCKED: "locked"}
"""exit statuses of failures that mean something else to who is told; the others are a result's own words"""


@dataclass
class Afterwards:
    parameters: Parameters
    bucket: Bucket | None = None
    """where the folder goes, besides this machine"""
    failures: list[NotDelivered] = field(default_factory=list)
    """of the newest run"""

    @cached_property
    def aws(self) -> Aws:
        """Keeping and telling is no change that a plan would have to be acknowledged for."""
        from gbg_lib.aws import open_aws  # most runs are kept here, and told to nobody

        return open_aws(self.parameters.model_copy(update={"acknowledged": True}))

    def __call__(self, folder: Path) -> None:
        """For a run's folder with its result. Raises nothing of ours: `failures` has it.

        A run that only explains is kept where it ran, and told to nobody.
        """
        self.failures.clear()
        if self.parameters.explain:
            return
        ended = result.read(folder) or unwritten(folder)
        kept, problem = self._kept(folder)
        told = self._told(message(ended, self.parameters, kept or f"{folder} ({problem})"))
        news = {"kept": kept, "problem": problem, "told": [asdict(one) for one in told]}
        try:
            whole_files.write_json(folder / FILE, news)
        except OSError as error:
            self.failures.append(NotDelivered(FILE, f"it can't be written: {error.strerror}", "make room"))
        if problem:
            self.failures.append(
                NotDelivered(OUTPUTS, problem, f"the run is kept in {folder}; copy it by hand")
            )
        for one in told:
            if not one.arrived:
                self.failures.append(
                    NotDelivered(f"notification to {one.to}", one.what, f"the result is in {folder}")
                )

    def require_kept(self) -> None:
        """That the newest run is where it was to go. Raises NotDelivered."""
        for failure in self.failures:
            if failure.where == OUTPUTS:
                raise failure

    def _kept(self, folder: Path) -> tuple[str, str]:
        """Where it is, and what went wrong with that."""
        if self.bucket is None:
            return str(folder), ""
        try:
            return upload(self.aws, folder, self.bucket), ""
        except GbgError as error:
            return "", f"not in {self.bucket.address()}: {error.where}: {error.what}"

    def _told(self, news: Message) -> list[Delivery]:
        if news.status == DONE and self.parameters.notify_on == "failure":
            return []
        return deliver(news, addresses.parse(self.parameters.notify), lambda: self.aws)


def unwritten(folder: Path) -> dict[str, Any]:
    """What is told of a run whose result could not be written."""
    return {
        "runbook": folder.name,
        "status": "failed",
        "seconds": 0.0,
        "what": f"its result can't be written to {folder}",
        "try": "make room there; what the run said is in its notebook and its log",
    }


def message(told: Mapping[str, Any], parameters: Parameters, kept: str) -> Message:
    """A run's result as news."""
    place = f"{parameters.deployment} in {parameters.region}"
    if parameters.cloud == "sandbox":
        place = f"{parameters.deployment} on the sandbox"
    about = f"{told['runbook']} of {place}, {told['seconds']:.0f} s"
    return Message(
        ENDS.get(told.get("exit_status", FAILED), str(told["status"])),
        str(told.get("what") or about),
        about,
        str(told.get("where", "")),
        str(told.get("try", "")),
        kept,
    )
