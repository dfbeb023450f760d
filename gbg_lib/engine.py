"""The papermill engine of this project: tells which cell runs and under which heading.

Schedulers that know papermill get it with `papermill --engine gbg` (an entry point of this package).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from papermill.engines import NBClientEngine, papermill_engines
from traitlets.config import Config

from gbg_lib.kernels import ForkedKernel, forkable

ENGINE = "gbg"
MODE, SCHEDULED = "GBG_MODE", "scheduled"
"""what a runbook's banner says of how it runs"""
KERNEL_CONFIG = Config({"KernelManager": {"transport_encryption": "auto"}})
"""what is said to a kernel is encrypted, where the kernel can"""
KERNEL_WORDS = ["--log-level=CRITICAL"]
"""a kernel's remarks about itself (interrupted at the end of a run) are no news of the run"""


class ForkedProvisioner(LocalProvisioner):
    """Forks the kernel where that gives what its kernelspec asks for; else starts it as any other."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        kwargs["env"].setdefault(MODE, SCHEDULED)
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


class GbgEngine(NBClientEngine):  # type: ignore[misc]
    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        gbg_progress: Callable[[int, int, str], None] | None = None,
        **kwargs: Any,
    ) -> Any:
        """`gbg_progress(cell, cells, heading)` is called before each code cell."""
        started = nb_man.cell_start

        def cell_start(cell: Any, cell_index: int | None = None, **more: Any) -> Any:
            if gbg_progress is not None and cell.cell_type == "code" and cell_index is not None:
                gbg_progress(cell_index + 1, len(nb_man.nb.cells), heading_of(nb_man.nb.cells, cell_index))
            return started(cell, cell_index, **more)

        nb_man.cell_start = cell_start
        return super().execute_managed_notebook(
            nb_man,
            kernel_name,
            kernel_manager_class=ForkedKernelManager,
            config=KERNEL_CONFIG,
            extra_arguments=KERNEL_WORDS,
            **kwargs,
        )


def heading_of(cells: list[Any], index: int) -> str:
    """The nearest heading above a cell."""
    for cell in reversed(cells[: index + 1]):
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("#"):
                    return str(line.lstrip("# "))
    return ""


def register() -> None:
    papermill_engines.register(ENGINE, GbgEngine)
