"""What every kernel has loaded from its start: imported by the process that kernels are forked from.

A debugger isn't: nobody stops in a cell of a run that has no person at it.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

KERNEL = [
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "sqlite3",
    "tornado.platform.asyncio",
    "xmlrpc.client",
]
"""what a kernel loads when it starts"""
RUNBOOK = ["ipywidgets", "gbg_lib.steps", "gbg_lib.views", "gbg_lib.runner.kernel_side"]
"""what a runbook's first cells ask for"""
DEBUGGER = "debugpy"
LOOK_SECONDS = 0.05
"""between two looks whether somebody still wants it"""


@contextmanager
def _while_wanted() -> Iterator[None]:
    """Ends the process at once when the one that began it is gone, as after a misspelt parameter."""
    runner, over = os.getppid(), threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_SECONDS):
            if os.getppid() != runner:
                os._exit(0)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()  # nothing is forked from a process with threads


def _load() -> None:
    known: dict[str, Any] = sys.modules
    gc.disable()  # imports leave next to nothing behind: looking for it takes a fifth of their time
    known.setdefault(DEBUGGER, None)
    try:
        for name in KERNEL + RUNBOOK:
            importlib.import_module(name)
        importlib.import_module("jupyter_client.localinterfaces").localhost()  # asks the system for addresses
    finally:
        if known[DEBUGGER] is None:
            del known[DEBUGGER]
        gc.freeze()  # no kernel looks through it again
        gc.enable()


with _while_wanted():
    _load()
