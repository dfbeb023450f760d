"""The build container: one machine a build, one shell state carried from command to command.

CodeBuild runs each command as a script that takes up the folder and the exported variables which the command
before it left; so do we.
"""

from __future__ import annotations

import io
import json
import random
import shlex
import tarfile
import threading
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gbg_sandbox.machines.interface import Machine, MachineError, MachineSpec
from gbg_sandbox.services.codebuild.build_log import BuildLog
from gbg_sandbox.services.codebuild.buildspec import ArtifactSpec

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

SCRATCH = "/codebuild/output/tmp"
COLLECT = Path(__file__).parent / "inside" / "collect.py"
STATE = f"{SCRATCH}/env.sh"
FOLDER = f"{SCRATCH}/dir.txt"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

SCRIPT = """\
cd "$(cat {folder})" || exit 1
. {state}
export CODEBUILD_BUILD_SUCCEEDING={succeeding}
set -a
{command}
CODEBUILD_LAST_EXIT=$?
export -p > {state}
pwd > {folder}
exit $CODEBUILD_LAST_EXIT
"""


class BuildStopped(Exception):
    """StopBuild was called."""


class BuildTimedOut(Exception):
    """The build's time is over."""


class Container:
    def __init__(
        self, cloud: Cloud, spec: MachineSpec, log: BuildLog, stopping: threading.Event, deadline: float
    ) -> None:
        self._machine: Machine = cloud.machines.start(spec)
        self._log = log
        self._stopping = stopping
        self._deadline = deadline
        """in time.monotonic()"""
        self.source_directory = f"/codebuild/output/src{random.randrange(10**8, 10**10)}/src"
        try:
            self._run(["mkdir", "-p", SCRATCH, self.source_directory])
        except BaseException:
            self._machine.terminate()
            raise

    def unpack(self, archive: bytes, directory: str) -> None:
        """Lay a zip archive's files into a folder; modes and links are kept."""
        self._machine.write(f"{SCRATCH}/source.tar", _zip_to_tar(archive))
        self._check(["mkdir", "-p", directory])
        self._check(["python3", "-m", "tarfile", "-e", f"{SCRATCH}/source.tar", directory])

    def write(self, path: str, content: bytes, mode: int = 0o644) -> None:
        self._machine.write(path, content, mode)

    def read(self, path: str) -> bytes:
        """Raises FileNotFoundError."""
        return self._machine.read(path)

    def begin(self, environment: Mapping[str, str]) -> None:
        """Set the state that the first command starts from."""
        lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
        self._machine.write(STATE, ("\n".join(lines) + "\n").encode())
        self._machine.write(FOLDER, (self.source_directory + "\n").encode())

    def command(self, text: str, *, shell: str, user: str, succeeding: bool) -> int:
        """Run one command of the buildspec; output goes to the log. Raises BuildStopped, BuildTimedOut."""
        script = SCRIPT.format(state=STATE, folder=FOLDER, command=text, succeeding=int(succeeding))
        self._machine.write(f"{SCRATCH}/script.sh", script.encode())
        return self._run([shell, f"{SCRATCH}/script.sh"], user=user or "root", logged=True)

    def variable(self, name: str, shell: str) -> str | None:
        """An exported variable's value after the last command; None when it isn't set."""
        path = f"{SCRATCH}/value"
        text = f'. {STATE}\nif [ -n "${{{name}+set}}" ]; then printf %s "${name}" > {path}; else exit 9; fi\n'
        self._machine.write(f"{SCRATCH}/variable.sh", text.encode())
        return (
            self._machine.read(path).decode() if self._run([shell, f"{SCRATCH}/variable.sh"]) == 0 else None
        )

    def collect(self, spec: ArtifactSpec) -> tuple[int, bytes]:
        """The artifact as a zip archive, with collect.py's exit status."""
        archive = f"{SCRATCH}/artifact.zip"
        self._machine.write(f"{SCRATCH}/collect.py", COLLECT.read_bytes())
        told = {
            "root": self.source_directory,
            "files": spec.files,
            "exclude_paths": spec.exclude_paths,
            "base_directory": spec.base_directory,
            "discard_paths": spec.discard_paths,
            "enable_symlinks": spec.enable_symlinks,
        }
        argv = ["python3", f"{SCRATCH}/collect.py", json.dumps(told), archive]
        status = self._run(argv, logged=True)
        return status, self._machine.read(archive) if status == 0 else b""

    def pack(self, paths: list[str]) -> bytes:
        """Folders as a tar archive, for the local cache; empty when none of them is there."""
        found = [path for path in paths if self._run(["test", "-e", path]) == 0]
        if not found or self._run(["python3", "-m", "tarfile", "-c", f"{SCRATCH}/cache.tar", *found]) != 0:
            return b""
        return self._machine.read(f"{SCRATCH}/cache.tar")

    def restore(self, archive: bytes) -> None:
        self._machine.write(f"{SCRATCH}/cache.tar", archive)
        self._check(["python3", "-m", "tarfile", "-e", f"{SCRATCH}/cache.tar", "/"])

    def stop(self) -> None:
        """End whatever runs; the commands' callers get BuildStopped."""
        self._machine.kill()

    def remove(self) -> None:
        self._machine.terminate()

    def _check(self, argv: list[str]) -> None:
        status = self._run(argv, logged=True)
        if status != 0:
            raise MachineError(f"{shlex.join(argv)} ended with {status} in the build container")

    def _run(self, argv: list[str], *, directory: str = "/", user: str = "root", logged: bool = False) -> int:
        self._check_going_on()
        try:
            status = self._machine.run(
                argv,
                environment={"PATH": PATH, "HOME": "/root"},
                directory=directory,
                user=user,
                real_seconds=max(0.1, self._deadline - time.monotonic()),
                output=self._log.write if logged else None,
            )
        except TimeoutError as error:
            raise BuildTimedOut from error
        except MachineError as error:
            if self._stopping.is_set():
                raise BuildStopped from error
            raise
        self._check_going_on()
        return status

    def _check_going_on(self) -> None:
        if self._stopping.is_set():
            raise BuildStopped
        if time.monotonic() > self._deadline:
            raise BuildTimedOut


def _zip_to_tar(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, tarfile.open(fileobj=made, mode="w") as tar:
        for info in archive.infolist():
            mode = info.external_attr >> 16
            member = tarfile.TarInfo(info.filename.rstrip("/"))
            member.mtime = int(time.mktime((*info.date_time, 0, 0, -1)))
            member.mode = mode & 0o777 or (0o755 if info.is_dir() else 0o644)
            data = b"" if info.is_dir() else archive.read(info)
            if info.is_dir():
                member.type = tarfile.DIRTYPE
            elif mode & 0o170000 == 0o120000:
                member.type, member.linkname, data = tarfile.SYMTYPE, data.decode(), b""
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return made.getvalue()
