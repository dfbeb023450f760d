"""How a run of a notebook is compared with the outputs kept in it: nbval, with three things that it lacks.

nbval knows nothing of updated displays: it would compare a live view's first state with the last one that the
notebook keeps. Its normalisers see one text at a time, and can't tell whether two ids are the same. And the
normalisers are ours, without being asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nbval.plugin import IPyNbFile

from tests.notebooks.identities import Identities

NORMALISERS = Path(__file__).resolve().parent / "normalisers.cfg"
Message = dict[str, Any]
"""of a kernel: https://jupyter-client.readthedocs.io/en/stable/messaging.html"""


class ComparedNotebook(IPyNbFile):  # type: ignore[misc]
    def __init__(self, *words: Any, **named: Any) -> None:
        super().__init__(*words, **named)
        self._messages: deque[Message] = deque()
        self._new = Identities()
        self.skip_compare += ("image/svg+xml",)  # as a PNG is: its words stand beside it, and are compared

    def collect(self) -> Iterator[pytest.Item]:
        items = list(super().collect())
        kept = Identities()
        for cell in self.nb.cells:
            for output in cell.get("outputs", ()):
                kept.in_output(output)
        return iter(items)

    def get_kernel_message(self, timeout: float | None = None, stream: str = "iopub") -> Message:
        """The next message; a cell's are dealt out when it is done, with displays in their last state."""
        if not self._messages:
            heard = [super().get_kernel_message(timeout, stream)]
            while heard[-1]["content"].get("execution_state") != "idle":
                heard.append(super().get_kernel_message(timeout, stream))
            self._messages.extend(settled(heard))
            for message in self._messages:
                self._new.in_output(message["content"])
        return self._messages.popleft()


def settled(messages: Iterable[Message]) -> list[Message]:
    """Messages as a notebook keeps them: an update replaces what its display showed before."""
    kept: list[Message] = []
    displays: dict[str, Message] = {}
    for message in messages:
        display = message["content"].get("transient", {}).get("display_id")
        if message["msg_type"] == "update_display_data" and display in displays:
            new = {key: message["content"][key] for key in ("data", "metadata")}
            displays[display]["content"].update(new)
            continue
        if message["msg_type"] == "display_data" and display:
            displays[display] = message
        kept.append(message)
    return kept


def use_normalisers(config: pytest.Config) -> None:
    """Ours, unless others are asked for; and the kernel of this environment."""
    config.option.nbval_sanitize_with = config.option.nbval_sanitize_with or str(NORMALISERS)
    config.option.nbval_current_env = not config.option.nbval_kernel_name


def replaced(
    found: list[pytest.Collector], kind: type[ComparedNotebook], path: Path, parent: pytest.Collector
) -> list[pytest.Collector]:
    """What was collected, with `kind` instead of nbval's own class."""
    return [kind.from_parent(parent, path=path) if type(one) is IPyNbFile else one for one in found]
