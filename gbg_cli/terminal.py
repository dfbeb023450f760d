"""What is printed, and how errors look.

rich leaves colours out by itself when there is no terminal; with NO_COLOR it would still print bold.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from rich.console import Console
from rich.text import Text

from gbg_lib.errors import DONE, FAILED, GbgError
from gbg_sandbox.home import SandboxError

FAILURE = FAILED

COLOURS: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"

out = Console(color_system=COLOURS, highlight=False, soft_wrap=True)
err = Console(color_system=COLOURS, stderr=True, highlight=False, soft_wrap=True)


def show_error(where: str, what: str, try_this: str) -> None:
    err.print(Text.assemble((f"{where}: ", "bold red"), what))
    err.print(Text.assemble(("  try: ", "bold"), try_this))


@contextmanager
def errors_shown() -> Iterator[None]:
    """End the command with the right status and a three-part message."""
    try:
        yield
    except GbgError as error:
        if error.exit_status == DONE:
            err.print(f"{error.where}: {error.what}", markup=False)
        else:
            show_error(error.where, error.what, error.try_this)
        sys.exit(error.exit_status)
    except SandboxError as error:
        show_error("sandbox", error.what, error.try_this)
        sys.exit(FAILURE)
