"""Machines whose commands run in the host's shell, each with its own /codebuild: for tests of builds.

Enough for builds that touch only their own folder, and quick; a build with Maven takes a real machine.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from gbg_sandbox.machines.interface import MachineError, MachineSpec, Output
from tests.sandbox.fakes import FakeMachine, FakeMachines

INSIDE = "/codebuild/"


class ShellMachine(FakeMachine):
    def __init__(self, host: FakeMachines, spec: MachineSpec, disk: Path) -> None:
        super().__init__(host, spec, disk)
        self._own = f"{disk}{INSIDE}"
        self._running: subprocess.Popen[bytes] | None = None
        self._switch = threading.Lock()
        """nothing begins while it is switched off"""

    def run(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        directory: str = "/",
        user: str = "root",
        real_seconds: float | None = None,
        output: Output | None = None,
    ) -> int:
        for file in Path(self._own, "output/tmp").glob("*"):
            if file.suffix in (".sh", ".txt"):
                file.write_text(self._placed(file.read_text()))
        with self._switch:
            if not self.alive():
                raise MachineError(f"{self.spec.name}: the machine is off; start it first")
            self._running = subprocess.Popen(
                [self._placed(word) for word in argv],
                cwd=self.disk if directory == "/" else self._placed(directory),
                env={**(environment or {}), "PATH": os.environ["PATH"]},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            running = self._running
        return self._finish(running, real_seconds, output)

    def kill(self) -> None:
        with self._switch:
            super().kill()
            if self._running is not None and self._running.poll() is None:
                os.killpg(self._running.pid, signal.SIGKILL)

    def _finish(
        self, process: subprocess.Popen[bytes], real_seconds: float | None, output: Output | None
    ) -> int:
        late = threading.Event()

        def end() -> None:
            late.set()
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(real_seconds or 600, end)
        timer.start()
        assert process.stdout is not None
        for line in process.stdout:
            if output is not None:
                output(line)
        process.stdout.close()
        status = process.wait()
        timer.cancel()
        if late.is_set():
            raise TimeoutError
        return status if status >= 0 else 128 - status

    def _placed(self, text: str) -> str:
        return text.replace(self._own, INSIDE).replace(INSIDE, self._own)


class ShellMachines(FakeMachines):
    def start(self, spec: MachineSpec) -> FakeMachine:
        if self.failure:
            raise MachineError(self.failure)
        machine = ShellMachine(self, spec, self._directory / "machines" / spec.name)
        self.machines[spec.name] = machine
        self.started.append(spec)
        return machine

    def package_layers(self, names: Sequence[str]) -> tuple[Path, ...]:
        return ()
