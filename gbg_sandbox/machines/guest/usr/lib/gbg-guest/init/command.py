"""Command lines of unit files, and the environment files that their variables come from.

https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html#Command%20lines
"""

from __future__ import annotations

import os
import re
import shlex


class Command:
    """One ExecStart= line: its words and what its prefix says."""

    def __init__(self, line: str) -> None:
        prefix = re.match(r"[-@:+!]*", line)
        marks = prefix.group() if prefix else ""
        self.ignores_failure = "-" in marks
        self.full_rights = "+" in marks
        self.words = shlex.split(line[len(marks) :])
        if "@" in marks:
            del self.words[1]

    def argv(self, environment: dict[str, str]) -> list[str]:
        """`$NAME` as a word of its own splits, `${NAME}` does not, `$$` is a dollar sign."""

        def expanded(match: re.Match[str]) -> str:
            return environment.get(match[2], "") if match[2] else "$"

        found = []
        for word in self.words:
            if re.fullmatch(r"\$\w+", word):
                found += environment.get(word[1:], "").split()
            else:
                found.append(re.sub(r"\$(\$|\{(\w+)\})", expanded, word))
        return found


def read_environment(path: str) -> dict[str, str]:
    """`NAME=value` lines; a leading `-` in the path means that the file may be missing."""
    optional, path = path.startswith("-"), path.lstrip("-")
    if optional and not os.path.exists(path):
        return {}
    values = {}
    with open(path, encoding="utf-8") as file:
        text = file.read().replace("\\\n", "")
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not line.lstrip().startswith(("#", ";")):
            values[name.strip()] = _unquoted(value.strip())
    return values


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value
