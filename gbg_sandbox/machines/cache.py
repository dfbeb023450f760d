"""Trees made once on this machine and shared by all its sandboxes.

A tree is built aside and renamed into place, so that parallel sandboxes never see half of one; its name
carries a hash of everything that it was made from.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

KEY_LENGTH = 16
UNUSED_SECONDS = 14 * 24 * 3600


def directory() -> Path:
    """`$GBG_CACHE`, or a folder in the user's cache directory."""
    configured = os.environ.get("GBG_CACHE")
    base = Path(configured) if configured else Path.home() / ".cache" / "golden-blue-green"
    base.mkdir(parents=True, exist_ok=True)
    return base


def fingerprint(*parts: object) -> str:
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()[:KEY_LENGTH]


def tree_fingerprint(roots: Iterable[Path]) -> str:
    """Changes when a file below one of the roots is added, removed or rewritten."""
    digest = hashlib.sha256()
    for root in roots:
        paths = sorted(root.rglob("*")) if root.is_dir() else [root]
        for path in paths:
            if "__pycache__" in path.parts:
                continue
            state = path.lstat()
            digest.update(
                f"{path.relative_to(root)}\0{state.st_mode}\0{state.st_size}\0{state.st_mtime_ns}\n".encode()
            )
    return digest.hexdigest()[:16]


def _forget_old(name: str, newest: Path) -> None:
    """Remove trees of this name that no sandbox has asked for in a long time."""
    for other in directory().glob(f"{name}-{'?' * KEY_LENGTH}"):
        if other != newest and time.time() - other.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(other)


def tree(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """The tree `name-key` of the cache; `build(empty folder)` fills it when it is not there yet."""
    wanted = directory() / f"{name}-{key}"
    if wanted.is_dir():
        os.utime(wanted)
        return wanted
    with (directory() / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if wanted.is_dir():
            return wanted
        aside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=directory()))
        aside.chmod(0o755)
        try:
            build(aside)
            aside.rename(wanted)
            _forget_old(name, wanted)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
    return wanted
