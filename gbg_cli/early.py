"""Signals that come while `gbg run` is being loaded: nothing has begun, so there is nothing to close."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from gbg_lib.errors import INTERRUPTED
from gbg_lib.runner.signals import SIGNALS

_former: dict[int, Callable[[int, Any], Any] | int | None] = {}


def heed() -> None:
    for number in SIGNALS:
        _former[number] = signal.signal(number, _stopped)


def over() -> None:
    """From here on others heed them."""
    while _former:
        signal.signal(*_former.popitem())


def _stopped(number: int, _: object) -> None:
    told = {
        "status": "interrupted",
        "exit_status": INTERRUPTED,
        "what": f"{signal.Signals(number).name}, before it began",
    }
    if "--json" in sys.argv:
        os.write(1, (json.dumps({**told, "runs": []}) + "\n").encode())
    os.write(2, f"run: interrupted by {signal.Signals(number).name}, before it began\n".encode())
    os._exit(INTERRUPTED)
