"""What looking costs a release: the sandbox's page open in a tab against nobody looking, 5 % at most.

Releases of one deployment by turns, so that whatever else the machine does meets both. A tab is a reader of
the page's stream: what the sandbox has to do for one is the same.
"""

from __future__ import annotations

import json
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from common import Sandbox, eventually, sandbox, tell

PIPELINE = "gbg-release"
ROUNDS = 3


@contextmanager
def tab(page: str, looks: bool) -> Iterator[None]:
    """Looks as long as it is open."""
    closed = threading.Event()

    def read() -> None:
        with requests.get(page + "_gbg/page/stream", stream=True, timeout=60) as stream:
            for _ in stream.iter_lines():
                if closed.is_set():
                    return

    reader = threading.Thread(target=read, daemon=True)
    if looks:
        reader.start()
    try:
        yield
    finally:
        closed.set()
        if looks:
            reader.join()


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def release(one: Sandbox) -> float:
    """Its seconds, from its first action's begin to its last one's end."""
    pipeline = one.client("codepipeline")
    execution = pipeline.start_pipeline_execution(name=PIPELINE)["pipelineExecutionId"]

    def over() -> bool:
        found = pipeline.get_pipeline_execution(pipelineName=PIPELINE, pipelineExecutionId=execution)
        status = found["pipelineExecution"]["status"]
        if status not in ("InProgress", "Succeeded"):
            raise RuntimeError(f"the release is {status}")
        return bool(status == "Succeeded")

    eventually("the release", over, seconds=300)
    found: list[dict[str, Any]] = pipeline.list_action_executions(
        pipelineName=PIPELINE, filter={"pipelineExecutionId": execution}
    )["actionExecutionDetails"]
    begun = min(action["startTime"] for action in found)
    seconds: float = (max(action["lastUpdateTime"] for action in found) - begun).total_seconds()
    return seconds


def main() -> None:
    with sandbox() as one:
        one.gbg("up")
        one.gbg("run", "01", "02", "03", "04", "-p", "termination_wait_minutes=0")
        status = json.loads(one.gbg("status", "--json"))
        pid = status["processes"]["sandbox"]
        rows = []
        for number in range(2 * ROUNDS):
            looks = number % 2 == 1
            before = processor_seconds(pid)
            with tab(status["page"], looks):
                seconds = release(one)
            used = processor_seconds(pid) - before
            rows.append({"looks": looks, "seconds": seconds, "sandbox_processor_seconds": used})
    medians = {
        looks: [
            statistics.median(row[name] for row in rows if row["looks"] is looks)
            for name in ("seconds", "sandbox_processor_seconds")
        ]
        for looks in (False, True)
    }
    tell(
        "a release with the sandbox's page open",
        rows,
        duration_ratio=medians[True][0] / medians[False][0],
        processor_share=(medians[True][1] - medians[False][1]) / medians[False][0],
        claim="duration_ratio <= 1.05",
    )


if __name__ == "__main__":
    main()
