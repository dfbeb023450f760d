"""Kernels for headless runs, forked from a process that has loaded what every runbook imports.

A kernel started anew spends over two seconds on imports. The process to fork from is started early
(`prepare`) and loads while something else is waited for.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import current_process, forkserver, get_context, parent_process, resource_tracker
from multiprocessing.process import BaseProcess
from types import ModuleType

LOADED = ["gbg_lib.runner.loaded"]
BACKEND = "module://matplotlib_inline.backend_inline"
"""where a notebook's pictures go: matplotlib reads it once, when it is loaded"""

INTERRUPT = {signal.SIGINT}
"""a terminal's Control-C goes to every process in it; to that of which kernels are forked it is no news"""

_context = get_context("forkserver")


def prepare() -> None:
    """Start the process that kernels are forked from; returns at once. It ends with this one."""
    os.environ.setdefault("MPLBACKEND", BACKEND)
    forkserver.set_forkserver_preload(LOADED)
    resource_tracker.ensure_running()  # it unblocks signals, and is started with the other otherwise
    former = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPT)  # which the new process keeps
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


class ForkedKernel:
    """The part of subprocess.Popen that a provisioner uses."""

    stdin = stdout = stderr = None

    def __init__(self, argv: list[str], environment: Mapping[str, str], folder: str) -> None:
        prepare()
        self._process = _context.Process(target=_become_kernel, args=(argv, environment, folder), daemon=True)
        with _hidden_main():
            self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


@contextmanager
def _hidden_main() -> Iterator[None]:
    """multiprocessing runs the main module again in its child; a kernel needs nothing of it.

    Inside a scheduler's worker that module is the scheduler, which refuses to be started there.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def forkable(argv: list[str]) -> bool:
    """Whether a kernelspec's command is ipykernel under this very Python."""
    return argv[1:3] == ["-m", "ipykernel_launcher"] and argv[0] == sys.executable


def _become_kernel(argv: list[str], environment: Mapping[str, str], folder: str) -> None:
    """What `python -m ipykernel_launcher` does, in the forked process."""
    from ipykernel.kernelapp import launch_new_instance

    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPT)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    current_process().daemon = False  # a notebook may start processes
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    threading.Thread(target=_end_after, args=(parent_process(),), daemon=True).start()
    sys.argv = ["ipykernel_launcher", *argv]
    launch_new_instance(argv=argv)


def _end_after(runner: BaseProcess | None) -> None:
    """A kernel whose runner was killed ends, too; the process that it was forked from may live on."""
    if runner is not None:
        runner.join()
        os._exit(1)
