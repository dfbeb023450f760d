"""Disks of the chroot kind: image layers merged into one tree, and the difference that a machine made to it.

Layers have overlayfs's form: a character device 0:0 hides an entry, the attribute user.overlay.opaque a
folder's former content. Thousands of entries a tree: plain strings instead of pathlib, for speed.
"""

# ruff: noqa: PTH101, PTH102, PTH108, PTH112, PTH114, PTH115, PTH211

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

OPAQUE = "user.overlay.opaque"
SHARED = ("usr/bin/", "usr/sbin/", "usr/lib/", "usr/lib64/", "usr/libexec/", "usr/share/java/", "opt/aws/")
NEVER_SHARED = ("usr/lib/systemd/", "usr/lib/tmpfiles.d/")
EDITED_SUFFIXES = (".conf", ".cfg", ".properties", ".xml", ".json", ".policy", ".security", "cacerts")


class State(NamedTuple):
    """What tells whether an entry was changed."""

    mode: int
    owner: int
    group: int
    size: int
    modified: int
    inode: int


Manifest = dict[str, State]


def _state(path: str) -> State:
    found = os.lstat(path)
    is_folder = stat.S_ISDIR(found.st_mode)
    return State(
        found.st_mode,
        found.st_uid,
        found.st_gid,
        0 if is_folder else found.st_size,
        0 if is_folder else found.st_mtime_ns,
        0 if is_folder else found.st_ino,
    )


def shareable(name: str) -> bool:
    """Whether a file may be one inode in many trees: programs and libraries are replaced, not edited."""
    return (
        name.startswith(SHARED) and not name.startswith(NEVER_SHARED) and not name.endswith(EDITED_SUFFIXES)
    )


def is_whiteout(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def _is_opaque(path: str) -> bool:
    try:
        return os.getxattr(path, OPAQUE, follow_symlinks=False) == b"y"
    except OSError:
        return False


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _copy_attributes(found: os.stat_result, target: str) -> None:
    os.chown(target, found.st_uid, found.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        os.chmod(target, stat.S_IMODE(found.st_mode))
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def put(source: str, target: str, name: str) -> None:
    """One entry, not a folder: shared where that is safe, else copied."""
    found = os.lstat(source)
    _remove(target)
    if stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(source), target)
        _copy_attributes(found, target)
    elif stat.S_ISREG(found.st_mode):
        if shareable(name):
            try:
                os.link(source, target)
                return
            except OSError:
                pass
        shutil.copyfile(source, target)
        _copy_attributes(found, target)
    elif stat.S_ISFIFO(found.st_mode):
        os.mkfifo(target)


def _apply(layer: str, root: str) -> None:
    for directory, folders, files in os.walk(layer):
        below = os.path.relpath(directory, layer)
        here = root if below == "." else f"{root}/{below}"
        for name in [*folders, *files]:
            source, target = f"{directory}/{name}", f"{here}/{name}"
            found = os.lstat(source)
            if is_whiteout(found):
                _remove(target)
            elif stat.S_ISDIR(found.st_mode):
                if _is_opaque(source) or os.path.islink(target) or not os.path.isdir(target):
                    _remove(target)
                    os.mkdir(target)
                _copy_attributes(found, target)
            else:
                put(source, target, name if below == "." else f"{below}/{name}")


def merge(layers: Sequence[Path], root: Path) -> None:
    """Lay layers (topmost first) over what is in `root`."""
    for layer in reversed(layers):
        _apply(str(layer), str(root))


def clone(template: Path, root: Path) -> None:
    """A tree of its own from `template`, which `merge` made: shared files stay shared, the rest is copied."""
    subprocess.run(["cp", "-al", f"{template}/.", str(root)], check=True)
    for directory, _folders, files in os.walk(template):
        below = os.path.relpath(directory, template)
        for entry in files:
            name = entry if below == "." else f"{below}/{entry}"
            if not shareable(name):
                put(f"{directory}/{entry}", f"{root}/{name}", name)


def manifest(root: Path) -> Manifest:
    base = str(root)
    found: Manifest = {}
    for directory, folders, files in os.walk(base):
        for name in [*folders, *files]:
            path = f"{directory}/{name}"
            found[path[len(base) + 1 :]] = _state(path)
    return found


def difference(root: Path, before: Manifest, into: Path, leave_out: Sequence[str]) -> None:
    """Write what changed since `before` as a layer; top-level folders in `leave_out` don't count."""
    now = manifest(root)
    into.mkdir(mode=0o755)
    for name in sorted(now):
        if name.partition("/")[0] in leave_out or now[name] == before.get(name):
            continue
        _parents(name, root, into)
        if stat.S_ISDIR(now[name].mode):
            _folder(name, root, into)
        elif not stat.S_ISSOCK(now[name].mode):
            put(str(root / name), str(into / name), name)
    for name in sorted(before.keys() - now.keys()):
        above = name.rpartition("/")[0]
        gone_with_parent = above and (above not in now or not stat.S_ISDIR(now[above].mode))
        if name.partition("/")[0] in leave_out or gone_with_parent:
            continue
        _parents(name, root, into)
        os.mknod(into / name, stat.S_IFCHR, os.makedev(0, 0))


def _folder(name: str, root: Path, into: Path) -> None:
    if not (into / name).exists():
        (into / name).mkdir()
    _copy_attributes((root / name).lstat(), str(into / name))


def _parents(name: str, root: Path, into: Path) -> None:
    parts = name.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        parent = "/".join(parts[:depth])
        if not (into / parent).exists():
            _folder(parent, root, into)
