"""The folder of one sandbox on this machine: who runs it, how to reach it, and its AWS profile.

`aws/config` and `aws/credentials` are all that the aws command line, boto3 and `gbg_lib` need to know.
Who holds the lock in the folder is its sandbox: from before its first file until its process has ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud
    from gbg_sandbox.credentials import Credential

PROFILE = "gbg-sandbox"
START_SECONDS = 60
STOP_SECONDS = 20
LOCK = "hhqqi4x"
"""struct flock: type, whence, start, length, holder's process"""
CLEARING = 1
"""where in the lock's file begins what is locked by who clears; a sandbox locks all of it"""


class SandboxError(Exception):
    """The sandbox could not be started, found or stopped: where, what, try this."""

    def __init__(self, what: str, try_this: str) -> None:
        super().__init__(f"sandbox: {what}\n  try: {try_this}")
        self.what = what
        self.try_this = try_this


@dataclass(frozen=True)
class Running:
    """A sandbox that is up."""

    pid: int
    endpoint_url: str
    region: str
    account: str
    machines: str
    scale: float

    @property
    def page_url(self) -> str:
        """Where a browser sees what happens in it."""
        return self.endpoint_url.replace("127.0.0.1", "localhost") + "/"


class Home:
    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.state_file = self.folder / "sandbox.json"
        self.lock_file = self.folder / "sandbox.lock"
        self.failure_file = self.folder / "failure.txt"
        self.log_file = self.folder / "sandbox.log"
        self.config_file = self.folder / "aws" / "config"
        self.credentials_file = self.folder / "aws" / "credentials"

    # --- from outside ---

    def up(self, *, port: int = 0, kind: str | None = None, scale: float = 60.0) -> Running:
        """Start the sandbox in the background and wait until it answers. Raises SandboxError."""
        if running := self.running():
            raise SandboxError(
                f"one is up already at {running.endpoint_url} (process {running.pid})",
                "use it as it is, or `gbg down` first",
            )
        if (holder := self._holder()) is not None:
            raise _starting(self.folder, holder)
        if port:
            _refuse_port_in_use(port)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.failure_file.unlink(missing_ok=True)
        argv = [
            sys.executable,
            "-m",
            "gbg_sandbox",
            str(self.folder),
            "--port",
            str(port),
            "--scale",
            str(scale),
        ]
        argv += ["--kind", kind] if kind else []
        with self.log_file.open("ab") as log:  # another one may have won meanwhile, and write into it
            before = log.tell()
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env=_environment(),
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            if (running := self.running()) and running.pid == process.pid:
                return running
            time.sleep(0.02)
        silent = f"its process ended with {process.poll()}, and said nothing"
        if process.poll() is None:
            process.kill()
            silent = f"no answer within {START_SECONDS} s"
        raise SandboxError(
            f"it did not start: {self._said_since(before) or silent}",
            f"read {self.log_file}, or ask `gbg doctor`",
        )

    def running(self) -> Running | None:
        """The sandbox of this folder; None when there is none or it has died."""
        try:
            found = Running(**json.loads(self.state_file.read_text()))
        except (FileNotFoundError, json.JSONDecodeError, TypeError):
            return None
        return found if found.pid == self._holder() else None

    def died(self) -> bool:
        """Whether a sandbox was up here and ended without `down`. One in another container lives."""
        return self.state_file.exists() and self._holder() is None

    def down(self) -> bool:
        """Stop the sandbox; False when none was up. What it left on disk goes too, logs stay."""
        holder = self._holder()
        if holder is not None:
            _end(holder, signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            while self._holder() == holder:
                if time.monotonic() > deadline:
                    _end(holder, signal.SIGKILL)
                time.sleep(0.02)
        if not self.folder.exists() and not self.state_dir().exists():
            return False
        try:
            kept = self._hold(CLEARING)
        except SandboxError:  # another one has begun meanwhile, and all here is its own
            return holder is not None
        try:
            self.forget()
            self._clear()
        finally:
            os.close(kept)
        return holder is not None

    def environment(self) -> Mapping[str, str]:
        """What a shell exports to work against the sandbox."""
        return {
            "AWS_CONFIG_FILE": str(self.config_file),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials_file),
            "AWS_PROFILE": PROFILE,
        }

    def state_dir(self) -> Path:
        """Where disks and images lie: here, or in /tmp where this folder lies on an overlay file system.

        The kernel refuses an overlay's upper layer on another overlay.
        """
        if _file_system(self.folder) != "overlay":
            return self.folder / "state"
        digest = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"gbg-{os.getuid()}-{digest}"

    def _holder(self) -> int | None:
        """The process that is this folder's sandbox, or is becoming it; None when there is none.

        Who clears the folder is no sandbox, and nobody to be stopped.

        Not to be asked in the sandbox's own process: closing the file would let go of its lock.
        """
        try:
            with self.lock_file.open("rb") as kept:
                asked = struct.pack(LOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, CLEARING, 0)
                found = struct.unpack(LOCK, fcntl.fcntl(kept, fcntl.F_GETLK, asked))
        except FileNotFoundError:
            return None
        return None if found[0] == fcntl.F_UNLCK else int(found[4])

    def _clear(self) -> None:
        """Remove the disks and images. Raises SandboxError where somebody else made the folder."""
        folder = self.state_dir()
        if not folder.is_symlink() and not folder.exists():
            return
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise SandboxError(
                f"{folder}, where its disks lie, is not this user's own folder",
                "have it removed, or another folder: GBG_HOME",
            )
        remove_tree(folder)

    # --- from inside the sandbox's process ---

    def open_cloud(self, *, port: int, kind: str | None, scale: float) -> Cloud:
        """Raises SandboxError when this folder has a sandbox already."""
        from gbg_sandbox.cloud import Cloud
        from gbg_sandbox.machines import open_machines

        self._kept = self._hold()
        if self.log_file.exists():
            os.truncate(self.log_file, 0)  # of the one before
        self._clear()
        self.state_dir().mkdir(mode=0o700, parents=True)
        cloud = Cloud(
            self.state_dir(),
            open_machines=lambda folder, files: open_machines(folder, kind=kind, site_files=files),
            scale=scale,
            port=port,
        )
        cloud.start()
        return cloud

    def _hold(self, begin: int = 0) -> int:
        """Be this folder's sandbox, or clear it, until this process ends or closes the descriptor.

        No child inherits that, and no object closes it when it is forgotten, and so lets go too early.
        Waits for who clears it. Raises SandboxError where it has a sandbox.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        while True:
            try:
                fcntl.lockf(kept, fcntl.LOCK_EX | fcntl.LOCK_NB, 0, begin)
                return kept
            except (BlockingIOError, PermissionError) as error:
                if (holder := self._holder()) is not None:
                    os.close(kept)
                    raise _starting(self.folder, holder) from error
                time.sleep(0.02)

    def is_gone(self) -> bool:
        """Whether somebody removed the folder: nobody would find this sandbox any more, nor stop it."""
        return os.fstat(self._kept).st_nlink == 0

    def write_ready(self, cloud: Cloud) -> None:
        self._write_profile(cloud.service("iam").operator(), cloud)
        running = Running(
            os.getpid(),
            cloud.endpoint_url,
            cloud.region,
            cloud.account,
            cloud.machines.kind,
            cloud.clock.scale,
        )
        temporary = self.state_file.with_suffix(".part")
        temporary.write_text(json.dumps(asdict(running), indent=2))
        temporary.rename(self.state_file)

    def write_failure(self, why: str) -> None:
        self.failure_file.write_text(why)

    def forget(self) -> None:
        for path in (self.state_file, self.config_file, self.credentials_file):
            path.unlink(missing_ok=True)

    def _write_profile(self, credential: Credential, cloud: Cloud) -> None:
        self.config_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.config_file.write_text(
            f"[profile {PROFILE}]\nregion = {cloud.region}\nendpoint_url = {cloud.endpoint_url}\n"
            f"gbg_minute_seconds = {cloud.clock.real_seconds(60)}\n"
            "output = json\ncli_pager =\ns3 =\n    addressing_style = path\n    signature_version = s3v4\n"
        )
        self.credentials_file.touch(mode=0o600)
        self.credentials_file.write_text(
            f"[{PROFILE}]\naws_access_key_id = {credential.access_key}\n"
            f"aws_secret_access_key = {credential.secret_key}\n"
        )

    def _said_since(self, before: int) -> str:
        """Why it failed, or the last line of its log, where that isn't of the one before it; or nothing."""
        if self.failure_file.exists():
            return self.failure_file.read_text()
        told = self.log_file.read_bytes()
        said = told.decode(errors="replace").strip() if len(told) != before else ""
        return "".join(said.splitlines()[-1:])


def _environment() -> dict[str, str]:
    """Nothing tells SDKs of an AWS: after `gbg env` a shell names a profile that the sandbox can't read."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {"PYTHONPATH": _python_path()}


def _python_path() -> str:
    """Ours first, then what this process was given."""
    return os.pathsep.join(filter(None, [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH")]))


def _refuse_port_in_use(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SandboxError(
                f"port {port} on 127.0.0.1 can't be had: {error.strerror}",
                f"another port (--port {port + 1}), or none for a free one",
            ) from error


def _starting(folder: Path, holder: int) -> SandboxError:
    if holder <= 0:
        return _elsewhere()
    return SandboxError(
        f"one of {folder} is starting or stopping (process {holder})",
        "wait until `gbg status` tells it, or `gbg down` first",
    )


def _elsewhere() -> SandboxError:
    return SandboxError(
        "one runs in another container, which shares this folder",
        "`gbg down` in the container that it is in, or another folder: GBG_HOME",
    )


def _end(process: int, number: signal.Signals) -> None:
    """Raises SandboxError where the process is out of sight: 0 would be everyone in this group."""
    if process <= 0:
        raise _elsewhere()
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def _file_system(folder: Path) -> str:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    best, kind = "", ""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, found, *_ = line.split()
        if (existing == Path(mount) or Path(mount) in existing.parents) and len(mount) >= len(best):
            best, kind = mount, found
    return kind


def remove_tree(folder: Path) -> None:
    """Remove disks of machines, which hold folders without write permission."""
    if not folder.exists():
        return
    with contextlib.suppress(subprocess.CalledProcessError):  # files that vanish meanwhile
        subprocess.run(["chmod", "-R", "u+rwx", str(folder)], check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["rm", "-rf", str(folder)], check=True)
