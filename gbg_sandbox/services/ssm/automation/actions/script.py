"""aws:executeScript: a Python function in a process of its own, with the role's keys in its environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gbg_sandbox.credentials import Credential
from gbg_sandbox.services.ssm.automation.actions.work import (
    SERVICE_PRINCIPAL,
    Outcome,
    StepCancelled,
    StepFailed,
    StepTimedOut,
    Work,
)
from gbg_sandbox.services.ssm.automation.values import text

Inputs = Mapping[str, Any]
POLLING = "Poll action status for completion"
LARGEST_PAYLOAD = 100 * 1024

RUNNER = """
import ctypes, json, os, signal, sys, traceback
folder, handler, parent = sys.argv[1:4]
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it ends with the sandbox
if os.getppid() != int(parent):
    sys.exit(1)
sys.path.insert(0, folder)
try:
    script = __import__("customer_script")
    with open(folder + "/events.json") as given:
        events = json.load(given)
    payload = json.dumps(getattr(script, handler)(events, {}))
    with open(folder + "/payload.json", "w") as kept:
        kept.write(payload)
except Exception:
    with open(folder + "/failure.txt", "w") as kept:
        kept.write(traceback.format_exc())
    sys.exit(1)
"""


def execute_script(work: Work, inputs: Inputs) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="automation-", dir=work.cloud.state_dir) as name:
        folder = Path(name)
        (folder / "customer_script.py").write_text(str(inputs["Script"]))
        (folder / "events.json").write_text(json.dumps(inputs.get("InputPayload", {}), default=text))
        printed = _run(work, folder, str(inputs["Handler"]))
        payload = _payload(folder, printed)
    shown = payload if isinstance(payload, str) else json.dumps(payload)
    if len(shown) > LARGEST_PAYLOAD:
        raise StepFailed("The payload is larger than 100 KB.", doing=POLLING)
    return Outcome(
        {"Payload": payload, "OutputPayload": json.dumps({"Payload": payload})}, {"Payload": payload}
    )


def _payload(folder: Path, printed: str) -> Any:
    kept = folder / "payload.json"
    if kept.is_file():
        return json.loads(kept.read_text())
    failure = folder / "failure.txt"
    message = failure.read_text() if failure.is_file() else printed or "The script ended without a result."
    raise StepFailed(message.strip(), doing=POLLING)


def _run(work: Work, folder: Path, handler: str) -> str:
    """What it printed. Its whole process group ends with the step."""
    printed = folder / "printed.txt"
    with printed.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", RUNNER, str(folder), handler, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=_environment(work, folder),
            start_new_session=True,
        )
    try:
        work.wait(lambda: _ended(process.pid), doing=POLLING, poll=0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return printed.read_text(errors="replace")


def _ended(pid: int) -> bool:
    """Without reaping it: as long as it is a zombie, its number is nobody else's, and the group's neither."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _environment(work: Work, folder: Path) -> dict[str, str]:
    keys = _keys(work)
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_REGION": work.cloud.region,
        "AWS_DEFAULT_REGION": work.cloud.region,
        "AWS_ENDPOINT_URL": work.cloud.endpoint_url,
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_SESSION_TOKEN": keys.token,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _keys(work: Work) -> Credential:
    if not work.execution.role:
        return work.cloud.credentials.issue(work.execution.caller, real_seconds=900)
    return work.cloud.assume(
        work.execution.role,
        acting=SERVICE_PRINCIPAL,
        session=work.session,
        source_arn=work.cloud.arn("ssm", f"automation-execution/{work.execution.id}"),
        real_seconds=900,
    )


ACTIONS: dict[str, Callable[[Work, Inputs], Outcome]] = {"aws:executeScript": execute_script}

__all__ = ["ACTIONS", "StepCancelled", "StepTimedOut", "execute_script"]
