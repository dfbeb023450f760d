"""Starts a run's kernel: forked from a process that has what runbooks import, where that is as good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets.config import Config

from gbg_lib.kernel_side import WORDS
from gbg_lib.kernels import ForkedKernel, forkable

KERNEL_CONFIG = Config({"KernelManager": {"transport_encryption": "auto"}})
"""what is said to a kernel is encrypted, where the kernel can"""
KERNEL_WORDS = ["--log-level=CRITICAL", *WORDS]
"""a kernel's remarks about itself (interrupted at the end of a run) are no news of the run"""


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
    async def _async_pre_start_kernel(self, **kwargs: Any) -> Any:
        if self.provisioner is None:
            self.provisioner = ForkedProvisioner(
                kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
            )
        return await super()._async_pre_start_kernel(**kwargs)
