"""The process that execution environments are forked from; see runtime.py."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

PROVIDED = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
"""what Lambda's Python runtimes bring along"""
RUNTIME = Path(__file__).with_name("runtime.py")
START_SECONDS = 30.0


class Nursery:
    """Started when the first environment is needed, and again when it died."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def fork(
        self,
        root: Path,
        handler: str,
        environment: Mapping[str, str],
        channel: socket.socket,
        output: int,
    ) -> int:
        """A new execution environment on these ends; returns its pid. Raises OSError."""
        order = json.dumps({"root": str(root), "handler": handler, "environment": dict(environment)}).encode()
        with self._lock:
            control = self._started()
            try:
                socket.send_fds(control, [order], [channel.fileno(), output])
                answer = control.recv(64)
            except OSError:
                self._end()
                raise
            if not answer:
                self._end()
                raise OSError("the process that runs functions ended")
        return int(answer)

    def warm(self) -> None:
        """Be ready before the first function is invoked."""
        with self._lock:
            self._started()

    def stop(self) -> None:
        with self._lock:
            self._end()

    def _started(self) -> socket.socket:
        if self._control is not None:
            return self._control
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(RUNTIME), str(theirs.fileno()), str(self._libraries())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={"PATH": os.defpath, "LANG": "en_US.UTF-8"},
                cwd="/",
                start_new_session=True,
            )
        ours.settimeout(START_SECONDS)
        if ours.recv(16) != b"ready":
            ours.close()
            raise OSError("the process that runs functions did not start")
        self._control = ours
        return ours

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(2)
            self._process.kill()
            self._process.wait()
            self._process = None

    def _libraries(self) -> Path:
        """A folder with the provided packages only: a function can't lean on what else is installed."""
        folder = self.folder / "provided"
        folder.mkdir(parents=True, exist_ok=True)
        for name in PROVIDED:
            found = importlib.util.find_spec(name)
            if found is None or found.origin is None:
                continue
            origin = Path(found.origin)
            source = origin.parent if origin.name == "__init__.py" else origin
            link = folder / source.name
            if not link.is_symlink():
                link.symlink_to(source)
        return folder
