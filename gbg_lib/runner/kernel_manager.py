"""Starts a run's kernel: forked from a process that has what runbooks import, where that is as good."""

from __future__ import annotations

import time
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_core.paths import jupyter_path
from traitlets import default
from traitlets.config import Config
from zmq import RECONNECT_IVL
from zmq.asyncio import Context

from gbg_lib.runner.kernel_side import WORDS
from gbg_lib.runner.kernels import ForkedKernel, forkable

KERNEL_CONFIG = Config({"KernelManager": {"transport_encryption": "auto"}})
"""what is said to a kernel is encrypted, where the kernel can"""
KERNEL_WORDS = ["--log-level=CRITICAL", *WORDS]
"""a kernel's remarks about itself (interrupted at the end of a run) are no news of the run"""
END_SECONDS = 0.005
"""between two looks whether a kernel that was told to has ended"""
KNOCK_MILLISECONDS = 5
"""between two knocks at a kernel that does not listen yet; ZeroMQ's own is 100
(https://libzmq.readthedocs.io/en/latest/zmq_setsockopt.html)"""
LISTEN_SECONDS = 0.02
"""a kernel that answered says so on the other channel, too, unless nobody was heard there yet"""


class PromptClient(AsyncKernelClient):
    """Ready as soon as an answer was heard on both channels; jupyter's own listens to silence first."""

    @default("context")
    def _context_default(self) -> Context:
        self._created_context = True
        made = Context()
        made.setsockopt(RECONNECT_IVL, KNOCK_MILLISECONDS)
        return made

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Raises RuntimeError when the kernel is dead, or has not answered in time."""
        limit = time.monotonic() + (timeout or float("inf"))
        while True:
            asked = self.kernel_info()
            if await self._is_heard(self.shell_channel, asked, "kernel_info_reply", 1.0) and (
                await self._is_heard(self.iopub_channel, asked, "status", LISTEN_SECONDS, "idle")
            ):
                return
            if not await self._async_is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > limit:
                raise RuntimeError(f"Kernel didn't respond in {timeout:.0f} seconds")

    async def _is_heard(self, channel: Any, asked: str, kind: str, seconds: float, state: str = "") -> bool:
        """Whether this answer to a question comes within so many seconds; what comes before it is old."""
        while True:
            try:
                message = await channel.get_msg(timeout=seconds)
            except Empty:
                return False
            answers = message["parent_header"].get("msg_id") == asked and message["msg_type"] == kind
            if answers and message["content"].get("execution_state", "") == state:
                return True


class ForkedProvisioner(LocalProvisioner):
    """Forks the kernel where that gives what its kernelspec asks for; else starts it as any other."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        if not forkable(cmd):
            return await super().launch_kernel(cmd, **kwargs)
        self.process: Any = ForkedKernel(cmd[3:], kwargs["env"], str(kwargs.get("cwd") or Path.cwd()))
        self.pid = self.process.pid
        self.pgid = None  # signals go to the kernel itself: it may not have its group yet
        self.cwd = kwargs.get("cwd")
        return self.connection_info


class ForkedKernelManager(AsyncKernelManager):
    client_factory = PromptClient

    @property
    def kernel_spec(self) -> KernelSpec | None:
        """As jupyter finds it, which loads all of IPython to learn of a folder."""
        if self._kernel_spec is None and self.kernel_name == NATIVE_KERNEL_NAME:
            known = KernelSpecManager(kernel_dirs=jupyter_path("kernels"), ensure_native_kernel=False)
            folder = known.find_kernel_specs().get(self.kernel_name, "")
            if (Path(folder) / "kernel.json").is_file():
                self._kernel_spec = KernelSpec.from_resource_dir(folder)
        return super().kernel_spec

    async def _async_wait(self, pollinterval: float = END_SECONDS) -> None:
        """For a kernel's end; jupyter's own looks ten times a second."""
        await super()._async_wait(END_SECONDS)

    async def _async_pre_start_kernel(self, **kwargs: Any) -> Any:
        if self.provisioner is None:
            self.provisioner = ForkedProvisioner(
                kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
            )
        return await super()._async_pre_start_kernel(**kwargs)
