"""Which of the versions at hand stands in for one that isn't."""

from __future__ import annotations

import re
from collections.abc import Iterable

Key = tuple[tuple[int, int, str], ...]


def sort_key(version: str) -> Key:
    """Numbers count as numbers; a word (`rc1`, `debian`) is less than any number."""
    parts = re.findall(r"\d+|[a-zA-Z]+", version)
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)


def nearest(wanted: str, known: Iterable[str]) -> str | None:
    """The version itself; else the least above it of the same major number, the highest below, the newest.

    Debian's nameless versions (`debian`, `3.x`) come last: they say the least about what is inside.
    """
    versions = sorted(set(known), key=sort_key)
    if wanted in versions:
        return wanted
    named = [
        version for version in versions if re.fullmatch(r"[\d.]+([-.]?\w+)?", version) and "x" not in version
    ]
    candidates = named or versions
    major = wanted.partition(".")[0]
    alike = [version for version in candidates if version.partition(".")[0] == major]
    above = [version for version in alike if sort_key(version) > sort_key(wanted)]
    if above:
        return above[0]
    fallback = alike or candidates
    return fallback[-1] if fallback else None
