"""Puts a build's artifact together: `collect.py '{"root": "/src", "files": [...], ...}' ARCHIVE`.

Exit status 3 when no file matches, 4 when the base directory does not.
"""

from __future__ import annotations

import fnmatch
import json
import os
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

NO_FILES = 3
NO_BASE = 4


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def matches(pattern: str, base: Path) -> list[Path]:
    """Files below `base` that a pattern names; `**` spans folders and hidden files count too."""
    if pattern.startswith("/"):
        base, pattern = Path("/"), pattern[1:]
        if "*" not in pattern:
            return [base / pattern] if (base / pattern).is_file() else []
    found = []
    for folder, folders, files in os.walk(base):
        folders.sort()
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in sorted(files) + links:
            path = Path(folder, name)
            if fits(path.relative_to(base).parts, tuple(pattern.split("/"))):
                found.append(path)
    return found


def fits(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(fits(parts[skip:], pattern[1:]) for skip in range(len(parts) + 1))
    if pattern[0] in (".", ""):
        return fits(parts, pattern[1:])
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and fits(parts[1:], pattern[1:])


def bases(pattern: str) -> list[Path]:
    if "*" not in pattern:
        return [Path(pattern)] if Path(pattern).is_dir() else []
    return [path for path in sorted(Path().glob(pattern)) if path.is_dir()]


def chosen(spec: dict[str, Any], base: Path) -> list[Path]:
    files: list[Path] = []
    for pattern in spec["files"]:
        say(f"Expanding {pattern}")
        files += [path for path in matches(pattern, base) if path not in files]
    dropped = {path for pattern in spec["exclude_paths"] for path in matches(pattern, base)}
    return [path for path in files if path not in dropped]


def name_of(path: Path, base: Path, discard_paths: bool) -> str:
    if discard_paths:
        return path.name
    return str(path.relative_to(base) if path.is_relative_to(base) else path).lstrip("/")


def store(archive: zipfile.ZipFile, path: Path, name: str, keep_link: bool) -> None:
    status = path.lstat() if keep_link else path.stat()
    moment = time.gmtime(max(status.st_mtime, 315532800))[:6]  # zip knows no time before 1980
    info = zipfile.ZipInfo(name, (moment[0], *moment[1:]))
    info.external_attr = (status.st_mode & 0xFFFF) << 16
    if keep_link and path.is_symlink():
        archive.writestr(info, str(path.readlink()))
        return
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, path.read_bytes())


def main() -> int:
    spec = json.loads(sys.argv[1])
    os.chdir(spec["root"])
    say("Expanding base directory path: " + spec["base_directory"])
    found_bases = bases(spec["base_directory"])
    if not found_bases:
        return NO_BASE
    names: dict[str, Path] = {}
    for base in found_bases:
        say(f"Expanding file paths for base directory {base}")
        for path in chosen(spec, base):
            if path.is_file() or (spec["enable_symlinks"] and path.is_symlink()):
                names[name_of(path, base, spec["discard_paths"])] = path
    if not names:
        return NO_FILES
    say(f"Found {len(names)} file(s)")
    with zipfile.ZipFile(sys.argv[2], "w") as archive:
        for name, path in sorted(names.items()):
            store(archive, path, name, spec["enable_symlinks"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
