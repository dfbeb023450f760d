"""The name that somebody meant who wrote one that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LEAST_LIKENESS = 0.75
"""as difflib counts it, of 1: a letter too many, two changed places; less is another word"""


def nearest(word: str, known: Iterable[str]) -> str:
    """Empty where none is near.

    A word that two names share counts, however long the names are: `gate` means `gate_minutes`, and
    `aws_region` means `region`.
    """
    names = list(known)
    related = [name for name in names if word in name.split("_") or name in word.split("_")]
    cutoff = 0.0 if related else LEAST_LIKENESS
    return next(iter(difflib.get_close_matches(word, related or names, n=1, cutoff=cutoff)), "")
