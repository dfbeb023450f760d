"""What a scheduler is told to do: one command, where, and in which environment.

A scheduler's own environment is all but empty, and its shell is none that anybody set up: everything is said.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gbg_lib.errors import MisuseError

NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Scheduled:
    name: str
    """of the job's units and lines; lower case letters, digits and hyphens"""
    words: tuple[str, ...]
    """the command, its program as an absolute path"""
    folder: Path
    environment: Mapping[str, str]

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise MisuseError(
                "--name",
                f"{self.name!r} is no name for a schedule",
                "letters, digits and hyphens: nightly-rebake",
            )
        broken = [word for word in (*self.words, *self.environment.values()) if re.search(r"[\r\n\0]", word)]
        if broken:
            raise MisuseError("schedule", f"{broken[0]!r} holds a line's end", "give words of one line")

    @property
    def shell(self) -> str:
        """The command for /bin/sh."""
        variables = [f"{name}={shlex.quote(value)}" for name, value in sorted(self.environment.items())]
        command = shlex.join(self.words)
        return f"cd {shlex.quote(str(self.folder))} && {' '.join(['env', *variables, command])}"
