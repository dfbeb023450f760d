"""Which of a notebook's ids are the same thing: each is known by the order in which things first appear.

A normaliser that made every image one word would let a release pass that serves the source image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

IMAGE = re.compile(r"\bami-[0-9a-f]{17}\b")
INSTANCE = re.compile(r"\bi-[0-9a-f]{17}\b")
COMMIT = re.compile(r"\b(?P<short>[0-9a-f]{8})[0-9a-f]{32}\b")
SHORT_COMMIT = re.compile(r"\b(?P<before>is at|commit|the files of) (?P<short>[0-9a-f]{8})\b")


class Identities:
    """Of one run of one notebook; told its outputs from the first to the last.

    Images and commits are followed through the whole notebook. Machines only within one text: in two tables
    they may well stand in different orders.
    """

    def __init__(self) -> None:
        self._images: dict[str, int] = {}
        self._commits: dict[str, int] = {}

    def in_output(self, output: dict[str, Any]) -> None:
        """Numbers an output's texts (also a message's content), in place."""
        for texts, key in _texts(output):
            texts[key] = self.in_text(texts[key])

    def in_text(self, text: str) -> str:
        machines: dict[str, int] = {}
        text = IMAGE.sub(lambda found: f"IMAGE-{_number(self._images, found[0])}", text)
        text = INSTANCE.sub(lambda found: f"INSTANCE-{_number(machines, found[0])}", text)
        text = COMMIT.sub(lambda found: f"COMMIT-{_number(self._commits, found['short'])}", text)
        return SHORT_COMMIT.sub(
            lambda found: f"{found['before']} COMMIT-{_number(self._commits, found['short'])}", text
        )


def _number(known: dict[str, int], id_: str) -> int:
    return known.setdefault(id_, len(known) + 1)


def _texts(output: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    data: Mapping[str, Any] = output.get("data", {})
    found = [(output["data"], kind) for kind in sorted(data) if kind.startswith("text/")]
    return [*found, (output, "text")] if isinstance(output.get("text"), str) else found
