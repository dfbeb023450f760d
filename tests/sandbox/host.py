"""Which kinds of machines this host allows, asked of util-linux and nothing of ours.

Where the host forbids a kind, its tests are skipped. Whatever else keeps a machine from starting is a
failure.
"""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

NAMESPACES = ("--mount", "--pid", "--net", "--uts", "--ipc", "--fork")
OVERLAY = (
    "mount -t tmpfs none /mnt && cd /mnt && mkdir low up work all && "
    "mount -t overlay none all -o lowerdir=low,upperdir=up,workdir=work"
)
SECCOMP_CONTINUES = (5, 5)
"""the Linux that lets a system call go on after it was looked at (SECCOMP_USER_NOTIF_FLAG_CONTINUE)"""


def skip_unless_allowed(kind: str | None, place: Path) -> None:
    """Skips what needs machines of a kind (None: of any kind) whose disks lie at a place."""
    reasons = [_forbidden(one, place) for one in ([kind] if kind else ["namespaces", "chroot"])]
    if all(reasons):
        pytest.skip("; ".join(reasons))


def namespaces_allowed(place: Path) -> bool:
    return not _forbidden("namespaces", place)


def skip_unless_namespaces_for(identity: Sequence[str]) -> None:
    """Skips what needs namespaces as the user that a command like `setpriv …` makes of this one."""
    refused = _refused((*identity, *_unshare("--user", "--map-root-user")))
    if refused:
        pytest.skip(f"this host forbids an ordinary user namespaces: {refused}")


def _forbidden(kind: str, place: Path) -> str:
    """Why; empty where it is allowed."""
    if kind == "chroot":
        release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
        fits = os.geteuid() == 0 and release >= SECCOMP_CONTINUES
        return "" if fits else "chroot machines are for root on Linux 5.5 or newer"
    refused = [_refused(_unshare(*more)) for more in ((), ("--user", "--map-root-user"))]
    if all(refused):
        return f"this host forbids namespaces: {refused[-1]}"
    if _file_system(place) in ("overlay", "overlayfs"):
        return f"{place} lies on an overlay file system, on which no other can be stacked"
    return ""


def _unshare(*more: str) -> tuple[str, ...]:
    return ("unshare", *more, *NAMESPACES, "sh", "-c", OVERLAY)


@functools.cache
def _refused(command: tuple[str, ...]) -> str:
    """What the host said; empty when it let the command be."""
    if shutil.which(command[0]) is None:
        return f"{command[0]} (util-linux) is not here"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit status {done.returncode}"


def _file_system(place: Path) -> str:
    command = ["stat", "--file-system", "--format=%T", str(place)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
