"""Starting a process the way a unit asks for it, and finding the processes that belong together."""

from __future__ import annotations

import grp
import os
import pwd
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
EXEC_FAILED, CHDIR_FAILED, GROUP_FAILED, USER_FAILED = 203, 200, 216, 217


def user_environment(user: str) -> dict[str, str]:
    """HOME, USER, LOGNAME, SHELL of an account. Raises KeyError."""
    entry = pwd.getpwnam(user)
    return {"HOME": entry.pw_dir, "USER": user, "LOGNAME": user, "SHELL": entry.pw_shell or "/bin/sh"}


def become(user: str, group: str = "") -> None:
    """Take on an account's groups and ids. Raises KeyError, OSError."""
    entry = pwd.getpwnam(user)
    group_id = grp.getgrnam(group).gr_gid if group else entry.pw_gid
    os.initgroups(user, group_id)
    os.setresgid(group_id, group_id, group_id)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)


def spawn(
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    output: int,
    directory: str = "/",
    user: str = "root",
    group: str = "",
    umask: int = 0o022,
    input_null: bool = True,
    before: Callable[[], None] | None = None,
) -> int:
    """Fork and execute in a session of its own; stdout and stderr go to `output`. Returns the pid."""
    pid = os.fork()
    if pid:
        return pid
    status = EXEC_FAILED
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if input_null:
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.umask(umask)
        if before:
            before()
        if user != "root" or group:
            status = USER_FAILED
            become(user, group)
        status = CHDIR_FAILED
        os.chdir(directory)
        status = EXEC_FAILED
        os.execvpe(argv[0], list(argv), dict(environment))
    except (OSError, KeyError) as error:
        os.write(2, f"{argv[0]}: {error}\n".encode())
    finally:
        os._exit(status)


def kill(pids: Iterable[int], number: int) -> None:
    """Signal all of them; one that ended meanwhile keeps it from no other."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


class Processes:
    """The machine's process table, read through a descriptor of /proc (a chroot has no /proc of its own)."""

    def __init__(self, proc: int) -> None:
        self._proc = proc

    def _pids(self) -> Iterator[int]:
        return (int(name) for name in os.listdir(self._proc) if name.isdigit())

    def _read(self, pid: int, name: str) -> bytes:
        try:
            descriptor = os.open(f"{pid}/{name}", os.O_RDONLY, dir_fd=self._proc)
        except OSError:
            return b""
        try:
            return os.read(descriptor, 65536)
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def _parent_and_session(self, pid: int) -> tuple[int, int]:
        fields = self._read(pid, "stat").rpartition(b")")[2].split()
        return (int(fields[1]), int(fields[3])) if len(fields) > 3 and fields[0] != b"Z" else (0, 0)

    def descendants(self, root: int) -> set[int]:
        """A process, its children to any depth, and whatever else lives in its session."""
        table = {pid: self._parent_and_session(pid) for pid in self._pids()}
        found = {pid for pid, (_parent, session) in table.items() if session == root}
        if table.get(root, (0, 0)) != (0, 0):
            found.add(root)
        grown = True
        while grown:
            more = {pid for pid, (parent, _session) in table.items() if parent in found} - found
            found |= more
            grown = bool(more)
        return found

    def carrying(self, mark: str) -> set[int]:
        """Living processes whose environment holds `mark` (a unit's INVOCATION_ID)."""
        wanted = mark.encode()
        own = os.getpid()
        return {
            pid
            for pid in self._pids()
            if pid != own
            and wanted in self._read(pid, "environ").split(b"\0")
            and self._parent_and_session(pid) != (0, 0)
        }
