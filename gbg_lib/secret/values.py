"""The secrets that this process knows: of AWS keys, secret parameters, NoEcho values, its environment.

Whoever gets to know one says so (`learn`); what is kept or shown goes through `masking()`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import unquote

from gbg_lib.secret.masking import Masking, is_secret_name

NO_SECRET = re.compile(r"(?i)(true|false|none|null|yes|no|\d{1,6}|)")
"""values that are no secret whatever their name"""

IN_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"']*:([^\s/@\"']+)@")

_known: set[str] = set()
_masking = Masking()


def learn(*values: object) -> None:
    """From now on these are masked in this process."""
    global _masking
    new = {
        str(value) for value in values if value is not None and not NO_SECRET.fullmatch(str(value))
    } - _known
    if new:
        _known.update(new)
        _masking = Masking(_known)


def learn_named(values: Mapping[str, object]) -> None:
    """Of these values the ones whose names say that they are secret."""
    learn(*(value for name, value in values.items() if isinstance(value, str) and is_secret_name(name)))


def learn_environment() -> None:
    """What its names tell, and the passwords of its addresses (`DATABASE_URL`)."""
    learn_named(os.environ)
    learn(*(unquote(one[1]) for value in os.environ.values() for one in IN_ADDRESS.finditer(value)))


def masking() -> Masking:
    return _masking


def forget() -> None:
    """For tests: what one teaches is no business of another's."""
    global _masking
    _known.clear()
    _masking = Masking()
