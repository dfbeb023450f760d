"""What visitors see first of the sample application: the words in its `appearance.properties`.

The file is read by `java.util.Properties`: a backslash escapes, what ASCII can't print is written as \\uXXXX.
https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/Properties.html
"""

from __future__ import annotations

import re
from pathlib import Path

from gbg_lib.errors import RepositoryError

APPEARANCE = Path("src/main/resources/appearance.properties")


def says(folder: Path, headline: str) -> bool:
    """Whether the application in the folder has this headline. Raises RepositoryError."""
    return read(folder, "headline") == _written(headline)


def write(folder: Path, **words: str) -> None:
    """Put other words in, by their names: headline, message, colour. Raises RepositoryError."""
    text = _text(folder)
    for name, value in words.items():
        line = f"{name}={_written(value)}"
        text, found = _line(name).subn(lambda _, line=line: line, text)  # type: ignore[misc]
        if not found:
            raise _another(f"{APPEARANCE} has no {name}")
    (folder / APPEARANCE).write_text(text, "ascii")


def read(folder: Path, name: str) -> str:
    """One of its words, as it is written there; empty where it has none. Raises RepositoryError."""
    found = _line(name).search(_text(folder))
    return found.group(1) if found else ""


def _text(folder: Path) -> str:
    try:
        return (folder / APPEARANCE).read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise _another(f"it has no {APPEARANCE} that can be read") from error


def _another(what: str) -> RepositoryError:
    return RepositoryError(
        "headline", f"this is not the sample application: {what}", "leave `headline` empty, and push with git"
    )


def _line(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?m)^{name}=(.*)$")


def _written(value: str) -> str:
    """Surrogates as UTF-16 has them, as Java does."""
    units = value.strip().replace("\\", "\\\\").encode("utf-16-be", "surrogatepass")
    codes = [int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
    return "".join(chr(code) if 0x20 <= code < 0x7F else f"\\u{code:04x}" for code in codes)
