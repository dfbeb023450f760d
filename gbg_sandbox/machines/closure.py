"""Copying programs of this machine together with the shared libraries that they need."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
PROGRAM_DIRECTORIES = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")
ADMINISTRATION = ("/usr/sbin", "/sbin")
PYTHON_LIBRARIES = "usr/lib/python/lib"
"""where libraries go that lie outside of the system's directories"""


def find_program(name: str) -> Path | None:
    for directory in PROGRAM_DIRECTORIES:
        candidate = Path(directory, name)
        if candidate.exists():
            return candidate
    return None


def is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def libraries(files: Sequence[Path]) -> set[Path]:
    """The shared libraries that these files load, the dynamic loader among them."""
    found: set[Path] = set()
    for start in range(0, len(files), 200):
        chunk = [str(path) for path in files[start : start + 200]]
        told = subprocess.run(["ldd", *chunk], capture_output=True, text=True, check=False).stdout
        found |= {Path(match) for match in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", told, re.MULTILINE)}
    return found


def copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def copy_tree(source: Path, target: Path, exclude: Iterable[str] = ()) -> None:
    """A deep copy that follows symbolic links; `exclude` are globs below `source`; broken links go."""
    patterns = tuple(exclude)

    def ignored(directory: str, names: list[str]) -> set[str]:
        below = Path(directory).relative_to(source)
        return {
            name
            for name in names
            if any(fnmatch.fnmatch(str(below / name), pattern) for pattern in patterns)
            or not Path(directory, name).exists()
        }

    shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)


def add_programs(root: Path, names: Iterable[str]) -> list[str]:
    """Copy programs into `root`, symbolic links followed; the names that this machine lacks."""
    missing = []
    for name in names:
        source = find_program(name)
        if source is None:
            missing.append(name)
            continue
        directory = "usr/sbin" if str(source.parent) in ADMINISTRATION else "usr/bin"
        copy_file(source.resolve(), root / directory / name)
    return missing


def add_libraries(root: Path, present: Sequence[Path] = ()) -> None:
    """Copy what the ELF files below `root` need and neither `root` nor the trees in `present` have."""
    own = [path for path in root.rglob("*") if not path.is_symlink() and path.is_file() and is_elf(path)]
    for library in sorted(libraries(own)):
        target = _place(library)
        here = any((tree / target).exists() for tree in (root, *present))
        if here or library.is_relative_to(root):
            continue
        copy_file(library.resolve(), root / target)
        if str(target).startswith(PYTHON_LIBRARIES):
            _link_for_absolute_search_paths(root, target)


def _place(library: Path) -> Path:
    text = str(library)
    if text.startswith(("/lib/", "/lib64/")):
        return Path("usr") / text[1:]
    if any(text.startswith(f"{directory}/") for directory in SYSTEM_LIBRARIES):
        return Path(text[1:])
    return Path(PYTHON_LIBRARIES, library.name)


def _link_for_absolute_search_paths(root: Path, target: Path) -> None:
    """An interpreter linked with an absolute RPATH finds its library by the loader's default directories."""
    default = next((path.parent for path in (root / "usr/lib").glob("*/libc.so.6")), root / "usr/lib64")
    link = default / target.name
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path("/") / target)
