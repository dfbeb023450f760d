"""The environment lock of a run: every package that it ran with, as pip reads it."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import distributions


@cache
def lock() -> str:
    """Looked up once: what a process has loaded stays as it is."""
    found = {(one.name.lower(), f"{one.name}=={one.version}") for one in distributions() if one.name}
    lines = [line for _, line in sorted(found)]
    return "\n".join([f"# Python {platform.python_version()} on {platform.platform(terse=True)}", *lines, ""])
