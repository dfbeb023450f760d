"""What differs between two runs of one release by its nature, and is therefore no difference.

Ids, times, addresses, and the digests and names that contain them become words; everything else stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gbg_lib.record.words import plain_lines

HEX = "[0-9a-f]"
EVERYWHERE = (
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?", "<time>"),
    (r"\b\d{4}-\d\d-\d\d_\d\d\.\d\d\.\d\d\b", "<time>"),
    (r"\b\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?", "<time>"),
    (r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d(?: [A-Z]{3,4})? \d{4}", "<time>"),
    (rf"\b{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}\b", "<id>"),
    (rf"\b(i|ami|lt|sg|vpc|subnet|snap|vol|eni|r|igw|rtb)-{HEX}{{8,17}}\b", r"\1-<id>"),
    (r"(?<![A-Za-z0-9])d-[A-Z0-9]{9}\b", "d-<id>"),
    (rf"\b{HEX}{{64}}\b", "<digest>"),
    (rf"\b{HEX}{{40}}\b", "<commit>"),
    (r"\b(\w+-[\w-]*[A-Z]\w+)-[A-Za-z0-9]{12,13}\b", r"\1-<id>"),
    (r"/(SourceOutp|BuildOutpu)/\w{7}\b", r"/\1/<id>"),
    (r"\bsrc\d{6,}\b", "src<id>"),
    (r"\b(?:https?://)?(?:localhost|127\.0\.0\.1):\d+", "<address>"),
    (r"\bip-\d+-\d+-\d+-\d+\.[\w.-]*internal\b", "<host>"),
    (r"\b(?:10|172|192)(?:\.\d{1,3}){3}\b", "<address>"),
    (r"(?m)^(Amazon Linux 2023 repository) .*$", r"\1 <speed>"),
    (r"(?i)\b\d+(?:\.\d+)? ?[kmg]?i?b/s\b", "<speed>"),
    (r"\b\d+\.\d+ ?(ms|s|sec|seconds)\b", r"<duration> \1"),
    (r"\b(Total time: +)\S+ min\b", r"\1<duration>"),
    (r"\b((?:template|is on) version) \d+", r"\1 <number>"),
    (r"\b\d{12}\b", "<account>"),
    (r"\b[a-z]{2}(?:-[a-z]+)+-\d[a-f]\b", "<zone>"),
)
FINGERPRINT = re.compile(r"\b(packages) [0-9a-f]{16}\b")
"""of an image's packages, as the bake tells it"""
RULES = tuple((re.compile(pattern), word) for pattern, word in EVERYWHERE)
NUMBERED = frozenset({"LaunchTemplateVersion", "FormerLaunchTemplateVersion"})
"""output variables that count what was there before"""


@dataclass(frozen=True)
class Likeness:
    """`tools`: whether what AWS's and Linux's own tools print is compared; not between AWS and a sandbox.

    `names` are words that differ between the two by nature, with what they are called instead.
    """

    tools: bool = True
    names: Mapping[str, str] = field(default_factory=dict)

    def text(self, text: str) -> str:
        """Lines as they are compared; a line that only repeats the one before is a matter of time."""
        for pattern, word in RULES:
            text = pattern.sub(word, text)
        if not self.tools:
            text = FINGERPRINT.sub(r"\1 <fingerprint>", text)
        for name in sorted(self.names, key=len, reverse=True):
            text = text.replace(name, self.names[name])
        return "\n".join(_once(plain_lines(text)))


def _once(lines: Iterable[str]) -> Iterable[str]:
    before = None
    for line in lines:
        if line and line != before:
            yield line
        before = line
