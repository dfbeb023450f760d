"""The environment lock of a run: every package that it ran with, as pip reads it."""

from __future__ import annotations

import platform
import re
from functools import cache
from importlib.metadata import Distribution, distributions

FILES = ("METADATA", "PKG-INFO")
"""where a package tells of itself: as a wheel, and as an older kind
(https://packaging.python.org/en/latest/specifications/core-metadata/)"""


@cache
def lock() -> str:
    """Looked up once: what a process has loaded stays as it is."""
    found = {(name.lower(), f"{name}=={version}") for name, version in map(_named, distributions()) if name}
    lines = [line for _, line in sorted(found)]
    return "\n".join([f"# Python {platform.python_version()} on {platform.platform(terse=True)}", *lines, ""])


def _named(one: Distribution) -> tuple[str, str]:
    """Name and version, empty where it tells none: of two fields nobody has to parse a whole description."""
    head = next(filter(None, map(one.read_text, FILES)), "").partition("\n\n")[0]
    name, version = (re.search(rf"^{field}: *(\S+)", head, re.MULTILINE) for field in ("Name", "Version"))
    return (name[1], version[1]) if name and version else ("", "")
