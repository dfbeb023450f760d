"""What someone who watches a release keeps of it: the fleet and its health at each change of a stage.

Blue is gone when a release is over. Whoever follows one writes it down here, and the record takes it in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gbg_lib.aws import Aws
from gbg_lib.errors import GbgError
from gbg_lib.pipeline import Action
from gbg_lib.record.format import Evidence, lines, read_lines
from gbg_lib.record.gathering import Gathering
from gbg_lib.record.sources.fleet import snapshot
from gbg_lib.record.sources.traffic import health_now
from gbg_lib.replay import clock
from gbg_lib.replay.files import as_found
from gbg_lib.secret.values import masking

OPEN = ".open"


class Observations:
    """Of one release, in a file beside the records until the record is written."""

    def __init__(self, folder: Path, deployment: str, execution_id: str) -> None:
        self.path = folder / deployment / OPEN / f"{execution_id}.jsonl"
        self.deployment = deployment

    def watch(self, aws: Aws, target_group: str, follow: Iterator[list[Action]]) -> Iterator[list[Action]]:
        """The same actions; a look at the fleet whenever another stage begins."""
        seen: set[str] = set()
        for actions in follow:
            stage = actions[-1].stage if actions else "start"
            going_on = not actions or any(action.status == "InProgress" for action in actions)
            if stage not in seen and going_on:
                self.look(aws, target_group, "before" if not seen else stage)
                seen.add(stage)
            yield actions

    def look(self, aws: Aws, target_group: str, moment: str) -> None:
        """A look that can't be had is no reason to stop watching: the record notes it as missing."""
        found, now = Gathering(masking()), clock.now()
        with found.source(f"fleet {moment}"):
            snapshot(aws, self.deployment, found, moment, now)
            health_now(aws, target_group, found, moment, now)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(lines(found.evidence.values()))

    def read(self) -> tuple[Evidence, ...]:
        """Nothing where nobody watched, or a file that can't be read."""
        if not as_found(self.path).is_file():
            return ()
        try:
            return tuple(read_lines(self.path.read_bytes(), str(self.path)))
        except GbgError:
            return ()

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
