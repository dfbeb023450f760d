"""How long after an event the sandbox's page is told: 300 ms at most; and what watching costs the sandbox.

Each round puts an event on the bus and waits for it in the page's stream, the call included, with a second's
rest between rounds, so that none rides on another's. The cost is the processor time of the sandbox's process
while a tab watches a sandbox at rest.
"""

from __future__ import annotations

import json
import statistics
import threading
import time
from contextlib import suppress
from pathlib import Path

import requests
from common import sandbox, tell

ROUNDS = 20
WATCHED_SECONDS = 20


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> None:
    with sandbox() as one:
        one.gbg("up")
        status = json.loads(one.gbg("status", "--json"))
        page, pid = status["page"], status["processes"]["sandbox"]
        events = one.client("events")
        seen: dict[str, float] = {}
        told = threading.Event()

        def watch() -> None:
            """Until the sandbox goes down."""
            with (
                suppress(requests.exceptions.ChunkedEncodingError),
                requests.get(page + "_gbg/page/stream", stream=True, timeout=60) as stream,
            ):
                for line in stream.iter_lines(chunk_size=1):
                    if line.startswith(b'data: [{"number"'):
                        seen.update((row["type"], time.monotonic()) for row in json.loads(line[6:]))
                        told.set()

        threading.Thread(target=watch, daemon=True).start()
        time.sleep(3)
        milliseconds = []
        for number in range(ROUNDS):
            entry = {"Source": "benchmark", "DetailType": f"Round {number}", "Detail": "{}"}
            put = time.monotonic()
            events.put_events(Entries=[entry])
            while entry["DetailType"] not in seen:
                told.wait(1)
                told.clear()
            milliseconds.append(1000 * (seen[entry["DetailType"]] - put))
            time.sleep(1)
        before = processor_seconds(pid)
        time.sleep(WATCHED_SECONDS)
        share = (processor_seconds(pid) - before) / WATCHED_SECONDS
        rows = [{"median_ms": statistics.median(milliseconds), "worst_ms": max(milliseconds)}]
        tell("event to page", rows, limit_ms=300, processor_share_while_watched=share)


if __name__ == "__main__":
    main()
