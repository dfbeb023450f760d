"""Kernels are forked from one process, and share nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from zmq import RECONNECT_IVL

from gbg_lib.runner.kernel_manager import KNOCK_MILLISECONDS, ForkedKernelManager
from gbg_lib.runner.kernels import forkable
from gbg_lib.runner.run import run
from tests.notebooks.small import write_notebook

TELL = """
import os, random, sys
import numpy, gbg_lib.steps
print(os.getpid(), os.getcwd(), hasattr(gbg_lib.steps, "left_behind"), random.random(), numpy.random.random())
gbg_lib.steps.left_behind = True
"""


def test_a_run_sees_nothing_of_the_run_before(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "mine.ipynb", TELL)
    first, second = (told(run(path, {}, tmp_path / "runs").notebook) for _ in range(2))
    assert first[2] == second[2] == "False"
    assert first[1] == second[1] == str(Path(__file__).parent.parent.parent)
    for one, other in zip((first[0], *first[3:]), (second[0], *second[3:]), strict=True):
        assert one != other
    assert str(os.getpid()) not in (first[0], second[0])


def told(notebook: Path) -> list[str]:
    cells = nbformat.read(notebook, as_version=4).cells
    return "".join(output["text"] for cell in cells for output in cell.get("outputs", [])).split()


def test_only_this_python_s_ipykernel_is_forked() -> None:
    assert forkable([sys.executable, "-m", "ipykernel_launcher", "-f", "x.json"])
    assert not forkable(["/elsewhere/python", "-m", "ipykernel_launcher", "-f", "x.json"])
    assert not forkable(["R", "--slave", "-e", "IRkernel::main()"])


def test_the_kernelspec_is_the_one_that_jupyter_finds() -> None:
    found = ForkedKernelManager(kernel_name="python3").kernel_spec
    assert found is not None
    assert found.to_dict() == KernelSpecManager().get_kernel_spec("python3").to_dict()


def test_a_kernel_that_does_not_listen_yet_is_knocked_at_often() -> None:
    """ZeroMQ's own tenth of a second would be most of a forked kernel's start."""
    manager = ForkedKernelManager(kernel_name="python3")
    manager.write_connection_file()
    client = manager.client()
    try:
        client.start_channels(stdin=False, hb=False, control=False)
        for channel in (client.shell_channel, client.iopub_channel):
            assert channel.socket.getsockopt(RECONNECT_IVL) == KNOCK_MILLISECONDS
    finally:
        client.stop_channels()
        manager.cleanup_connection_file()


def test_a_terminals_control_c_leaves_the_process_that_kernels_are_forked_from_alone() -> None:
    """While it loads as well; those that it forks can be interrupted."""
    code = (
        "import os, signal\n"
        "from gbg_lib.runner import kernels\n"
        "signal.signal(signal.SIGINT, lambda *_: None)\n"
        "kernels.prepare()\n"
        "os.killpg(0, signal.SIGINT)\n"
        "forked = kernels.ForkedKernel(['--no-such-option'], dict(os.environ), '.')\n"
        "print(forked.wait())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, start_new_session=True
    )
    assert "KeyboardInterrupt" not in done.stderr
    assert done.stdout == "2\n"
