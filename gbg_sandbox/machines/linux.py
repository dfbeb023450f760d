"""The few system calls that Python's library lacks: namespaces, mounts, seccomp.

Imported by the fork server before anything else, so it must stay small.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 0x2

PR_SET_PDEATHSIG = 1
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_SET_CHILD_SUBREAPER = 36

_NUMBERS = {
    "x86_64": {"clone": 56, "pivot_root": 155, "seccomp": 317},
    "aarch64": {"clone": 220, "pivot_root": 41, "seccomp": 277},
}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall_number(name: str) -> int:
    """Raises OSError on a processor that the sandbox doesn't know."""
    machine = platform.machine()
    if machine not in _NUMBERS:
        raise OSError(f"machines run on x86_64 and aarch64, not on {machine}")
    return _NUMBERS[machine][name]


def syscall(name: str, *arguments: int) -> int:
    passed = [ctypes.c_long(argument) for argument in arguments]
    return _check(_libc.syscall(ctypes.c_long(syscall_number(name)), *passed), name)


def unshare(flags: int) -> None:
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(descriptor: int, kind: int) -> None:
    _check(_libc.setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def clone(flags: int) -> int:
    """Like fork, with the child in new namespaces. Only for a process with one thread."""
    return syscall("clone", flags | signal.SIGCHLD, 0, 0, 0, 0)


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()
    )
    _check(result, f"mount {kind or source} on {target}")


def unmount(target: str, flags: int = 0) -> None:
    _check(_libc.umount2(target.encode(), ctypes.c_int(flags)), f"unmount {target}")


def pivot_root(new: str, old: str) -> None:
    new_name, old_name = ctypes.create_string_buffer(new.encode()), ctypes.create_string_buffer(old.encode())
    syscall("pivot_root", ctypes.addressof(new_name), ctypes.addressof(old_name))


def prctl(option: int, value: int = 0) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), "prctl")


def die_with_parent() -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def reset_signals() -> None:
    """In a forked child: no handlers of the parent's."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
