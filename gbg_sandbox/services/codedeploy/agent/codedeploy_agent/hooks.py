"""Lifecycle hooks: whose revision they come from, their environment, their time limit and their output."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from typing import IO

from . import appspec, diagnostics
from .appspec import Script
from .archive import Revisions
from .diagnostics import EventFailed
from .settings import HOME
from .specification import Specification

FROM_LAST_SUCCESSFUL = frozenset(("ApplicationStop", "BeforeBlockTraffic", "AfterBlockTraffic"))
"""events that run from the revision which is already there"""
ROLLBACK_FROM_MOST_RECENT = frozenset(("BeforeBlockTraffic", "AfterBlockTraffic"))
ROLLBACK_FROM_LAST_SUCCESSFUL = frozenset(("BeforeAllowTraffic", "AfterAllowTraffic"))
GRACE_SECONDS = 5.0
REMOVED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CREDENTIAL_FILE")
DEPLOYMENTS_LOG = "deployment-logs/codedeploy-agent-deployments.log"


def directory_for(event: str, spec: Specification, revisions: Revisions) -> str:
    """The deployment directory whose hooks are run, or an empty text when there is none."""
    own = revisions.directory(spec)
    if spec.rolls_back_blue_green:
        if event in ROLLBACK_FROM_MOST_RECENT:
            return revisions.most_recent(spec.group_id)
        if event in ROLLBACK_FROM_LAST_SUCCESSFUL:
            return revisions.last_successful(spec.group_id)
    if event in FROM_LAST_SUCCESSFUL and not os.path.isdir(os.path.join(own, "deployment-archive")):
        return revisions.last_successful(spec.group_id)
    return own


def is_noop(event: str, spec: Specification, revisions: Revisions) -> bool:
    """Whether there is nothing to run; a file that can't be read is told when the event runs."""
    if event not in appspec.SCRIPTED:
        return False
    directory = directory_for(event, spec, revisions)
    if not directory:
        return True
    try:
        return not appspec.read(os.path.join(directory, "deployment-archive")).hooks.get(event)
    except appspec.AppSpecError:
        return False


class Hooks:
    def __init__(self, spec: Specification, revisions: Revisions, root_dir: str) -> None:
        self._spec = spec
        self._revisions = revisions
        self._root_dir = root_dir

    def run(self, event: str) -> str:
        """Run the event's scripts; gives the tail of their output. Raises EventFailed, AppSpecError."""
        directory = directory_for(event, self._spec, self._revisions)
        if not directory:
            return ""
        archive = os.path.join(directory, "deployment-archive")
        scripts = appspec.read(archive).hooks.get(event, ())
        if not scripts:
            return ""
        with Log(directory, self._root_dir, self._spec.deployment_id) as log:
            log.write(f"LifecycleEvent - {event}\n")
            for script in scripts:
                self._one(script, archive, self._environment(event), log)
            return log.tail

    def _environment(self, event: str) -> dict[str, str]:
        spec = self._spec
        inherited = {name: value for name, value in os.environ.items() if name not in REMOVED}
        own = {
            "LIFECYCLE_EVENT": event,
            "DEPLOYMENT_ID": spec.deployment_id,
            "APPLICATION_NAME": spec.application,
            "DEPLOYMENT_GROUP_NAME": spec.group_name,
            "DEPLOYMENT_GROUP_ID": spec.group_id,
            "BUNDLE_BUCKET": spec.bucket,
            "BUNDLE_KEY": spec.key,
            "BUNDLE_ETAG": spec.etag,
        }
        if spec.version:
            own["BUNDLE_VERSION"] = spec.version
        return {**inherited, **own}

    def _one(self, script: Script, archive: str, environment: Mapping[str, str], log: Log) -> None:
        path = os.path.join(archive, script.location)
        where = f"Script at specified location: {script.location}"
        if not os.path.exists(path):
            message = f"Script does not exist at specified location: {script.location}"
            raise EventFailed(diagnostics.SCRIPT_MISSING, message, script.location, log.tail)
        _make_executable(path, script, log)
        log.write(f"Script - {script.location}\n")
        status, left_open = _run(path, script, environment, log)
        if status is None:
            message = f"{where} failed to complete in {script.timeout} seconds"
            raise EventFailed(diagnostics.SCRIPT_TIMED_OUT, message, script.location, log.tail)
        if left_open:
            message = f"{where} failed to close STDOUT or STDERR in {script.timeout} seconds"
            raise EventFailed(diagnostics.OUTPUTS_LEFT_OPEN, message, script.location, log.tail)
        if status != 0:
            user = f" run as user {script.runas}" if script.runas else ""
            message = f"{where}{user} failed with exit code {status}"
            raise EventFailed(diagnostics.SCRIPT_FAILED, message, script.location, log.tail)


def _make_executable(path: str, script: Script, log: Log) -> None:
    if os.access(path, os.X_OK):
        return
    try:
        os.chmod(path, os.stat(path).st_mode | 0o111)
    except OSError as error:
        message = f"Unable to set script at specified location: {script.location} as executable"
        raise EventFailed(diagnostics.SCRIPT_NOT_EXECUTABLE, message, script.location, log.tail) from error


def command(path: str, script: Script) -> list[str]:
    if script.runas:
        prefix = ["sudo"] if script.sudo else []
        return [*prefix, "su", script.runas, "-c", shlex.quote(path)]
    return ["sudo", path] if script.sudo else [path]


def _run(path: str, script: Script, environment: Mapping[str, str], log: Log) -> tuple[int | None, bool]:
    """Exit status, or None after the time limit; and whether something still holds the outputs open."""
    deadline = time.monotonic() + script.timeout
    try:
        process = subprocess.Popen(
            command(path, script),
            env=dict(environment),
            cwd=HOME if os.path.isdir(HOME) else "/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        log.write(f"[stderr]{error}\n")
        return 126, False
    readers = [_follow(process.stdout, "[stdout]", log), _follow(process.stderr, "[stderr]", log)]
    try:
        status = process.wait(script.timeout)
    except subprocess.TimeoutExpired:
        _kill(process)
        return None, False
    for reader in readers:
        reader.join(max(0.0, deadline - time.monotonic()))
    return (128 - status if status < 0 else status), any(reader.is_alive() for reader in readers)


def _follow(stream: IO[bytes] | None, label: str, log: Log) -> threading.Thread:
    def read() -> None:
        assert stream is not None
        for line in stream:
            log.write(label + line.decode(errors="replace"))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The script and its children: asked first, then ended."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Log:
    """logs/scripts.log of the deployment and the log of all deployments; keeps the tail for the service."""

    def __init__(self, directory: str, root_dir: str, deployment_id: str) -> None:
        self._paths = (
            os.path.join(directory, "logs", "scripts.log"),
            os.path.join(root_dir, DEPLOYMENTS_LOG),
        )
        self._deployment_id = deployment_id
        self._lock = threading.Lock()
        self._files: list[IO[str]] = []
        self._tail = ""

    def __enter__(self) -> Log:
        for path in self._paths:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self._files.append(open(path, "a", encoding="utf-8"))
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            for file in self._files:
                file.close()
            self._files = []

    @property
    def tail(self) -> str:
        with self._lock:
            return self._tail

    def write(self, text: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        with self._lock:
            self._tail = (self._tail + text)[-diagnostics.TAIL_BYTES :]
            for file, line in zip(
                self._files, (f"{stamp} {text}", f"[{stamp}] [{self._deployment_id}]{text}"), strict=False
            ):
                file.write(line)
                file.flush()
