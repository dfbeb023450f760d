"""Where cloud-init keeps its state, and what it says about itself."""

from __future__ import annotations

import json
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LIB = "/var/lib/cloud"
INSTANCE_LINK = f"{LIB}/instance"
LAST_INSTANCE = f"{LIB}/data/instance-id"
LOG = "/var/log/cloud-init.log"
OUTPUT_LOG = "/var/log/cloud-init-output.log"
RUN = "/run/cloud-init"
STATUS = f"{RUN}/status.json"
RESULT = f"{RUN}/result.json"


def log(message: str) -> None:
    """A line in cloud-init.log; warnings and errors are told on stderr too."""
    os.makedirs("/var/log", exist_ok=True)
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    with open(LOG, "a", encoding="utf-8") as file:
        file.write(f"{stamp},000 - cloud-init: {message}\n")


def warn(message: str) -> None:
    log(f"[WARNING]: {message}")
    print(f"cloud-init: {message}", file=sys.stderr, flush=True)


def read_status() -> dict[str, Any]:
    """stage → {start, finished, errors}; empty before the first boot stage."""
    if not os.path.exists(STATUS):
        return {}
    with open(STATUS, encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file)
        return found


def note_stage(stage: str, **fields: Any) -> None:
    os.makedirs(RUN, exist_ok=True)
    status = read_status()
    status.setdefault(stage, {"start": time.time(), "finished": None, "errors": []}).update(fields)
    with open(f"{STATUS}.new", "w", encoding="utf-8") as file:
        json.dump(status, file)
    os.replace(f"{STATUS}.new", STATUS)


def instance_folder() -> str:
    return os.path.realpath(INSTANCE_LINK)


def once(task: str) -> bool:
    """True the first time that this instance asks for a task."""
    folder = f"{instance_folder()}/sem"
    os.makedirs(folder, exist_ok=True)
    mark = f"{folder}/config_{task}"
    if os.path.exists(mark):
        return False
    with open(mark, "w", encoding="ascii") as file:
        file.write(f"{os.getpid()}: {time.time()}\n")
    return True
